//! The certificates that a connection through a proxy is verified with.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::company::Company;
use crate::support::done::Done;

#[test]
fn the_sign_in_and_the_refresh_use_the_same_proxy_and_certificate_authority() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    let done = company.run(&["login", "qwen"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("could read this sign-in"), "{done:?}");
    let at_login = company.tunnels();
    assert!(at_login > 0);
    company.user.expire("qwen");
    let proxy = company.proxy.to_string();
    let done = company.run(&["token", "qwen", "--trust-endpoint", &proxy]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(company.tunnels(), at_login + 1);
    assert_eq!(company.user.kit.qwen().counters().refreshes, 1);
    let asked = company.asked.lock().unwrap();
    assert!(
        asked
            .iter()
            .all(|request| request.starts_with("CONNECT vendor.example:443 ")),
        "{asked:?}"
    );
}

#[test]
fn without_the_authority_the_certificate_is_rejected_and_nothing_is_sent() {
    let company = Company::new();
    let done = Done::of(
        company
            .command(&["login", "qwen"])
            .env_remove("LLM_AUTH_CA_FILE"),
    );
    done.assert_failed(4, "certificate");
    assert_eq!(company.tunnels(), 0);
    assert_eq!(company.user.kit.qwen().counters().device_requests, 0);
}

#[test]
fn a_bundle_in_place_of_the_system_s_is_used_and_named_if_it_breaks_tls() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    let other = company.user.directory.path().join("other-ca.pem");
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    fs::write(&other, params.self_signed(&key).unwrap().pem()).unwrap();
    for (bundle, good) in [(&company.ca, true), (&other, false)] {
        let done = Done::of(
            company
                .command(&["login", "qwen"])
                .env_remove("LLM_AUTH_CA_FILE")
                .env("SSL_CERT_FILE", bundle)
                // Beside one that names something it counts as not set.
                .env("SSL_CERT_DIR", ""),
        );
        if good {
            assert_eq!(done.code, Some(0), "{done:?}");
        } else {
            done.assert_failed(1, &format!("SSL_CERT_FILE={}", other.display()));
        }
    }
}
