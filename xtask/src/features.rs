//! The TLS back end that each set of features brings: a build for FIPS must have no trace of ring.

use crate::packages::Package;
use crate::run::cargo_output;

/// What is asked for, and which crates must be in the tree, of those in [`BACK_ENDS`].
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

/// Looks at each package that has the two features, with the features beside them.
pub(crate) fn run(packages: &[Package]) -> Result<(), String> {
    let packages = packages.iter().filter(|package| package.has_back_ends());
    let sets = packages.flat_map(|package| {
        let mut sets = package.sets();
        sets.insert(0, String::new());
        sets.dedup();
        sets.into_iter().map(|set| (&*package.name, set))
    });
    for (package, features) in sets {
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
