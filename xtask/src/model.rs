//! The model check of what callers of one session share. Its own target folder: the flag would
//! make everything else be built again.

use crate::run::cargo;

pub(crate) fn run() -> Result<(), String> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    cargo(
        &["test", "-p", "llm-auth-core", "--lib", "model::"],
        &[
            ("RUSTFLAGS", "--cfg shuttle"),
            ("CARGO_TARGET_DIR", &format!("{target}/shuttle")),
        ],
    )
}
