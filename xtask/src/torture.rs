//! Every fault against real processes; see `crates/cli/tests/torture/main.rs`, and for hosts on one
//! database `crates/cli/tests/fleet/main.rs`.

use crate::run::cargo;

/// The rounds of `--fleet`, on each database.
const ROUNDS: &str = "500";

/// Passes the arguments after `torture` on: `--long`, `--seed N`, `--only F3`, `--release`, or after
/// `--fleet`: `--engine redis`, `--rounds N`, `--seed N`, `--round N`.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let (release, fleet, rounds) = ("--release", "--fleet", "--rounds");
    let program = if has(fleet) { "fleet" } else { "torture" };
    let mut words = vec!["test", "-p", "llm-auth-cli", "--test", program];
    if has(release) {
        words.push(release);
    }
    words.push("--");
    let handed_on = arguments.iter().map(String::as_str);
    words.extend(handed_on.filter(|argument| ![release, fleet].contains(argument)));
    if has(fleet) && !has(rounds) {
        words.extend([rounds, ROUNDS]);
    }
    cargo(&words, &[])
}
