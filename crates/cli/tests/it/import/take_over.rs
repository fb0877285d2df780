//! What `--take-over` stores, and what it rejects.

use std::fs;

use serde_json::{Value, json};

use super::{FAR, qwen_code, qwen_code_signed_in, write};
use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn a_session_that_is_stored_is_never_replaced_by_a_copy() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let before = fs::read(user.file("qwen", "default")).unwrap();
    qwen_code_signed_in(&user);
    let done = user.run(&["import", "qwen-code", "--take-over"]);
    done.assert_failed(1, "a session already exists");
    assert!(done.err.contains("--account"), "{done:?}");
    assert_eq!(fs::read(user.file("qwen", "default")).unwrap(), before);
    let done = user.run(&["import", "qwen-code", "--take-over", "--account", "second"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(user.file("qwen", "second").exists());
}

#[test]
fn one_refresh_token_has_one_owner_among_our_accounts_too() {
    let user = User::new();
    qwen_code_signed_in(&user);
    let import_session =
        |account| user.run(&["import", "qwen-code", "--take-over", "--account", account]);
    assert_eq!(import_session("a").code, Some(0));
    import_session("b").assert_failed(1, "qwen (a): this account already contains the session");
    assert!(!user.file("qwen", "b").exists());
}

#[test]
fn of_two_imports_at_once_one_stores_its_session() {
    for _ in 0..8 {
        let user = User::new();
        let files = ["one", "two"].map(|name| {
            let tokens = qwen_code(&format!("made-up-{name}"), "made-up-refresh", FAR);
            write(&user, &format!("{name}.json"), &tokens)
        });
        let started = files.each_ref().map(|file| {
            let file = file.to_str().unwrap();
            user.start(&["import", "qwen-code", "--file", file, "--take-over"])
        });
        let codes = started.map(|child| Done::from(child.wait_with_output().unwrap()).code);
        assert!(
            codes == [Some(0), Some(1)] || codes == [Some(1), Some(0)],
            "{codes:?}"
        );
        let kept = if codes[0] == Some(0) { "one" } else { "two" };
        assert_eq!(user.stored("qwen")["access"], format!("made-up-{kept}"));
    }
}

#[test]
fn an_imported_file_of_ours_keeps_its_server_and_loses_its_unverified_identity() {
    let user = User::new();
    let session = json!({
        "access": "made-up-access",
        "refresh": "made-up-refresh",
        "expires": FAR,
        "resourceUrl": "https://api.minimaxi.com/anthropic",
        "llm_auth": {
            "provider": "minimax",
            "identity": "boss@example.com\u{1b}]0;made-up\u{7}",
            "server": "relay.example",
            "context": {"region": "cn", "dialect": "mcode", "client_id": "mine"},
        },
    });
    let file = write(&user, "theirs.json", &session);
    let file = file.to_str().unwrap();
    let look = user.run(&["import", "gochat", "--file", file]);
    assert!(look.out.contains("boss@example.com"), "{look:?}");
    assert!(!look.out.contains('\u{1b}'), "{look:?}");
    let done = user.run(&["import", "gochat", "--file", file, "--take-over"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let ours = user.stored("minimax")["llm_auth"].clone();
    assert_eq!(ours["identity"], Value::Null);
    assert_eq!(ours["server"], "relay.example");
    assert_eq!(
        (&ours["context"]["region"], &ours["context"]["client_id"]),
        (&"cn".into(), &"mine".into())
    );
}

#[test]
fn a_session_of_one_user_is_not_stored_under_the_name_of_another() {
    let user = User::new();
    let session = json!({
        "access": "made-up-access",
        "refresh": "made-up-refresh",
        "expires": FAR,
        "llm_auth": {"provider": "qwen", "identity": "mia@example.com"},
    });
    let file = write(&user, "theirs.json", &session);
    let args = [
        "import",
        "gochat",
        "--take-over",
        "--file",
        file.to_str().unwrap(),
    ];
    let import = |account: &str| user.run(&[&args[..], &["--account", account]].concat());
    let done = import("tom@example.com");
    done.assert_failed(1, "the session belongs to mia@example.com");
    assert!(done.err.contains("--account mia@example.com"), "{done:?}");
    assert!(!user.file("qwen", "tom@example.com").exists());
    assert_eq!(import("Mia@example.com").code, Some(0));
}

#[test]
fn a_new_sign_in_leaves_the_other_program_s_session_alone() {
    let user = User::new();
    let file = qwen_code_signed_in(&user);
    let before = fs::read(&file).unwrap();
    let done = user.run(&["import", "qwen-code", "--sign-in"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_ne!(user.stored("qwen")["access"], "made-up-access");
    assert_eq!(fs::read(&file).unwrap(), before);
}
