//! The TLS back end that each set of features brings: a build for FIPS must have no trace of ring.

use crate::run::cargo_output;

/// Each package that has the two features, with the features beside them.
const PACKAGES: [(&str, &str); 9] = [
    ("llm-auth-core", ""),
    ("llm-auth-core", "loopback"),
    ("llm-auth-gemini", ""),
    ("llm-auth-minimax", ""),
    ("llm-auth-qwen", ""),
    ("llm-auth", "gemini"),
    ("llm-auth", "minimax"),
    ("llm-auth", "qwen"),
    ("llm-auth", "full"),
];

/// The features, and the crates among [`BACK_ENDS`] that must be in the tree.
const CHOICES: [(&[&str], &str, &[&str]); 4] = [
    (&[], "", &["ring"]),
    (&["--no-default-features"], "", &[]),
    (&["--no-default-features"], "ring", &["ring"]),
    (
        &["--no-default-features"],
        "aws-lc-rs",
        &["aws-lc-rs", "aws-lc-sys"],
    ),
];

const BACK_ENDS: [&str; 3] = ["aws-lc-rs", "aws-lc-sys", "ring"];

pub(crate) fn run() -> Result<(), String> {
    for (package, features) in PACKAGES {
        for (flags, back_end, wanted) in CHOICES {
            let features = format!("{features},{back_end}");
            let tree = [
                &["tree", "-p", package, "-e", "normal", "--target", "all"],
                &["--prefix", "none", "--features", &features][..],
                flags,
            ]
            .concat();
            let found = back_ends(&cargo_output(&tree)?);
            if found != wanted {
                let line = tree.join(" ");
                return Err(format!(
                    "cargo {line} has {found:?}, and should have {wanted:?}"
                ));
            }
        }
    }
    println!("\n=== each set of features brings the TLS back end that it names, and no other");
    Ok(())
}

/// The back ends that a printed tree without branches names.
fn back_ends(tree: &str) -> Vec<&'static str> {
    let in_tree = |name: &str| {
        tree.lines().any(|line| {
            line.split_once(" v")
                .is_some_and(|(first, _)| first == name)
        })
    };
    BACK_ENDS.into_iter().filter(|name| in_tree(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_end_is_known_by_its_whole_name() {
        let tree =
            "llm-auth-qwen v0.1.0 (/x)\nspring v1.0.0\nring v0.17.14 (*)\naws-lc-rs v1.0.0\n";
        assert_eq!(back_ends(tree), ["aws-lc-rs", "ring"]);
    }
}
