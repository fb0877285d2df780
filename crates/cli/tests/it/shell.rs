//! Completions, manual pages, and JSON from every command.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::done::Done;

use crate::support::user::User;

#[test]
fn every_shell_gets_completions() {
    let user = User::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let done = user.run(&["completions", shell]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.out.contains("LLM_AUTH_COMPLETE"), "{done:?}");
    }
    assert_eq!(user.run(&["completions", "tcsh"]).code, Some(2));
}

/// What bash offers after these words, the last of which is half written.
fn offered(user: &User, words: &[&str]) -> Vec<String> {
    let command = user.command(&[]);
    let directory = Path::new(command.get_program()).parent().unwrap();
    let script = format!(
        "source <(llm-auth completions bash); COMP_TYPE=9; COMP_WORDS=({}); \
         COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
         _clap_complete_llm_auth llm-auth \"${{COMP_WORDS[COMP_CWORD]}}\"; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" ")
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]);
    for (name, value) in command.get_envs() {
        bash.env(name, value.unwrap_or_default());
    }
    bash.env("PATH", format!("{}:/usr/bin:/bin", directory.display()));
    let done = Done::from(bash.output().unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    done.out
        .lines()
        .map(|word| word.trim().to_owned())
        .collect()
}

#[test]
fn bash_completes_commands_vendors_flags_and_accounts() {
    let user = User::new();
    user.sign_in(&["qwen", "--account", "work"]);
    user.sign_in(&["minimax", "--account", "wednesday"]);
    user.sign_in(&["minimax", "--account", "two words"]);
    for (words, expected) in [
        (&["llm-auth", "sw"][..], &["switch"][..]),
        (&["llm-auth", "login", "''"], &["qwen", "minimax", "gemini"]),
        (&["llm-auth", "token", "qwen", "--min"], &["--min-validity"]),
        (&["llm-auth", "login", "minimax", "--region", "c"], &["cn"]),
        (
            &["llm-auth", "token", "qwen", "--account", "w"],
            &["work", "wednesday"],
        ),
        (&["llm-auth", "switch", "minimax", "w"], &["wednesday"]),
        (&["llm-auth", "switch", "qwen", "wo"], &["work"]),
    ] {
        let offered = offered(&user, words);
        for word in expected {
            assert!(
                offered.iter().any(|found| found == word),
                "{words:?}: {offered:?}"
            );
        }
        assert!(
            !offered.iter().any(|word| word.contains("two")),
            "{offered:?}"
        );
    }
}

