//! Which account a command means, and `llm-auth switch`.

use std::fs;

use serde_json::{Value, json};

use super::{accounts, row, sign_in_as};
use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

#[test]
fn the_only_account_is_used_without_a_flag() {
    let user = User::new();
    user.sign_in(&["qwen", "--account", "work"]);
    let token = user.run(&["token", "qwen"]);
    let stored = read(&user.file("qwen", "work"));
    assert_eq!(token.out.trim_end(), stored["access"].as_str().unwrap());
    assert_eq!(accounts(&user), [("work".to_owned(), None, true)]);
    user.sign_in(&["qwen", "--account", "home"]);
    // With two accounts and no choice made, the command guesses neither.
    user.run(&["token", "qwen"])
        .assert_failed(2, "name one of the accounts at Qwen: home, work");
    assert_eq!(user.run(&["switch", "qwen", "WORK"]).code, Some(0));
    assert_eq!(user.run(&["token", "qwen"]).out, token.out);
    let with_home = |args: &[&str]| {
        let mut command = user.command(args);
        command.env("LLM_AUTH_QWEN_ACCOUNT", "home");
        Done::of(&mut command)
    };
    assert_ne!(with_home(&["token", "qwen"]).out, token.out);
    assert!(with_home(&["accounts"]).out.starts_with("* qwen     home"));
}

#[test]
fn an_address_as_account_means_that_user() {
    let user = User::new();
    sign_in_as(&user, "mia@example.com", &[]);
    let mias = fs::read(user.file("gemini", "default")).unwrap();
    sign_in_as(&user, "tom@example.com", &["--account", "mia@example.com"]);
    assert_eq!(fs::read(user.file("gemini", "default")).unwrap(), mias);
    assert_eq!(
        accounts(&user),
        [
            row("default", "mia@example.com", false),
            row("tom@example.com", "tom@example.com", true)
        ]
    );
    let report = user.run(&[
        "doctor",
        "--offline",
        "--account",
        "MIA@example.com",
        "--json",
    ]);
    assert!(report.out.contains("\"valid\":1"), "{report:?}");
}

#[test]
fn a_sign_out_of_the_current_account_prints_the_new_current_one() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    user.run(&["switch", "qwen", "work"]);
    let done = user.run(&["logout", "qwen", "--account", "work", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.json()["current"], "default");
    assert!(done.err.contains("account is now default"), "{done:?}");
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
    // Of one that was not the current one nothing changes.
    user.sign_in(&["qwen", "--account", "other"]);
    let done = user.run(&["logout", "qwen", "--account", "other", "--json"]);
    assert_eq!(done.json()["current"], Value::Null);
    assert_eq!(accounts(&user), [("default".to_owned(), None, true)]);
}

#[test]
fn two_switches_at_once_both_take_effect() {
    let user = User::new();
    for provider in ["qwen", "minimax"] {
        user.sign_in(&[provider, "--account", "a"]);
        user.sign_in(&[provider, "--account", "b"]);
    }
    for account in ["a", "b", "a", "b", "a", "b"] {
        let both = ["qwen", "minimax"].map(|provider| user.start(&["switch", provider, account]));
        for child in both {
            let done = Done::from(child.wait_with_output().unwrap());
            assert_eq!(done.code, Some(0), "{done:?}");
        }
        let settings = read(&user.directory.path().join("home/settings.json"));
        assert_eq!(
            settings["current"],
            json!({"qwen": account, "minimax": account})
        );
    }
}

#[test]
fn an_account_is_found_by_the_identity_of_its_owner() {
    let user = User::new();
    sign_in_as(&user, "mia@example.com", &["--account", "work"]);
    let token = user.run(&["token", "gemini", "--account", "MIA@example.com"]);
    assert_eq!(token.code, Some(0), "{token:?}");
    let stored = read(&user.file("gemini", "work"));
    assert_eq!(token.out.trim_end(), stored["access"].as_str().unwrap());
    let done = user.run(&["logout", "gemini", "--account", "mia@example.com"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!user.file("gemini", "work").exists());
}

#[test]
fn the_current_account_is_used_without_a_flag() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    let access = |account: &str| {
        read(&user.file("qwen", account))["access"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let token = || user.run(&["token", "qwen"]).out.trim_end().to_owned();
    assert_eq!(token(), access("default"));
    let done = user.run(&["switch", "qwen", "work"]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{done:?}");
    assert_eq!(token(), access("work"));
    // Of two, the other one.
    assert_eq!(user.run(&["switch", "qwen"]).code, Some(0));
    assert_eq!(token(), access("default"));
    assert_eq!(
        user.run(&["switch", "qwen", "--json"]).json()["account"],
        "work"
    );
    // What was current is signed out: back to the default.
    assert_eq!(user.run(&["logout", "qwen"]).code, Some(0));
    assert!(!user.file("qwen", "work").exists());
    assert_eq!(token(), access("default"));
}

#[test]
fn a_missing_account_cannot_become_the_current_one() {
    let user = User::new();
    user.run(&["switch", "qwen", "work"])
        .assert_failed(3, "not signed in");
    user.sign_in(&["qwen"]);
    user.run(&["switch", "qwen", "work"])
        .assert_failed(2, "there is no account work at Qwen");
    assert!(!user.directory.path().join("home/settings.json").exists());
    assert_eq!(user.run(&["switch", "qwen"]).code, Some(0));
}

#[test]
fn corrupt_settings_are_named_and_stop_only_commands_that_need_them() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.directory.path().join("home/settings.json");
    for broken in ["{\"v\":1,\"current\":7}", "{", "[]"] {
        fs::write(&file, broken).unwrap();
        // It is the only account.
        let done = user.run(&["token", "qwen"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        user.sign_in(&["qwen"]);
    }
    user.sign_in(&["minimax"]);
    user.run(&["logout", "minimax"]);
    user.sign_in(&["minimax", "--account", "work"]);
    user.sign_in(&["minimax", "--account", "default"]);
    user.run(&["token", "minimax"])
        .assert_failed(1, "settings.json");
    let done = user.run(&["token", "minimax", "--account", "work"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    // What is wrong for one provider is right for another.
    fs::write(&file, r#"{"current":{"minimax":7,"qwen":"default"}}"#).unwrap();
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
    user.run(&["token", "minimax"])
        .assert_failed(1, "the current account of minimax");
    fs::write(
        &file,
        r#"{"v":1,"current":{"qwen":"default"},"colour":"blue"}"#,
    )
    .unwrap();
    user.sign_in(&["qwen", "--account", "work"]);
    assert_eq!(user.run(&["switch", "qwen", "work"]).code, Some(0));
    let settings = read(&file);
    assert_eq!(settings["colour"], "blue");
    assert_eq!(settings["current"]["qwen"], "work");
}

#[test]
fn the_advice_of_switch_names_accounts_as_switch_takes_them() {
    let user = User::new();
    for name in ["a", "b", "c"] {
        user.sign_in(&["qwen", "--account", name]);
    }
    for args in [&["switch", "qwen"][..], &["switch", "qwen", "d"]] {
        let done = user.run(args);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(!done.err.contains("--account"), "{done:?}");
    }
    let done = user.run(&["token", "qwen"]);
    assert!(done.err.contains("--account NAME"), "{done:?}");
}
