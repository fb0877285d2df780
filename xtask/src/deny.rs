//! Licenses, sources, banned and vulnerable dependencies, by cargo-deny and `.deny.toml`.
//!
//! See decision 0050.

use std::env;
use std::path::{Path, PathBuf};

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
    let deny = ["deny", "--log-level", "error"];
    cargo(&[&deny[..], &["check"], &OFFLINE].concat(), &[])?;
    // The database of advisories is not in the registry, and many networks do not reach it.
    if !has_advisories() {
        eprintln!(
            "\n=== SKIPPED: cargo deny check advisories; fetch them first: cargo deny fetch db"
        );
        return Ok(());
    }
    cargo(
        &[&deny[..], &["--offline", "check", "advisories"]].concat(),
        &[],
    )
}

/// Whether the database was fetched, in cargo-deny's directory.
fn has_advisories() -> bool {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cargo"))
    });
    home.is_some_and(|home| holds_a_database(&home.join("advisory-dbs")))
}

/// A fetch that failed leaves its lock file there.
fn holds_a_database(directory: &Path) -> bool {
    let entries = directory.read_dir().into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().is_dir())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_fetch_that_failed_has_left_no_database() {
        let directory = env::temp_dir().join(format!("llm-auth-xtask-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("db.lock"), "").unwrap();
        assert!(!holds_a_database(&directory));
        fs::create_dir(directory.join("advisory-db-1")).unwrap();
        assert!(holds_a_database(&directory));
        fs::remove_dir_all(&directory).unwrap();
        assert!(!holds_a_database(&directory));
    }
}
