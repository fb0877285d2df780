//! Several accounts at one vendor: named, or by the verified identity of their owners.

use std::fs;

use llm_auth_testkit::{Endpoint, Fault};
use serde_json::{Value, json};

use crate::common::{Done, User, browse, read, with_browser};

const EMAIL_SCOPE: &str =
    "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email";

/// Signs in to Gemini as a person of this address.
fn sign_in_as(user: &User, email: &str, args: &[&str]) -> Done {
    let person = Fault::patch(json!({"email": email, "verified_email": true}));
    user.kit.gemini().fault(Endpoint::UserInfo, person);
    let args = [&["login", "gemini", "--json"], args].concat();
    let child = user
        .command(&args)
        .env("LLM_AUTH_GEMINI_SCOPE", EMAIL_SCOPE)
        .spawn();
    let done = with_browser(child.unwrap(), |event| {
        browse(event["url"].as_str().unwrap());
    });
    assert_eq!(done.code, Some(0), "{done:?}");
    done
}

fn accounts(user: &User) -> Vec<(String, Option<String>, bool)> {
    let report = user.run(&["accounts", "--json"]).json();
    assert_eq!(report["v"], 1);
    let rows = report["accounts"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().map(str::to_owned);
            (
                text("account").unwrap(),
                text("identity"),
                row["current"] == true,
            )
        })
        .collect()
}

fn row(account: &str, identity: &str, current: bool) -> (String, Option<String>, bool) {
    (account.to_owned(), Some(identity.to_owned()), current)
}

#[test]
fn another_person_s_sign_in_throws_nobody_out() {
    let user = User::new();
    sign_in_as(&user, "mia@example.com", &[]);
    let mias = fs::read(user.file("gemini", "default")).unwrap();
    let done = sign_in_as(&user, "Tom@example.com", &[]);
    assert!(
        done.err.contains("mia@example.com, whose session is kept"),
        "{done:?}"
    );
    assert_eq!(fs::read(user.file("gemini", "default")).unwrap(), mias);
    assert_eq!(
        accounts(&user),
        [
            row("default", "mia@example.com", false),
            row("tom@example.com", "Tom@example.com", true)
        ]
    );
    let toms = read(&user.file("gemini", "tom@example.com"));
    let token = user.run(&["token", "gemini"]);
    assert_eq!(token.out.trim_end(), toms["access"].as_str().unwrap());
    // The same person again: no third account.
    sign_in_as(&user, "tom@example.com", &[]);
    assert_eq!(accounts(&user).len(), 2);
    // And the first one again, from the other's place: back to its own account.
    sign_in_as(&user, "mia@example.com", &[]);
    assert!(accounts(&user)[0].2);
    assert_eq!(accounts(&user).len(), 2);
}

#[test]
fn a_named_account_is_replaced_and_it_is_said_whose_it_was() {
    let user = User::new();
    sign_in_as(&user, "mia@example.com", &["--account", "work"]);
    let done = sign_in_as(&user, "tom@example.com", &["--account", "work"]);
    assert!(
        done.err.contains("replaces the session of mia@example.com"),
        "{done:?}"
    );
    assert_eq!(accounts(&user), [row("work", "tom@example.com", false)]);
}

#[test]
fn an_address_that_nobody_verified_names_no_account() {
    let user = User::new();
    sign_in_as(&user, "mia@example.com", &[]);
    let person = Fault::patch(json!({"email": "tom@example.com", "verified_email": false}));
    user.kit.gemini().fault(Endpoint::UserInfo, person);
    let child = user
        .command(&["login", "gemini", "--json"])
        .env("LLM_AUTH_GEMINI_SCOPE", EMAIL_SCOPE)
        .spawn();
    let done = with_browser(child.unwrap(), |event| {
        browse(event["url"].as_str().unwrap());
    });
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(user.stored("gemini")["llm_auth"]["identity"], Value::Null);
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
fn the_current_account_is_the_one_that_is_meant() {
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
fn an_account_that_is_not_there_cannot_be_made_the_current_one() {
    let user = User::new();
    user.run(&["switch", "qwen", "work"])
        .assert_failed(2, "nobody is signed in to Qwen");
    user.sign_in(&["qwen"]);
    user.run(&["switch", "qwen", "work"])
        .assert_failed(2, "default");
    user.run(&["switch", "qwen"]).assert_failed(2, "default");
    assert!(!user.folder.path().join("home/settings.json").exists());
}

#[test]
fn a_corrupt_account_locks_nobody_else_out() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    fs::write(user.file("qwen", "work"), "{").unwrap();
    let report = user.run(&["accounts", "--json"]).json();
    let states: Vec<_> = report["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["state"].clone())
        .collect();
    assert_eq!(states, ["valid", "unreadable"]);
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
    assert_eq!(
        user.run(&["token", "qwen", "--account", "nobody"]).code,
        Some(3)
    );
}

#[test]
fn corrupt_settings_are_named_and_stop_only_who_needs_them() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.folder.path().join("home/settings.json");
    fs::write(&file, "{\"v\":1,\"current\":7}").unwrap();
    user.run(&["token", "qwen"])
        .assert_failed(1, "settings.json");
    let done = user.run(&["token", "qwen", "--account", "default"]);
    assert_eq!(done.code, Some(0), "{done:?}");
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
fn the_list_is_for_people_too() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    let done = user.run(&["accounts"]);
    let lines: Vec<_> = done.out.lines().collect();
    assert!(lines[0].starts_with("* qwen     default"), "{done:?}");
    assert!(lines[1].starts_with("  qwen     work"), "{done:?}");
    assert!(
        User::new()
            .run(&["accounts"])
            .err
            .contains("nobody is signed in")
    );
}
