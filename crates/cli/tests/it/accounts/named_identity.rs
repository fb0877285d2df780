//! An account that is named after one user, and another user who signs in.

use crate::support::browser::{browse, with_browser};
use crate::support::session_file::read;
use crate::support::user::User;

/// Who approves in the simulated Google.
const PERSON: &str = "person@testkit.example";

#[test]
fn the_session_of_another_user_is_stored_under_its_verified_name() {
    for name in ["a@example.com", "A@Example.com"] {
        let user = User::new();
        let args = ["login", "gemini", "--account", name, "--json"];
        let done = user.sign_in_with_browser(&args);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(
            done.err
                .contains(&format!("You signed in as {PERSON}, not as ")),
            "{done:?}"
        );
        let signed_in = done.events().pop().unwrap();
        assert_eq!(signed_in["account"], PERSON);
        assert!(!user.file("gemini", "a@example.com").exists());
        let stored = read(&user.file("gemini", PERSON));
        assert_eq!(stored["llm_auth"]["identity"], PERSON);
    }
}

#[test]
fn a_variable_names_a_user_as_a_flag_does_and_that_user_is_not_replaced() {
    let user = User::new();
    user.sign_in(&["gemini", "--account", PERSON]);
    // As if it were another user's.
    let file = user.file("gemini", PERSON);
    let text = std::fs::read_to_string(&file).unwrap();
    let other = user.file("gemini", "a@example.com");
    std::fs::write(&other, text.replace(PERSON, "a@example.com")).unwrap();
    let mut command = user.command(&["login", "gemini", "--json"]);
    command.env("LLM_AUTH_GEMINI_ACCOUNT", "a@example.com");
    let before = read(&other);
    let done = with_browser(command.spawn().unwrap(), |event| {
        let url = event["url"].as_str().unwrap();
        assert!(url.contains("&login_hint=a%40example.com"), "{url}");
        browse(url);
    });
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(read(&other), before);
    assert_eq!(done.events().pop().unwrap()["account"], PERSON);
}

#[test]
fn a_store_of_one_file_accepts_only_the_named_user() {
    let user = User::new();
    let file = user.directory.path().join("one.json");
    let file = file.to_str().unwrap();
    let args = [
        "login",
        "gemini",
        "--account",
        "a@example.com",
        "--store",
        file,
        "--json",
    ];
    let done = user.sign_in_with_browser(&args);
    done.assert_failed(1, "you signed in as person@testkit.example");
    assert!(!std::path::Path::new(file).exists());
    let args = [
        "login",
        "gemini",
        "--account",
        PERSON,
        "--store",
        file,
        "--json",
    ];
    assert_eq!(user.sign_in_with_browser(&args).code, Some(0));
}

#[test]
fn a_file_of_another_account_is_rejected_before_the_sign_in_begins() {
    let user = User::new();
    let file = user.directory.path().join("one.json");
    let file = file.to_str().unwrap();
    user.sign_in(&["gemini", "--store", file]);
    user.sign_in(&["qwen"]);
    let of_qwen = user.file("qwen", "default");
    for (provider, more) in [
        (
            "gemini",
            &["--account", "b@example.com", "--store", file][..],
        ),
        ("gemini", &["--store", of_qwen.to_str().unwrap(), "--json"]),
        ("minimax", &["--store", file]),
    ] {
        let done = user.run(&[&["login", provider], more].concat());
        done.assert_failed(1, "holds a session of");
        for words in ["replaces", "Sign in to"] {
            assert!(!done.err.contains(words), "{done:?}");
        }
        assert!(!done.out.contains("authorization_url"), "{done:?}");
    }
}

#[test]
fn a_name_that_is_no_address_and_the_user_s_own_address_are_kept() {
    for name in ["work", PERSON, "PERSON@testkit.example", "@work", "me@work"] {
        let user = User::new();
        let args = ["login", "gemini", "--account", name, "--json"];
        let done = user.sign_in_with_browser(&args);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(!done.err.contains("You signed in as"), "{done:?}");
        let account = done.events().pop().unwrap()["account"].clone();
        assert_eq!(account, name, "{done:?}");
    }
}

#[test]
fn the_provider_receives_a_hint_of_the_user() {
    let user = User::new();
    for (name, hint) in [
        ("a@example.com", Some("login_hint=a%40example.com")),
        ("work", None),
    ] {
        let args = ["login", "gemini", "--account", name, "--json"];
        let done = with_browser(user.start(&args), |event| {
            let url = event["url"].as_str().unwrap();
            match hint {
                Some(hint) => assert!(url.contains(hint), "{url}"),
                None => assert!(!url.contains("login_hint"), "{url}"),
            }
            browse(url);
        });
        assert_eq!(done.code, Some(0), "{done:?}");
    }
}
