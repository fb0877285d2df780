//! Completions, manual pages, and JSON from every command.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{Done, User};

#[test]
fn every_shell_gets_completions_that_know_the_commands_and_the_vendors() {
    let user = User::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let done = user.run(&["completions", shell]);
        assert_eq!(done.code, Some(0), "{done:?}");
        for word in ["login", "doctor", "exec", "minimax"] {
            assert!(done.out.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn bash_understands_its_completions() {
    let script = User::new().run(&["completions", "bash"]).out;
    let bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn();
    let mut bash = bash.unwrap();
    bash.stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let user = User::new();
    let done = user.run(&["man"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains(".SH NAME") && done.out.contains(".SH SYNOPSIS"));
    let folder = user.folder.path().join("man");
    let done = user.run(&["man", "--dir", folder.to_str().unwrap()]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{done:?}");
    for name in [
        "",
        "-accounts",
        "-completions",
        "-demo",
        "-doctor",
        "-exec",
        "-import",
        "-login",
        "-logout",
        "-man",
        "-status",
        "-switch",
        "-token",
    ] {
        let page = fs::read_to_string(folder.join(format!("llm-auth{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME"), "{name}: {page}");
        assert!(
            page.contains(&format!("llm\\-auth{}", name.replace('-', "\\-"))),
            "{page}"
        );
    }
    user.run(&["man", "--dir", "/dev/null/man"])
        .assert_failed(1, "/dev/null/man");
}

/// Every line is an object of this version.
fn is_json(done: &Done) {
    assert!(!done.out.is_empty(), "{done:?}");
    for line in done.out.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {done:?}"));
        assert_eq!(value["v"], 1, "{line}");
    }
}

#[test]
fn every_command_speaks_json_of_this_version_in_good_times_and_bad() {
    let user = User::new();
    for args in [
        &["token", "qwen"][..],
        &["logout", "qwen"],
        &["switch", "qwen"],
        &["import", "qwen-code"],
        &["status"],
        &["accounts"],
        &["doctor", "--offline"],
        &["login", "gemini", "--client-file", "/nowhere"],
    ] {
        is_json(&user.run(&[args, &["--json"]].concat()));
    }
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    for args in [
        &["token", "qwen"][..],
        &["switch", "qwen"],
        &["status"],
        &["accounts"],
        &["doctor"],
        &["logout", "qwen"],
        &["login", "minimax"],
    ] {
        let done = user.run(&[args, &["--json"]].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        is_json(&done);
    }
}
