//! What one unusual response does to a session, and what the command prints about it.

use llm_auth_testkit::{Approval, Fault, Operation};
use serde_json::json;

use crate::support::done::Done;
use crate::support::user::User;

/// Every refresh gets this.
fn refuses(user: &User, status: u16, body: &str) {
    let fault = Fault::response(status, body).times(99);
    user.kit.qwen().fault(Operation::Refresh, fault);
}

#[test]
fn a_rejection_that_is_no_oauth_error_is_reported_and_the_next_call_retries() {
    for (status, body) in [
        (400, "Refresh token expired"),
        (400, "<html>blocked</html>"),
        (400, ""),
        (401, r#"{"error":"Unauthorized"}"#),
        (401, r#"{"message":"who are you"}"#),
    ] {
        let user = User::with_expired_session("qwen");
        let fault = Fault::response(status, body).times(2);
        user.kit.qwen().fault(Operation::Refresh, fault);
        user.run(&["token", "qwen"]).assert_failed(3, "127.0.0.1");
        user.run(&["token", "qwen", "--force-refresh"])
            .assert_failed(3, "127.0.0.1");
        assert_eq!(
            user.stored("qwen")["llm_auth"].get("refused"),
            None,
            "{body}"
        );
        let done = user.run(&["token", "qwen"]);
        assert_eq!(done.code, Some(0), "{status} {body}: {done:?}");
    }
}

#[test]
fn an_oauth_error_is_remembered() {
    let user = User::with_expired_session("qwen");
    refuses(&user, 400, r#"{"error":"invalid_grant"}"#);
    for _ in 0..2 {
        user.run(&["token", "qwen"])
            .assert_failed(3, "invalid_grant");
    }
    assert!(user.stored("qwen")["llm_auth"]["refused"].is_object());
}

#[test]
fn after_a_2xx_response_a_refresh_token_is_not_sent_again_by_the_same_call() {
    for (fault, code) in [
        (Fault::response(200, "not json"), 3),
        (Fault::response(204, ""), 3),
        (
            Fault::response(200, "?").header("Content-Encoding", "br"),
            3,
        ),
        (
            Fault::response(200, "?").header("Content-Encoding", "gzip"),
            3,
        ),
        // These come from something in between, or may come whole if asked once more.
        (Fault::html(), 4),
        (Fault::truncated_body().before(), 4),
        (Fault::garbage_chunks(), 4),
        (Fault::huge_body(), 4),
    ] {
        let user = User::with_expired_session("qwen");
        let seen = user.kit.qwen().counters().faults;
        user.kit
            .qwen()
            .fault(Operation::Refresh, fault.clone().times(9));
        let done = user.run(&["token", "qwen"]);
        assert_eq!(done.code, Some(code), "{fault:?}: {done:?}");
        let asked = || user.kit.qwen().counters().faults - seen;
        assert_eq!(asked(), 1, "{fault:?}");
        if code == 3 {
            // Nor by another call, unless the user demands it.
            user.run(&["token", "qwen"])
                .assert_failed(3, "not sent again");
            assert_eq!(asked(), 1, "{fault:?}");
            user.run(&["token", "qwen", "--force-refresh"]);
            assert_eq!(asked(), 2, "{fault:?}");
        }
    }
}

#[test]
fn after_a_2xx_response_no_code_is_sent_again() {
    for fault in [
        Fault::response(200, "not json"),
        Fault::response(200, "?").header("Content-Encoding", "zstd"),
        Fault::truncated_body(),
        Fault::garbage_chunks(),
    ] {
        let user = User::new();
        user.kit
            .qwen()
            .fault(Operation::Poll, fault.clone().times(9));
        let done = user.run(&["login", "qwen"]);
        assert_eq!(done.code, Some(4), "{fault:?}: {done:?}");
        assert_eq!(user.kit.qwen().counters().faults, 1, "{fault:?}");
        user.kit
            .gemini()
            .fault(Operation::Exchange, fault.clone().times(9));
        let done = user.sign_in_with_browser(&["login", "gemini", "--json"]);
        assert_eq!(done.code, Some(4), "{fault:?}: {done:?}");
        assert_eq!(user.kit.gemini().counters().faults, 1, "{fault:?}");
    }
}

#[test]
fn a_false_content_encoding_does_not_lose_the_new_tokens() {
    let user = User::with_expired_session("qwen");
    user.kit
        .qwen()
        .fault(Operation::Refresh, Fault::false_gzip());
    let done = user.run(&["token", "qwen"]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_sign_in_that_times_out_during_server_errors_does_not_blame_the_user() {
    for (fault, code, printed) in [
        (Fault::response(503, "busy"), 4, "127.0.0.1"),
        (Fault::response(429, "slow"), 4, "127.0.0.1"),
        (Fault::html(), 4, "web page"),
        (
            Fault::response(400, r#"{"error":"authorization_pending"}"#),
            5,
            "was not approved",
        ),
    ] {
        let user = User::with(Approval::Manual);
        let lifetime = Fault::patch(json!({"expires_in": 1, "interval": 0.1}));
        user.kit
            .qwen()
            .fault(Operation::DeviceAuthorization, lifetime);
        user.kit.qwen().fault(Operation::Poll, fault.times(99));
        user.run(&["login", "qwen"]).assert_failed(code, printed);
    }
}

#[test]
fn a_server_that_echoes_an_encoded_secret_is_not_quoted() {
    let secret = User::with_expired_session("qwen").stored("qwen")["refresh"]
        .as_str()
        .unwrap()
        .to_owned();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let escaped: String = secret
        .bytes()
        .map(|byte| format!("\\u{byte:04x}"))
        .collect();
    for echo in [
        secret.to_uppercase(),
        percent,
        escaped.clone(),
        escaped.replace('\\', "\\\\"),
        secret[secret.len() - 12..].to_owned(),
        format!("grant_type=refresh_token&refresh_token={secret}"),
    ] {
        for body in [
            format!(r#"{{"error":"invalid_grant","error_description":"no {echo} zzmarker"}}"#),
            format!(r#"{{"error":"no {echo} zzmarker"}}"#),
        ] {
            let user = User::with_expired_session("qwen");
            let mut session = user.stored("qwen");
            session["refresh"] = secret.as_str().into();
            std::fs::write(user.file("qwen", "default"), session.to_string()).unwrap();
            refuses(&user, 400, &body);
            let shown = [
                user.run(&["token", "qwen", "--json", "-vv"]),
                user.run(&["status"]),
                user.run(&["status", "--json"]),
            ];
            assert_eq!(shown[0].code, Some(3), "{shown:?}");
            let mut printed: String = shown
                .iter()
                .map(|Done { out, err, .. }| format!("{out}{err}"))
                .collect();
            printed.push_str(&user.stored("qwen")["llm_auth"].to_string());
            assert!(printed.contains("not shown"), "{printed}");
            assert!(!printed.contains("zzmarker"), "{echo} is in:\n{printed}");
        }
    }
}

#[test]
fn a_token_file_cannot_break_a_header_or_a_terminal() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.file("qwen", "default");
    let good = user.stored("qwen");
    for access in [
        "made-up\nX-Evil: 1",
        "made\u{0}up",
        "made-\u{ad}up",
        "mad\u{e9}",
    ] {
        let mut session = good.clone();
        session["access"] = access.into();
        std::fs::write(&file, session.to_string()).unwrap();
        for args in [
            &["token", "qwen"][..],
            &["token", "qwen", "--json"],
            &["exec", "qwen", "--", "true"],
        ] {
            let done = user.run(args);
            done.assert_failed(1, "access token");
            assert!(!done.out.contains(access), "{done:?}");
        }
    }
    let mut session = good;
    session["scope"] = format!("a\u{1b}[2J\u{ad}\u{3164}\u{e0041}{}", "b".repeat(900_000)).into();
    std::fs::write(&file, session.to_string()).unwrap();
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["token", "qwen", "--json"],
    ] {
        let done = user.run(args);
        assert_eq!(done.code, Some(0), "{done:?}");
        let odd = |c: char| (c.is_control() && c != '\n') || "\u{ad}\u{3164}\u{e0041}".contains(c);
        assert!(!done.out.contains(odd), "{args:?}");
        assert!(done.out.len() < 20_000, "{args:?}: {}", done.out.len());
    }
}
