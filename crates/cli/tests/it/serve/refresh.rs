//! The session behind a proxy is refreshed when it must be, once.

use std::time::Instant;

use llm_auth_testkit::{Fault, Operation};

use super::client::Request;
use super::process::{Proxy, chat, message};
use super::upstream::Upstream;
use crate::support::user::User;
use crate::support::wait::PATIENCE;

#[test]
fn two_hundred_clients_of_an_expired_session_cause_one_refresh() {
    let user = User::with_expired_session("qwen");
    let proxy = Proxy::start(&user, &["qwen"]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..200)
            .map(|_| scope.spawn(|| proxy.send(chat("qwen", false)).status))
            .collect();
        let clients = clients.into_iter();
        clients.map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 200]);
    let seen = user.kit.qwen().counters();
    assert_eq!((seen.refreshes, seen.chats_refused, seen.reuse), (1, 0, 0));
}

#[test]
fn a_token_that_is_killed_in_mid_run_is_refreshed_and_the_request_sent_again() {
    for (provider, request) in [
        ("qwen", chat("qwen", true)),
        ("minimax", message("minimax")),
    ] {
        let user = User::new();
        user.sign_in(&[provider]);
        let kit = match provider {
            "qwen" => user.kit.qwen(),
            _ => user.kit.minimax(),
        };
        let proxy = Proxy::start(&user, &[provider]);
        assert_eq!(proxy.send(request.clone()).status, 200);
        for _ in 0..2 {
            kit.expire_access_tokens();
            let response = proxy.send(request.clone());
            assert_eq!(response.status, 200, "{response:?}");
            assert!(response.body.contains("one"), "{response:?}");
        }
        let seen = kit.counters();
        assert_eq!((seen.refreshes, seen.chats_ok), (2, 3), "{provider}");
        assert_eq!(seen.chats_refused, 2, "{provider}");
    }
}

/// MiniMax refuses with the status 200.
#[test]
fn a_refusal_in_the_body_of_a_success_is_one_too() {
    let user = User::new();
    user.sign_in(&["minimax"]);
    let proxy = Proxy::start(&user, &["minimax"]);
    let minimax = user.kit.minimax();
    let refusal = r#"{"base_resp": {"status_code": 1004, "status_msg": "not login"}}"#;
    minimax.fault(Operation::Chat, Fault::response(200, refusal));
    let response = proxy.send(message("minimax"));
    assert!(response.body.contains("one two three"), "{response:?}");
    assert_eq!(minimax.counters().refreshes, 1);
}

#[test]
fn tokens_that_end_in_mid_run_are_refreshed_before_they_are_refused() {
    let user = User::new();
    let qwen = user.kit.qwen();
    qwen.set_access_lifetime(std::time::Duration::from_secs(2));
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    while qwen.counters().refreshes < 2 {
        let response = proxy.send(chat("qwen", false));
        assert_eq!(response.status, 200, "{response:?}");
    }
    assert_eq!(qwen.counters().chats_refused, 0);
}

#[test]
fn an_api_that_refuses_for_ever_causes_one_refresh_and_its_refusal_is_passed_on() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen", "--metrics"]);
    let qwen = user.kit.qwen();
    let refusal = r#"{"error": {"message": "made-up refusal", "code": "invalid_api_key"}}"#;
    qwen.fault(Operation::Chat, Fault::response(401, refusal).times(100));
    for _ in 0..3 {
        let response = proxy.send(chat("qwen", false));
        assert_eq!((response.status, response.body.as_str()), (401, refusal));
    }
    let seen = qwen.counters();
    // The first was sent twice; a fresh token that was refused is not refreshed for each request.
    assert_eq!((seen.refreshes, qwen.faults_left()), (1, 1));
    assert_eq!(seen.faults, 4);
    let metrics = proxy.send(Request::get("/metrics")).body;
    for line in [
        "llm_auth_proxy_responses_total{session=\"qwen\",status=\"401\"} 3\n",
        "llm_auth_proxy_refusals_total{session=\"qwen\"} 4\n",
        "llm_auth_proxy_refreshes_total{session=\"qwen\"} 1\n",
        "llm_auth_proxy_retries_total{session=\"qwen\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    let stored = user.stored("qwen");
    for secret in [proxy.key(), stored["access"].as_str().unwrap()] {
        assert!(!metrics.contains(secret), "{metrics}");
    }
}

#[test]
fn a_refused_upload_that_was_too_long_to_keep_is_not_sent_again() {
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(9 * 1024 * 1024));
    let refusal = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
    let upstream = Upstream::start(refusal);
    let user = upstream.user();
    let proxy = Proxy::start(&user, &["qwen"]);
    let response = proxy.send(Request::post("/qwen/x", &body));
    assert_eq!((response.status, response.body.as_str()), (401, "no"));
    assert_eq!(upstream.requests().len(), 1);
    // The next request has a fresh token, and is short enough.
    assert_eq!(user.kit.qwen().counters().refreshes, 1);
    let response = proxy.send(Request::post("/qwen/x", "{}"));
    assert_eq!(response.status, 401);
}

#[test]
fn a_session_that_is_over_names_the_sign_in_and_works_again_after_it() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    user.kit.qwen().revoke_families();
    for _ in 0..2 {
        let response = proxy.send(chat("qwen", false));
        response.assert_refused(401, "sign_in_required", "llm-auth login qwen");
    }
    user.sign_in(&["qwen"]);
    assert_eq!(proxy.send(chat("qwen", false)).status, 200);
}

#[test]
fn a_token_server_in_trouble_is_a_temporary_failure() {
    let user = User::with_expired_session("qwen");
    let proxy = Proxy::start(&user, &["qwen", "--timeout", "5"]);
    let trouble = Fault::response(503, "made-up").header("Retry-After", "3600");
    user.kit.qwen().fault(Operation::Refresh, trouble.times(9));
    let response = proxy.send(chat("qwen", false));
    response.assert_refused(503, "temporary", "send the request again");
    assert!(!response.body.contains("made-up"), "{response:?}");
}

#[test]
fn a_sign_out_ends_the_session_of_a_running_proxy_and_a_sign_in_brings_it_back() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let proxy = Proxy::start(&user, &["qwen"]);
    assert_eq!(proxy.send(chat("qwen", false)).status, 200);
    let until = |status: u16| {
        let end = Instant::now() + PATIENCE;
        while proxy.send(chat("qwen", false)).status != status {
            assert!(Instant::now() < end, "the proxy does not look at the store");
        }
    };
    assert_eq!(user.run(&["logout", "qwen"]).code, Some(0));
    until(401);
    let refused = proxy.send(chat("qwen", false));
    refused.assert_refused(401, "sign_in_required", "llm-auth login qwen");
    user.sign_in(&["qwen"]);
    until(200);
}
