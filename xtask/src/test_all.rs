//! The checks that must pass before a change is done.

use crate::run::cargo;
use crate::{deny, features, model, publish};

/// The packages, each linted and tested alone: a run over the workspace would unify features
/// and hide one that is missing. Features are those beyond the default.
const PACKAGES: [(&str, &str); 8] = [
    ("llm-auth-core", "loopback"),
    ("llm-auth-testkit", ""),
    ("llm-auth-qwen", ""),
    ("llm-auth-minimax", ""),
    ("llm-auth-gemini", ""),
    ("llm-auth-cli", ""),
    ("llm-auth-examples", ""),
    ("xtask", ""),
];

/// The packages that compile without any of their features, so without a TLS back end of their own
/// too. The feature `aws-lc-rs` is not built: that takes minutes, and only the choice of the back
/// end depends on it; [`crate::features`] checks what it brings.
const BARE: [&str; 5] = [
    "llm-auth",
    "llm-auth-core",
    "llm-auth-gemini",
    "llm-auth-minimax",
    "llm-auth-qwen",
];

/// The umbrella's features: none, each, all.
const UMBRELLA: [&str; 5] = ["", "gemini", "minimax", "qwen", "full"];

pub(crate) fn run() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    for (package, features) in PACKAGES {
        lint(package, features)?;
    }
    for package in BARE {
        cargo(
            &[
                "clippy",
                "-p",
                package,
                "--no-default-features",
                "--",
                "-D",
                "warnings",
            ],
            &[],
        )?;
    }
    for features in UMBRELLA {
        lint("llm-auth", features)?;
    }
    for (package, features) in PACKAGES {
        cargo(&["test", "-p", package, "--features", features], &[])?;
    }
    model::run()?;
    for features in UMBRELLA {
        cargo(&["test", "-p", "llm-auth", "--features", features], &[])?;
    }
    documentation()?;
    features::run()?;
    publish::run()?;
    deny::run()
}

/// A link that only one set of features can follow breaks the page that docs.rs makes of another.
fn documentation() -> Result<(), String> {
    let doc = |flags: &[&str]| {
        let line = [&["doc", "--no-deps"], flags].concat();
        cargo(&line, &[("RUSTDOCFLAGS", "-D warnings")])
    };
    for package in BARE {
        doc(&["-p", package, "--no-default-features"])?;
    }
    for (package, features) in PACKAGES {
        doc(&["-p", package])?;
        if !features.is_empty() {
            doc(&["-p", package, "--features", features])?;
        }
    }
    for features in UMBRELLA {
        doc(&["-p", "llm-auth", "--features", features])?;
    }
    doc(&["--workspace", "--features", "llm-auth/full"])
}

fn lint(package: &str, features: &str) -> Result<(), String> {
    cargo(
        &[
            "clippy",
            "-p",
            package,
            "--all-targets",
            "--features",
            features,
            "--",
            "-D",
            "warnings",
        ],
        &[],
    )
}
