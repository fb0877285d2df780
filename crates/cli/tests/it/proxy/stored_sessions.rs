//! A proxy that could read a session gets none.

use std::fs;

use serde_json::json;

use super::company::Company;
use crate::support::done::Done;

/// Commands that would send what is stored.
const SENDING: [&[&str]; 4] = [
    &["token", "qwen"],
    &["token", "qwen", "--force-refresh"],
    &["exec", "qwen", "--", "env"],
    &["login", "gemini"],
];

#[test]
fn a_stored_session_is_not_sent_past_a_proxy_that_could_read_it() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    assert_eq!(company.run(&["login", "qwen"]).code, Some(0));
    company.user.expire("qwen");
    let (stored, before) = (company.user.stored("qwen"), company.tunnels());
    // The TLS library reads a space as the name of a file.
    let blank = company.user.directory.path().join(" ");
    fs::copy(&company.ca, &blank).unwrap();
    let ca = company.ca.as_os_str();
    for variables in [
        &[("LLM_AUTH_CA_FILE", ca)][..],
        &[("SSL_CERT_FILE", ca)],
        &[("SSL_CERT_FILE", ca), ("LLM_AUTH_CA_FILE", ca)],
        &[("SSL_CERT_FILE", " ".as_ref())],
        &[("SSL_CERT_DIR", ".".as_ref())],
    ] {
        for args in SENDING {
            let mut command = company.doubtful(args);
            command.envs(variables.iter().copied());
            let done = Done::of(&mut command);
            done.assert_failed(1, "could read");
            for named in ["HTTPS_PROXY", variables[0].0, &company.proxy.to_string()] {
                assert!(done.err.contains(named), "{named}: {done:?}");
            }
            assert!(!done.err.contains("made-up-password"), "{done:?}");
        }
    }
    assert_eq!(company.tunnels(), before, "nothing went through");
    assert_eq!(company.user.stored("qwen"), stored);
    // Without a word about certificates it is a tunnel and no more.
    let done = Done::of(&mut company.doubtful(&["token", "qwen"]));
    done.assert_failed(4, "");
    // Nothing is sent to Qwen when its session is removed.
    assert_eq!(company.run(&["logout", "qwen"]).code, Some(0));
    assert_eq!(company.tunnels(), before);
}

#[test]
fn the_route_is_checked_for_the_server_that_receives_the_session() {
    let company = Company::new();
    let session = json!({
        "access": "made-up-access", "refresh": "made-up-refresh", "expires": 1,
        "llm_auth": {
            "provider": "minimax", "account": "default",
            "server": "https://account.minimaxi.com", "context": {"region": "cn"},
        },
    });
    let file = company.user.file("minimax", "default");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, session.to_string()).unwrap();
    let mut command = company.doubtful(&["token", "minimax"]);
    command
        .env_remove("LLM_AUTH_MINIMAX_BASE_URL")
        .env("LLM_AUTH_CA_FILE", &company.ca)
        .env("NO_PROXY", "account.minimax.io");
    let done = Done::of(&mut command);
    done.assert_failed(1, "could read the session minimax");
    assert_eq!(company.tunnels(), 0);
}

#[test]
fn trusting_a_host_does_not_trust_a_proxy_at_another() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    assert_eq!(company.run(&["login", "qwen"]).code, Some(0));
    company.user.expire("qwen");
    let before = company.tunnels();
    let port = company.proxy.port();
    let proxy = format!("mia:made-up-password@{}", company.proxy);
    let (no_url, readable) = ("HTTPS_PROXY cannot be used", "could read");
    for (url, trusted, why) in [
        (
            format!("http://{proxy}/@relay.example"),
            "relay.example",
            no_url,
        ),
        (
            format!("http://{proxy}\\@relay.example"),
            "relay.example",
            no_url,
        ),
        (
            format!("http://{proxy}?@relay.example"),
            "relay.example",
            no_url,
        ),
        (
            format!("http://{proxy}#@relay.example"),
            "relay.example",
            no_url,
        ),
        (
            format!("socks5h://{proxy}/@relay.example"),
            "relay.example",
            no_url,
        ),
        (format!("http:/{proxy}"), "http", no_url),
        (format!("http://{proxy}"), "127.0.0.1", readable),
        (format!("http://{proxy}"), "relay.example", readable),
        (
            format!("http://{proxy}"),
            &format!("localhost:{port}"),
            readable,
        ),
        (
            format!("http://{proxy}"),
            &format!("https://127.0.0.1:{port}"),
            readable,
        ),
    ] {
        let mut command = company.command(&["token", "qwen", "--trust-endpoint", trusted]);
        command.env("HTTPS_PROXY", &url);
        let done = Done::of(&mut command);
        done.assert_failed(1, why);
        assert!(!done.err.contains("made-up-password"), "{done:?}");
        assert_eq!(company.tunnels(), before, "{url}: {done:?}");
    }
}

#[test]
fn a_search_domain_with_certificates_of_the_environment_is_rejected_too() {
    let company = Company::new();
    company.names_page("https://vendor.example/device");
    assert_eq!(company.run(&["login", "qwen"]).code, Some(0));
    company.user.expire("qwen");
    let mut command = company.command(&["token", "qwen"]);
    command
        .env_remove("HTTPS_PROXY")
        .env("LOCALDOMAIN", "evil.example")
        .env("RES_OPTIONS", "ndots:9");
    let done = Done::of(&mut command);
    done.assert_failed(1, "LOCALDOMAIN");
    assert!(
        done.err.contains("unset LOCALDOMAIN and LLM_AUTH_CA_FILE"),
        "{done:?}"
    );
}
