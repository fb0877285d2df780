//! `llm-auth accounts`: what it lists, and what it cannot read.

use std::fs;

use crate::support::user::User;

#[test]
fn a_corrupt_account_affects_no_other_account() {
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
        user.run(&["token", "qwen", "--account", "unknown"]).code,
        Some(3)
    );
}

#[cfg(unix)]
#[test]
fn a_provider_s_directory_that_cannot_be_listed_affects_no_other_provider() {
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
fn accounts_are_listed_as_text_too() {
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
fn a_list_of_one_provider_does_not_claim_that_no_account_exists() {
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
