//! Files of the Go original, gochat, shared with this command.

use std::path::PathBuf;

use llm_auth_testkit::{Fault, Operation};
use serde_json::{Value, json};

use crate::support::session_file::{expire, read};
use crate::support::user::User;

const QWEN: &str = include_str!("../data/gochat-qwen.json");
const MINIMAX: &str = include_str!("../data/gochat-minimax.json");
const GEMINI: &str = include_str!("../data/gochat-gemini-no-refresh.json");

fn shared(user: &User, content: &str) -> PathBuf {
    let file = user.directory.path().join("shared.json");
    std::fs::write(&file, content).unwrap();
    file
}

/// What Go's decoder of gochat's `OAuthToken` needs: these members, of these types.
fn assert_go_reads(session: &Value) {
    assert!(session["access"].is_string(), "{session}");
    assert!(session["refresh"].is_string(), "{session}");
    assert!(
        session["expires"].is_i64() || session["expires"].is_u64(),
        "{session}"
    );
    for optional in ["resourceUrl", "notification_message"] {
        let member = session.get(optional);
        assert!(member.is_none_or(Value::is_string), "{session}");
    }
}

#[test]
fn a_valid_file_of_gochat_is_used_and_not_touched() {
    for (provider, content) in [("qwen", QWEN), ("minimax", MINIMAX)] {
        let user = User::new();
        let file = shared(&user, content);
        let done = user.run(&["token", provider, "--store", file.to_str().unwrap()]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(done.out.trim_end(), read(&file)["access"]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    }
}

#[test]
fn a_refreshed_file_of_gochat_keeps_its_members_and_types() {
    for (provider, content) in [("qwen", QWEN), ("minimax", MINIMAX)] {
        let user = User::new();
        let file = shared(&user, content);
        let before = read(&file);
        expire(&file);
        let response = json!({
            "status": "success",
            "access_token": "new-access+/=&",
            "expires_in": 3600,
            "expired_in": 3600,
        });
        let kit = if provider == "qwen" {
            user.kit.qwen()
        } else {
            user.kit.minimax()
        };
        kit.fault(
            Operation::Refresh,
            Fault::response(200, response.to_string()),
        );
        let done = user.run(&["token", provider, "--store", file.to_str().unwrap()]);
        assert_eq!(
            (done.code, done.out.as_str()),
            (Some(0), "new-access+/=&\n"),
            "{done:?}"
        );
        let after = read(&file);
        assert_go_reads(&after);
        assert_eq!(after["access"], "new-access+/=&");
        for kept in ["refresh", "resourceUrl", "notification_message"] {
            assert_eq!(after.get(kept), before.get(kept), "{provider}: {kept}");
        }
    }
}

#[test]
fn an_expired_file_without_a_refresh_token_asks_for_a_sign_in_and_stays() {
    let user = User::new();
    let file = shared(&user, GEMINI);
    let done = user.run(&["token", "gemini", "--store", file.to_str().unwrap()]);
    done.assert_failed(3, "no refresh token");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), GEMINI);
}

#[test]
fn a_sign_in_over_a_file_of_gochat_keeps_unknown_members() {
    let user = User::new();
    let mut session: Value = serde_json::from_str(QWEN).unwrap();
    session["of_a_newer_gochat"] = json!({"x": [1]});
    let file = shared(&user, &session.to_string());
    user.sign_in(&["qwen", "--store", file.to_str().unwrap()]);
    let after = read(&file);
    assert_go_reads(&after);
    assert_eq!(after["of_a_newer_gochat"], json!({"x": [1]}));
    assert_ne!(after["access"], session["access"]);
}

#[test]
fn a_sign_in_gives_the_expired_file_a_refresh_token() {
    let user = User::new();
    let file = shared(&user, GEMINI);
    let place = file.to_str().unwrap();
    user.sign_in(&["gemini", "--store", place]);
    expire(&file);
    let done = user.run(&["token", "gemini", "--store", place]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let after = read(&file);
    assert_go_reads(&after);
    assert_eq!(done.out.trim_end(), after["access"]);
}
