use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Duration;

use llm_auth_testkit::{Fault, Operation};
use serde_json::{Value, json};

use crate::support::browser::browse;
use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn an_odd_interval_or_lifetime_neither_panics_nor_polls_too_fast() {
    for patch in [
        json!({"interval": 0.2}),
        json!({"interval": "1"}),
        json!({"verification_uri_complete": null}),
        json!({"expires_in": null}),
        json!({"expires_in": 1e18, "interval": 0.1}),
    ] {
        let user = User::new();
        user.kit
            .qwen()
            .fault(Operation::DeviceAuthorization, Fault::patch(patch.clone()));
        let done = user.run(&["login", "qwen"]);
        assert_eq!(done.code, Some(0), "{patch}: {done:?}");
        assert_eq!(user.kit.qwen().counters().too_fast, 0, "{patch}");
    }
}

#[test]
fn a_hostile_page_is_neither_shown_nor_opened() {
    for page in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://example.com/",
        "https://",
    ] {
        let user = User::new();
        let patch = json!({"verification_uri": page, "verification_uri_complete": null});
        user.kit
            .qwen()
            .fault(Operation::DeviceAuthorization, Fault::patch(patch));
        let done = user.run(&["login", "qwen"]);
        done.assert_failed(1, "verification URI");
        assert_eq!(user.kit.qwen().counters().polls, 0);
    }
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let user = User::new();
    let patch = json!({
        "user_code": "AB\u{1b}[31mCD\u{7}\r\n",
        "verification_uri": "https://example.com/\u{1b}]0;x\u{7}",
        "verification_uri_complete": null,
        "interval": 0.1,
        "expires_in": 1,
    });
    user.kit
        .qwen()
        .fault(Operation::DeviceAuthorization, Fault::patch(patch));
    let refusal = json!({"error": "access_denied", "error_description": "no\u{1b}[2J\u{202e}"});
    user.kit
        .qwen()
        .fault(Operation::Poll, Fault::response(400, refusal.to_string()));
    let done = user.run(&["login", "qwen"]);
    assert_eq!(done.code, Some(5), "{done:?}");
    let odd = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!done.err.contains(odd), "{done:?}");
}

#[test]
fn a_response_with_another_state_is_rejected() {
    let user = User::new();
    let patch = Fault::patch(json!({"state": "forged"}));
    user.kit
        .minimax()
        .fault(Operation::DeviceAuthorization, patch);
    user.run(&["login", "minimax"]).assert_failed(1, "state");
    assert_eq!(user.kit.minimax().counters().polls, 0);
}

#[test]
fn an_unrelated_request_never_ends_a_sign_in_at_the_browser() {
    let user = User::new();
    let mut child = user.start(&["login", "gemini", "--json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    lines.read_line(&mut seen).unwrap();
    let event: Value = serde_json::from_str(&seen).unwrap();
    let redirect_uri = event["redirect_uri"].as_str().unwrap();
    for probe in [
        "/favicon.ico",
        "",
        "?code=forged",
        "?code=forged&state=forged",
        "?error=access_denied&state=forged",
    ] {
        let place = if probe.starts_with('/') {
            redirect_uri.replace("/oauth2callback", probe)
        } else {
            format!("{redirect_uri}{probe}")
        };
        browse(&place);
    }
    browse(event["url"].as_str().unwrap());
    lines.read_to_string(&mut seen).unwrap();
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(seen.contains(r#""event":"ignored""#), "{seen}");
    assert!(!seen.contains("forged") && !done.err.contains("forged"));
    assert_eq!(user.kit.gemini().counters().exchanges, 1);
}

#[test]
fn server_errors_and_slow_down_during_the_wait_do_not_end_a_login() {
    let user = User::new();
    let qwen = user.kit.qwen();
    qwen.set_slow_down_step(Duration::ZERO);
    qwen.fault(
        Operation::Poll,
        Fault::response(502, "<html>bad gateway</html>"),
    );
    qwen.fault(Operation::Poll, Fault::reset());
    qwen.fault(
        Operation::Poll,
        Fault::response(400, r#"{"error":"authorization_pending"}"#),
    );
    let done = user.run(&["login", "qwen", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let trouble = done
        .events()
        .iter()
        .filter(|event| event["event"] == "trouble")
        .count();
    assert_eq!(trouble, 2, "{done:?}");
}

#[test]
fn a_firewall_page_in_place_of_a_code_is_temporary() {
    let user = User::new();
    user.kit
        .qwen()
        .fault(Operation::DeviceAuthorization, Fault::html());
    user.run(&["login", "qwen"]).assert_failed(4, "127.0.0.1");
}

#[test]
fn an_endpoint_that_has_moved_is_named_and_not_followed() {
    let user = User::new();
    let moved = Fault::response(307, "").header("Location", "/elsewhere");
    user.kit
        .minimax()
        .fault(Operation::DeviceAuthorization, moved);
    user.run(&["login", "minimax"])
        .assert_failed(1, "/elsewhere");
}

#[test]
fn an_access_token_that_no_header_carries_is_refused_where_it_arrives_and_no_session_is_lost() {
    let user = User::new();
    for access in ["made up", " made-up", "made\u{1}up", "made\nup"] {
        let patch = Fault::patch(json!({"access_token": access}));
        user.kit.qwen().fault(Operation::Poll, patch);
        let done = user.run(&["login", "qwen"]);
        done.assert_failed(1, "no Authorization header can carry");
        assert!(!user.file("qwen", "default").exists());
    }
    user.sign_in(&["qwen"]);
    let before = user.stored("qwen");
    let patch = Fault::patch(json!({"access_token": "made up"}));
    user.kit.qwen().fault(Operation::Refresh, patch);
    let done = user.run(&["token", "qwen", "--force-refresh"]);
    assert_ne!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.contains("no Authorization header can carry"),
        "{done:?}"
    );
    let after = user.stored("qwen");
    assert_eq!(
        (&after["access"], &after["refresh"]),
        (&before["access"], &before["refresh"])
    );
}
