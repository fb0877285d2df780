//! Licenses, sources, banned and vulnerable dependencies, by cargo-deny and `.deny.toml`.
//!
//! See decision 0050.

use std::env;
use std::path::PathBuf;

use crate::run::{cargo, is_installed};

/// The checks that need only the lock file and the registry.
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
    // The database of advisories is not in the registry, and many networks do not reach it.
    if !has_advisories() {
        eprintln!(
            "\n=== SKIPPED: cargo deny check advisories; fetch them first: cargo deny fetch db"
        );
        return Ok(());
    }
    cargo(
        &[&check[..], &["advisories", "--disable-fetch"]].concat(),
        &[],
    )
}

/// Whether the database was fetched, in cargo-deny's directory.
fn has_advisories() -> bool {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cargo"))
    });
    let databases = home.map(|home| home.join("advisory-dbs"));
    let mut entries = databases.into_iter().filter_map(|at| at.read_dir().ok());
    entries.any(|mut entries| entries.next().is_some())
}
