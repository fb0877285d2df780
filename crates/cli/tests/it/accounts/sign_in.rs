//! Whose session a sign-in replaces, and which account it makes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};

use llm_auth_testkit::{Approval, Fault, Operation};
use serde_json::{Value, json};

use super::{accounts, row, sign_in_as};
use crate::support::browser::browse;
use crate::support::session_file::{expire, read};
use crate::support::user::User;

#[test]
fn a_sign_in_of_another_user_replaces_no_session() {
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
    // The same user again: no third account.
    sign_in_as(&user, "tom@example.com", &[]);
    assert_eq!(accounts(&user).len(), 2);
    // And the first one again, from the other's place: back to its own account.
    sign_in_as(&user, "mia@example.com", &[]);
    assert!(accounts(&user)[0].2);
    assert_eq!(accounts(&user).len(), 2);
}

#[test]
fn a_named_account_is_replaced_and_its_previous_owner_is_printed() {
    let user = User::new();
    sign_in_as(&user, "mia@example.com", &["--account", "work"]);
    let done = sign_in_as(&user, "tom@example.com", &["--account", "work"]);
    let notice =
        "Account work is signed in as mia@example.com; this sign-in replaces that session.";
    assert!(done.err.contains(notice), "{done:?}");
    assert!(
        done.err.find(notice) < done.err.find("Open this page"),
        "{done:?}"
    );
    assert_eq!(accounts(&user), [row("work", "tom@example.com", true)]);
}

#[test]
fn a_sign_in_without_a_verified_identity_replaces_no_session() {
    let user = User::new();
    sign_in_as(&user, "mia@example.com", &[]);
    let mias = fs::read(user.file("gemini", "default")).unwrap();
    // An address that is not verified identifies no user.
    let user_info = Fault::patch(json!({"email": "mia@example.com", "verified_email": false}));
    user.kit.gemini().fault(Operation::UserInfo, user_info);
    let done = user.sign_in_with_browser(&["login", "gemini", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("did not say who signed in"), "{done:?}");
    assert_eq!(done.events().last().unwrap()["account"], "default-2");
    assert_eq!(fs::read(user.file("gemini", "default")).unwrap(), mias);
    let new = read(&user.file("gemini", "default-2"));
    assert_eq!(new["llm_auth"]["identity"], Value::Null);
    assert_eq!(
        user.run(&["token", "gemini"]).out.trim_end(),
        new["access"].as_str().unwrap()
    );
}

#[test]
fn of_two_first_sign_ins_at_once_of_two_users_neither_is_lost() {
    let user = User::with(Approval::Manual);
    let begun = [(); 2].map(|()| {
        let mut child = user.start(&["login", "gemini", "--json"]);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        (child, out, event["url"].as_str().unwrap().to_owned())
    });
    let mut people = ["mia@example.com", "tom@example.com"].into_iter();
    let accounts = begun.map(|(mut child, mut out, url)| {
        let user_info = json!({"email": people.next(), "verified_email": true});
        user.kit
            .gemini()
            .fault(Operation::UserInfo, Fault::patch(user_info));
        browse(&url);
        assert_eq!(user.kit.gemini().approve_all(), 1);
        browse(&url);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success());
        let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
        last["account"].as_str().unwrap().to_owned()
    });
    assert_eq!(accounts, ["default", "tom@example.com"]);
}

#[test]
fn a_session_without_an_identity_is_replaced_only_after_a_warning() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let done = user.run(&["login", "qwen", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let notice = "Account default is signed in already; this sign-in replaces that session.";
    assert!(done.err.contains(notice), "{done:?}");
    assert!(done.err.contains("--account NAME"), "{done:?}");
    assert_eq!(done.events().last().unwrap()["replaced"], true);
    // What is over needs no word.
    user.kit.qwen().revoke_families();
    user.expire("qwen");
    assert_eq!(user.run(&["token", "qwen"]).code, Some(3));
    let done = user.run(&["login", "qwen"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.err.contains("replaces"), "{done:?}");
}

#[test]
fn a_sign_in_reuses_the_only_account_if_its_session_is_over() {
    let user = User::new();
    user.sign_in(&["qwen", "--account", "work"]);
    user.kit.qwen().revoke_families();
    expire(&user.file("qwen", "work"));
    let done = user.run(&["token", "qwen"]);
    done.assert_failed(3, "qwen (work)");
    assert!(
        done.err.contains("`llm-auth login qwen --account work`"),
        "{done:?}"
    );
    user.sign_in(&["qwen"]);
    assert_eq!(accounts(&user), [("work".to_owned(), None, true)]);
    // As long as it is good, a sign-in might be another's.
    user.sign_in(&["qwen"]);
    assert_eq!(accounts(&user).len(), 2);
}