#[test]
fn an_account_that_several_vendors_have_is_offered_once() {
    let user = User::new();
    for vendor in ["qwen", "minimax", "gemini"] {
        user.sign_in(&[vendor]);
    }
    for words in [
        &["llm-auth", "token", "qwen", "--account", "d"][..],
        &["llm-auth", "switch", "minimax", "d"],
    ] {
        assert_eq!(offered(&user, words), ["default"], "{words:?}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let user = User::new();
    let done = user.run(&["man"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains(".SH NAME") && done.out.contains(".SH SYNOPSIS"));
    let directory = user.directory.path().join("man");
    let done = user.run(&["man", "--dir", directory.to_str().unwrap()]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{done:?}");
    for name in [
        "",
        "-accounts",
        "-completions",
        #[cfg(feature = "demo")]
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
        let page = fs::read_to_string(directory.join(format!("llm-auth{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME"), "{name}: {page}");
        assert!(
            page.contains(&format!("llm\\-auth{}", name.replace('-', "\\-"))),
            "{page}"
        );
    }
    user.run(&["man", "--dir", "/dev/null/man"])
        .assert_failed(1, "/dev/null/man");
}

/// Every line is an object of this version, and the page on JSON names each member.
fn is_json(done: &Done) {
    assert!(!done.out.is_empty(), "{done:?}");
    for line in done.out.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {done:?}"));
        assert_eq!(value["v"], 1, "{line}");
        is_documented(&value);
    }
}

fn is_documented(value: &Value) {
    let page = include_str!("../../../../docs/cli/json.md");
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let known = [format!("`{name}`"), format!("\"{name}\"")];
                assert!(known.iter().any(|name| page.contains(name)), "{name}");
                // The names in there are the vendor's.
                if name != "headers" {
                    is_documented(value);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(is_documented),
        _ => {}
    }
}

#[test]
fn a_usage_error_is_json_where_that_was_asked_for_and_says_what_is_wrong() {
    let user = User::new();
    for (args, is_answer, what) in [
        (&["token", "qwen", "--json", "--bogus"][..], true, "--bogus"),
        (&["-v", "token", "qwne", "--json"], true, "qwne"),
        (&["exec", "qwen", "--json"], true, "<COMMAND>"),
        (&["login", "nobody", "--json"], false, "nobody"),
    ] {
        let done = user.run(args);
        assert_eq!(done.code, Some(2), "{done:?}");
        let said = done.json();
        let said = if is_answer { &said["error"] } else { &said };
        assert_eq!(said["kind"], "usage", "{done:?}");
        assert!(said["message"].as_str().unwrap().contains(what), "{done:?}");
    }
    // The flag is the program's.
    let done = user.run(&["exec", "qwne", "--", "curl", "--json", "x"]);
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{done:?}");
    let unusable = user
        .command(&["doctor", "--offline", "--json"])
        .env("LLM_AUTH_LOG", "=x=")
        .output();
    is_json(&Done::from(unusable.unwrap()));
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
        &["exec", "qwen", "true"],
        &["exec"],
        &["token", "qwen", "--unknown"],
        &["login", "nobody"],
    ] {
        let (command, rest) = args.split_at(1);
        is_json(&user.run(&[command, &["--json"], rest].concat()));
    }
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    let directory = user.directory.path().join(".qwen");
    fs::create_dir(&directory).unwrap();
    let theirs = r#"{"access_token":"made-up","refresh_token":"made-up","expiry_date":1}"#;
    fs::write(directory.join("oauth_creds.json"), theirs).unwrap();
    for args in [
        &["token", "qwen"][..],
        &["switch", "qwen"],
        &["status"],
        &["accounts"],
        &["doctor"],
        &["logout", "qwen"],
        &["login", "minimax"],
        &["import"],
        #[cfg(feature = "demo")]
        &["demo"],
    ] {
        let done = user.run(&[args, &["--json"]].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        is_json(&done);
    }
    is_json(&user.sign_in_with_browser(&["login", "gemini", "--json"]));
}

/// What bash has for a line that is typed so far.
fn bash_completes(user: &User, words: &[&str], typed: &str) -> String {
    let script = r#"
        source <("$LLM_AUTH" completions bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        _llm_auth_completed llm-auth "$TYPED" x
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let known = user.command(&[]);
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script, "bash"]).args(words);
    for (name, value) in known.get_envs() {
        bash.env(name, value.unwrap_or_default());
    }
    bash.env(
        "PATH",
        format!(
            "{}:/usr/bin:/bin",
            Path::new(known.get_program()).parent().unwrap().display()
        ),
    );
    bash.env("LLM_AUTH", known.get_program())
        .env("TYPED", typed);
    bash.current_dir(user.directory.path());
    Done::from(bash.output().unwrap()).out
}

#[test]
fn names_with_blanks_and_quotes_are_completed_as_each_shell_wants_them() {
    let user = User::new();
    for name in ["my account", "it's", "a*b", "say \"hi\" $x", "work"] {
        user.sign_in(&["qwen", "--account", name]);
    }
    // Bash would take a star for files.
    fs::write(user.directory.path().join("a-file-b"), "").unwrap();
    let line = ["llm-auth", "token", "qwen", "--account"];
    for (begun, typed, expected) in [
        ("my", "my", r"my\ account"),
        (r"my\ a", r"my\ a", r"my\ account"),
        ("'my a", "my a", "my account"),
        ("\"my a", "my a", "my account"),
        ("it", "it", r"it\'s"),
        ("'it", "it", r"it'\''s"),
        ("a", "a", r"a\*b"),
        ("\"say", "say", "say \\\"hi\\\" \\$x"),
        ("wo", "wo", "work"),
    ] {
        let words = [&line[..], &[begun]].concat();
        let done = bash_completes(&user, &words, typed);
        assert_eq!(done.trim_end(), expected, "{begun}");
    }
    for (shell, begun, expected) in [
        ("powershell", "my", "'my account'"),
        ("powershell", "it", "'it''s'"),
        ("fish", "my", "my account"),
        ("fish", "'my a", "my account"),
        ("fish", "it", "it's"),
        ("elvish", "my", "my account"),
        ("zsh", "'my", "my account"),
        ("zsh", r"my\ a", "my account"),
    ] {
        let mut command = user.command(&["--", "llm-auth", "token", "qwen", "--account", begun]);
        command
            .env("LLM_AUTH_COMPLETE", shell)
            .env("_CLAP_COMPLETE_INDEX", "4");
        let done = Done::from(command.output().unwrap());
        let names: Vec<_> = done
            .out
            .lines()
            .map(|line| line.split(['\t', ':']).next().unwrap())
            .collect();
        assert_eq!(names, [expected], "{shell} {begun}: {done:?}");
    }
}

#[test]
fn every_page_says_what_is_read_returned_and_kept() {
    let user = User::new();
    let directory = user.directory.path().join("man");
    let done = user.run(&["man", "--dir", directory.to_str().unwrap()]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let pages = fs::read_dir(&directory).unwrap();
    let mut texts: Vec<String> = pages
        .map(|page| fs::read_to_string(page.unwrap().path()).unwrap())
        .collect();
    texts.push(user.run(&["man"]).out);
    assert!(texts.len() > 10);
    for text in texts {
        for part in [
            ".SH ENVIRONMENT\n",
            ".SH \"EXIT STATUS\"\n",
            ".SH FILES\n",
            "LLM_AUTH_HOME",
            "settings.json",
            "trusted_endpoints",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "for new sign-ins only",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["token", "qwen"],
        &["token", "qwen", "--json"],
        &["accounts"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
        &["login", "--help"],
        &["doctor", "--offline"],
        &["import"],
        &["switch", "qwen", "default", "--json"],
        #[cfg(feature = "demo")]
        &["demo", "--yes"],
        &["logout", "qwen", "--json"],
    ] {
        let mut child = user.start(args);
        // Nothing is read at all.
        drop(child.stdout.take());
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        for word in ["ipe", "standard output", "panicked"] {
            assert!(!done.err.contains(word), "{args:?}: {done:?}");
        }
    }
}
