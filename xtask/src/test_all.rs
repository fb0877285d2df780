//! Everything that must hold before a change is done.

use crate::model;
use crate::run::cargo;

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

/// The umbrella's features: none, each, all.
const UMBRELLA: [&str; 5] = ["", "gemini", "minimax", "qwen", "full"];

pub(crate) fn run() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    for (package, features) in PACKAGES {
        lint(package, features)?;
    }
    // The smallest core: no listener, no TLS back end of its own.
    cargo(
        &[
            "clippy",
            "-p",
            "llm-auth-core",
            "--no-default-features",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    )?;
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
    cargo(
        &[
            "doc",
            "--workspace",
            "--no-deps",
            "--features",
            "llm-auth/full",
        ],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )
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
