//! The checks of the proxy.

use super::{checks, endpoint};
use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn a_proxy_is_shown_without_its_password_and_a_variable_that_is_wrong_is_a_check() {
    let user = User::new();
    let done = Done::of(
        user.command(&["doctor", "--offline", "--json"])
            .env(
                "HTTPS_PROXY",
                "http://mia:made-up-password@proxy.example:3128/x",
            )
            .env("LLM_AUTH_CA_FILE", "/nowhere/company.pem"),
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    let proxy = &checks(&done, "proxy")[0];
    assert_eq!(proxy["proxy"], "http://proxy.example:3128");
    assert!(!done.out.contains("made-up-password") && !done.err.contains("made-up-password"));
    let ca = checks(&done, "ca");
    assert_eq!((ca.len(), &ca[0]["status"]), (1, &"fail".into()));
    let message = ca[0]["message"].as_str().unwrap();
    assert!(message.contains("LLM_AUTH_CA_FILE"), "{message}");
}

#[test]
fn no_part_of_a_password_is_shown_however_the_proxy_is_written() {
    let user = User::new();
    for proxy in [
        "http://mia:made-up/x@proxy.example:3128",
        "http://mia:made-up#x@proxy.example:3128",
        "mia:made-up@proxy.example:3128",
        "mia:1234/made-up@proxy.example:3128",
        "garbage://mia:made-up@proxy.example",
    ] {
        let done = Done::of(
            user.command(&["doctor", "--offline", "--json"])
                .env("HTTPS_PROXY", proxy),
        );
        for secret in ["made-up", "mia", "1234"] {
            assert!(
                !done.out.contains(secret) && !done.err.contains(secret),
                "{proxy}: {done:?}"
            );
        }
    }
}

#[test]
fn an_unusable_proxy_is_reported_once_and_no_request_is_made() {
    let user = User::new();
    let done = Done::of(
        user.command(&["doctor", "qwen", "--json"])
            .env("ALL_PROXY", "garbage://proxy.example"),
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    assert_eq!(checks(&done, "proxy")[0]["status"], "fail");
    assert_eq!(checks(&done, "endpoints").len(), 1);
    assert!(checks(&done, "endpoint").is_empty());
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let user = User::new();
    let done = Done::of(
        user.command(&["doctor", "qwen", "--json"])
            .env("LLM_AUTH_QWEN_BASE_URL", "https://vendor.example")
            .env("HTTPS_PROXY", "http://127.0.0.1:1"),
    );
    let check = endpoint(&done, "qwen", "token endpoint");
    let advice = check["advice"].as_str().unwrap();
    assert!(
        advice
            .contains("check that the proxy http://127.0.0.1:1 (set by HTTPS_PROXY) is reachable")
    );
    assert_eq!(check["set_by"], "LLM_AUTH_QWEN_BASE_URL");
}
