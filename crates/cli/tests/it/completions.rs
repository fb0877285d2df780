//! Shell completions: commands, flags, and the names of accounts.

use std::fs;
use std::path::Path;
use std::process::Command;

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
    let done = Done::of(&mut bash);
    assert_eq!(done.code, Some(0), "{done:?}");
    done.out
        .lines()
        .map(|word| word.trim().to_owned())
        .collect()
}

#[test]
fn bash_completes_commands_providers_flags_and_accounts() {
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
fn an_account_name_at_several_providers_is_offered_once() {
    let user = User::new();
    for provider in ["qwen", "minimax", "gemini"] {
        user.sign_in(&[provider]);
    }
    for words in [
        &["llm-auth", "token", "qwen", "--account", "d"][..],
        &["llm-auth", "switch", "minimax", "d"],
    ] {
        assert_eq!(offered(&user, words), ["default"], "{words:?}");
    }
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
    Done::of(&mut bash).out
}

#[test]
fn names_with_spaces_and_quotes_are_completed_as_each_shell_needs_them() {
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
        let done = Done::of(&mut command);
        let names: Vec<_> = done
            .out
            .lines()
            .map(|line| line.split(['\t', ':']).next().unwrap())
            .collect();
        assert_eq!(names, [expected], "{shell} {begun}: {done:?}");
    }
}
