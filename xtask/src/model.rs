//! The model check of the state that callers of one session share. It has its own target directory,
//! because the flag would rebuild everything else.
//!
//! See decision 0020.

use crate::run::cargo_beside;

pub(crate) fn run() -> Result<(), String> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    cargo_beside(
        &["test", "-p", "llm-auth-core", "--lib", "model::"],
        &[
            ("RUSTFLAGS", "--cfg shuttle"),
            ("CARGO_TARGET_DIR", &format!("{target}/shuttle")),
        ],
    )
}
