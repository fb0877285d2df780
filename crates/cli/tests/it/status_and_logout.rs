use llm_auth_testkit::{Fault, Operation};

use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn status_without_a_session_is_no_error() {
    let user = User::new();
    let done = user.run(&["status"]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""));
    assert!(done.err.contains("not signed in"), "{done:?}");
    let json = user.run(&["status", "--json"]).json();
    assert_eq!(
        json,
        serde_json::json!({"v": 1, "sessions": [], "servers": []})
    );
}

#[test]
fn status_shows_every_session_and_sends_nothing() {
    let user = User::new();
    user.sign_in(&["gemini"]);
    user.sign_in(&["minimax"]);
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    user.expire("minimax");
    std::fs::write(user.file("qwen", "default"), "garbage").unwrap();
    let before = user.kit.qwen().counters();
    let done = user.run(&["status", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(user.kit.qwen().counters(), before);
    let report = done.json();
    let rows: Vec<_> = report["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("vendor"), text("account"), text("state"))
        })
        .collect();
    let row = |provider: &str, account: &str, state: &str| {
        (provider.to_owned(), account.to_owned(), state.to_owned())
    };
    assert_eq!(
        rows,
        [
            row("gemini", "default", "valid"),
            row("minimax", "default", "renewable"),
            row("qwen", "default", "unreadable"),
            row("qwen", "work", "valid"),
        ]
    );
    assert!(
        report["sessions"][2]["error"]
            .as_str()
            .unwrap()
            .contains("default.json")
    );
    for provider in ["gemini", "minimax"] {
        let stored = user.stored(provider);
        assert!(!done.out.contains(stored["access"].as_str().unwrap()));
        assert!(!done.out.contains(stored["refresh"].as_str().unwrap()));
    }
    let only = user
        .run(&["status", "qwen", "--account", "work", "--json"])
        .json();
    assert_eq!(only["sessions"].as_array().unwrap().len(), 1);
    let shown = user.run(&["status"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let blocks: Vec<_> = shown.out.split("\n\n").collect();
    assert_eq!(blocks.len(), 4, "{shown:?}");
    assert!(
        blocks[0].starts_with("gemini  default  (current)  person@testkit.example\n"),
        "{shown:?}"
    );
    assert!(blocks[1].contains("expired") && blocks[1].contains("the next `token` refreshes it"));
    assert!(blocks[2].contains("unreadable") && blocks[2].contains("→ inspect the file"));
    assert!(blocks[3].starts_with("qwen  work\n"), "{shown:?}");
}

#[test]
fn a_rejected_session_is_shown_as_refused() {
    let user = User::with_expired_session("qwen");
    user.kit.qwen().revoke_families();
    assert_eq!(user.run(&["token", "qwen"]).code, Some(3));
    let row = user.run(&["status", "--json"]).json()["sessions"][0].clone();
    assert_eq!(
        (&row["state"], &row["refused"]),
        (&"refused".into(), &true.into())
    );
    let shown = user.run(&["status"]);
    let advice = "→ sign in again with `llm-auth login qwen --account default`";
    assert!(shown.out.contains(advice), "{shown:?}");
    assert!(shown.out.contains("last refresh  failed"), "{shown:?}");
}

#[test]
fn a_session_of_a_server_that_is_not_configured_any_more_can_be_removed() {
    let user = User::new();
    user.sign_in(&["gemini"]);
    let mut command = user.command(&["logout", "gemini", "--json"]);
    command.env_remove("LLM_AUTH_GEMINI_BASE_URL");
    let done = Done::of(&mut command);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.json()["revocation"], "not_confirmed", "{done:?}");
    assert!(!user.file("gemini", "default").exists());
    assert_eq!(user.kit.gemini().counters().revocations, 0);
}

#[test]
fn logout_revokes_at_the_provider_if_possible_and_removes_the_session() {
    let user = User::new();
    for (provider, printed) in [
        ("qwen", "does not support revocation"),
        ("minimax", "does not support revocation"),
        ("gemini", "confirmed"),
    ] {
        user.sign_in(&[provider]);
        let done = user.run(&["logout", provider]);
        assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{done:?}");
        assert!(done.err.contains(printed), "{done:?}");
        assert!(!user.file(provider, "default").exists());
        assert_eq!(user.run(&["token", provider]).code, Some(3));
        let again = user.run(&["logout", provider]);
        assert_eq!(again.code, Some(0));
        assert!(again.err.contains("not signed in"), "{again:?}");
    }
    let seen = user.kit.gemini().counters();
    assert_eq!((seen.revocations, seen.families_live), (1, 0));
}

#[test]
fn a_provider_that_does_not_confirm_does_not_stop_a_logout() {
    let user = User::new();
    user.sign_in(&["gemini"]);
    user.kit
        .gemini()
        .fault(Operation::Revocation, Fault::response(503, "busy").times(9));
    let done = user.run(&["logout", "gemini", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("did not confirm"), "{done:?}");
    assert_eq!(done.json()["revocation"], "not_confirmed");
    assert!(!user.file("gemini", "default").exists());
}

#[test]
fn a_logout_removes_the_session_here_whatever_the_provider_responds() {
    for refusal in [
        Fault::response(503, "busy").times(9),
        Fault::response(400, "{\"error\":\"invalid_token\"}").times(9),
        Fault::response(200, "<html>sign in to the network</html>").times(9),
        Fault::drop_connection().times(9),
    ] {
        let user = User::new();
        user.sign_in(&["gemini"]);
        let shown = format!("{refusal:?}");
        user.kit.gemini().fault(Operation::Revocation, refusal);
        let done = user.run(&["logout", "gemini", "--json"]);
        assert_eq!(done.code, Some(0), "{shown}: {done:?}");
        assert!(!user.file("gemini", "default").exists(), "{shown}");
        let printed = done.json()["revocation"].clone();
        assert!(
            ["confirmed", "not_confirmed"].contains(&printed.as_str().unwrap()),
            "{shown}: {printed}"
        );
    }
}

#[test]
fn offline_a_logout_removes_the_session_here_and_reports_that_it_is_not_confirmed() {
    let user = User::new();
    user.sign_in(&["gemini"]);
    let done = Done::of(
        user.command(&["logout", "gemini", "--trust-endpoint", "127.0.0.1:1"])
            .env(
                "LLM_AUTH_GEMINI_REVOCATION_ENDPOINT",
                "http://127.0.0.1:1/revoke",
            ),
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.contains("did not confirm") && done.err.contains("cannot connect"),
        "{done:?}"
    );
    assert!(!user.file("gemini", "default").exists());
}

#[test]
fn a_file_that_another_provider_wrote_does_not_pass_a_check() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.file("qwen", "default");
    let file = file.to_str().unwrap();
    let check = |provider| user.run(&["status", provider, "--check", "--store", file]);
    assert_eq!(check("qwen").code, Some(0));
    let done = check("gemini");
    done.assert_failed(3, "is not used");
    let advised = format!("`llm-auth login gemini --store {file}`");
    assert!(done.err.contains(&advised), "{done:?}");
}
