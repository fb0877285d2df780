//! The pictures of the README, from real runs; see `crates/cli/tests/terminal/main.rs`.

use std::env;

use crate::run::cargo;

const DIRECTORY: &str = "docs/screenshots";

/// Runs the tests that keep pictures, and keeps them in the repository.
pub(crate) fn run() -> Result<(), String> {
    let root = env::current_dir().map_err(|error| error.to_string())?;
    let directory = root.join(DIRECTORY);
    let directory = directory
        .to_str()
        .ok_or("the repository's path is not UTF-8")?;
    cargo(
        &["test", "-p", "llm-auth-cli", "--test", "terminal"],
        // Here a browser that is missing is an error.
        &[("LLM_AUTH_SCREENSHOTS", directory), ("CI", "true")],
    )
}
