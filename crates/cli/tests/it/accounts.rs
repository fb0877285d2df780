//! Several accounts at one vendor: named, or by the verified identity of their owners.

mod named_identity;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};

use llm_auth_testkit::{Approval, Fault, Operation};
use serde_json::{Value, json};

use crate::support::browser::{browse, with_browser};

use crate::support::done::Done;

use crate::support::session_file::{expire, read};

use crate::support::user::User;

const EMAIL_SCOPE: &str =
    "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email";

/// Signs in to Gemini as a person of this address.
fn sign_in_as(user: &User, email: &str, args: &[&str]) -> Done {
    let person = Fault::patch(json!({"email": email, "verified_email": true}));
    user.kit.gemini().fault(Operation::UserInfo, person);
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
fn who_does_not_say_who_they_are_throws_nobody_out() {
    let user = User::new();
    sign_in_as(&user, "mia@example.com", &[]);
    let mias = fs::read(user.file("gemini", "default")).unwrap();
    // An address that nobody verified names nobody.
    let person = Fault::patch(json!({"email": "mia@example.com", "verified_email": false}));
    user.kit.gemini().fault(Operation::UserInfo, person);
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
fn of_two_first_sign_ins_at_once_of_two_people_neither_is_lost() {
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
        let person = json!({"email": people.next(), "verified_email": true});
        user.kit
            .gemini()
            .fault(Operation::UserInfo, Fault::patch(person));
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
fn a_session_of_nobody_known_is_replaced_only_after_a_word() {
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
fn the_only_account_is_the_one_that_is_meant() {
    let user = User::new();
    user.sign_in(&["qwen", "--account", "work"]);
    let token = user.run(&["token", "qwen"]);
    let stored = read(&user.file("qwen", "work"));
    assert_eq!(token.out.trim_end(), stored["access"].as_str().unwrap());
    assert_eq!(accounts(&user), [("work".to_owned(), None, true)]);
    user.sign_in(&["qwen", "--account", "home"]);
    // Of two that nobody chose between, neither is guessed.
    user.run(&["token", "qwen"])
        .assert_failed(2, "name one of the accounts at Qwen: home, work");
    assert_eq!(user.run(&["switch", "qwen", "WORK"]).code, Some(0));
    assert_eq!(user.run(&["token", "qwen"]).out, token.out);
    let with_home = |args: &[&str]| {
        let mut command = user.command(args);
        command.env("LLM_AUTH_QWEN_ACCOUNT", "home");
        Done::from(command.output().unwrap())
    };
    assert_ne!(with_home(&["token", "qwen"]).out, token.out);
    assert!(with_home(&["accounts"]).out.starts_with("* qwen     home"));
}

#[test]
fn an_only_account_that_is_over_is_signed_in_to_again_and_no_second_one_is_made() {
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

#[test]
fn who_names_a_person_means_that_person() {
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
fn who_signs_out_of_the_current_account_is_told_which_is_meant_now() {
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
fn of_two_switches_at_once_neither_is_undone() {
    let user = User::new();
    for vendor in ["qwen", "minimax"] {
        user.sign_in(&[vendor, "--account", "a"]);
        user.sign_in(&[vendor, "--account", "b"]);
    }
    for account in ["a", "b", "a", "b", "a", "b"] {
        let both = ["qwen", "minimax"].map(|vendor| user.start(&["switch", vendor, account]));
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
        .assert_failed(3, "not signed in");
    user.sign_in(&["qwen"]);
    user.run(&["switch", "qwen", "work"])
        .assert_failed(2, "there is no account work at Qwen");
    assert!(!user.directory.path().join("home/settings.json").exists());
    assert_eq!(user.run(&["switch", "qwen"]).code, Some(0));
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

#[cfg(unix)]
#[test]
fn a_vendor_s_folder_that_cannot_be_listed_locks_nobody_else_out() {
    let user = User::new();
    user.sign_in(&["qwen", "--account", "work"]);
    // A loop, which not even root can list.
    let directory = user.directory.path().join("home/sessions/minimax");
    std::os::unix::fs::symlink("minimax", directory).unwrap();
    for args in [
        &["token", "qwen"][..],
        &["token", "qwen", "--account", "WORK"],
        &["accounts"],
        &["status"],
    ] {
        let done = user.run(args);
        assert_eq!(done.code, Some(0), "{args:?} {done:?}");
        assert!(args[0] == "token" || done.out.contains("work"), "{done:?}");
    }
    let report = user.run(&["status", "--json"]).json();
    assert_eq!(report["sessions"][0]["state"], "unreadable");
}

#[test]
fn corrupt_settings_are_named_and_stop_only_who_needs_them() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.directory.path().join("home/settings.json");
    for broken in ["{\"v\":1,\"current\":7}", "{", "[]"] {
        fs::write(&file, broken).unwrap();
        // No other account can be meant.
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
    // What is wrong for one vendor is right for another.
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
fn the_list_is_for_people_too() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    let done = user.run(&["accounts"]);
    let lines: Vec<_> = done.out.lines().collect();
    assert!(lines[0].starts_with("* qwen     default"), "{done:?}");
    assert!(lines[1].starts_with("  qwen     work"), "{done:?}");
    assert!(User::new().run(&["accounts"]).err.contains("not signed in"));
}

#[test]
fn columns_align_whatever_the_width_of_the_letters() {
    let user = User::new();
    let names = ["work", "工作账户", "ｆｕｌｌ", "e\u{301}te\u{301}"];
    for name in names {
        user.sign_in(&["qwen", "--account", name]);
    }
    let done = user.run(&["accounts"]);
    let at_state = |line: &str| {
        let before = line.split("valid").next().unwrap();
        console_width(before)
    };
    let starts: Vec<usize> = done.out.lines().map(at_state).collect();
    assert_eq!(starts.len(), names.len(), "{done:?}");
    assert!(starts.iter().all(|start| *start == starts[0]), "{done:?}");
}

/// By what these letters are: two columns for a wide one, none for an accent.
fn console_width(text: &str) -> usize {
    let width = |c: char| match c {
        '\u{300}'..='\u{36f}' => 0,
        '\u{4e00}'..='\u{9fff}' | '\u{ff00}'..='\u{ff60}' => 2,
        _ => 1,
    };
    text.chars().map(width).sum()
}

#[test]
fn what_is_said_of_one_vendor_is_not_said_of_all() {
    let user = User::new();
    let done = user.run(&["accounts", "gemini"]);
    assert!(
        done.err.contains("no account at Gemini is signed in"),
        "{done:?}"
    );
    assert!(!done.err.contains("the others"), "{done:?}");
    user.sign_in(&["qwen"]);
    let done = user.run(&["accounts", "gemini"]);
    assert!(
        done.err.contains("no account at Gemini is signed in"),
        "{done:?}"
    );
    assert!(
        done.err.contains("`llm-auth accounts` shows the others"),
        "{done:?}"
    );
    assert!(user.run(&["accounts"]).out.contains("qwen"));
}

#[test]
fn to_switch_an_account_is_named_as_switch_takes_it() {
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
