//! Licenses, sources, banned and vulnerable dependencies, by cargo-deny and `.deny.toml`.

use std::env;

use crate::run::{cargo, is_installed};

/// Those that need nothing but the lock file and the registry.
const OFFLINE: [&str; 3] = ["bans", "licenses", "sources"];

pub(crate) fn run() -> Result<(), String> {
    if !is_installed("deny") {
        let missing = "cargo deny is not installed: cargo install cargo-deny --locked --debug";
        if env::var_os("CI").is_some_and(|value| value == "true") {
            return Err(missing.into());
        }
        eprintln!("\n=== SKIPPED: cargo deny check; {missing}");
        return Ok(());
    }
    let check = ["deny", "--log-level", "error", "check"];
    cargo(&[&check[..], &OFFLINE].concat(), &[])?;
    // The database of advisories is not in the registry. A network that does not reach it says
    // nothing about a dependency.
    if let Err(why) = cargo(&["deny", "fetch", "db"], &[]) {
        eprintln!("\n=== SKIPPED: cargo deny check advisories; {why}");
        return Ok(());
    }
    cargo(&[&check[..], &["advisories"]].concat(), &[])
}
