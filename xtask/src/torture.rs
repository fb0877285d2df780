//! Every fault against real processes; see `crates/cli/tests/torture/main.rs`.

use crate::run::cargo;

/// Passes the arguments after `torture` on: `--long`, `--seed N`, `--only F3`, `--release`.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut words = vec!["test", "-p", "llm-auth-cli", "--test", "torture"];
    let release = "--release";
    if arguments.iter().any(|argument| argument == release) {
        words.push(release);
    }
    words.push("--");
    let handed_on = arguments.iter().map(String::as_str);
    words.extend(handed_on.filter(|argument| *argument != release));
    cargo(&words, &[])
}
