//! The checks that must pass before a change is done.

use crate::packages::{self, Package};
use crate::run::{cargo, cargo_beside};
use crate::{deny, features, model, publish, tidy, tools, wrappers};

/// Each library and program that is published is linted alone: a run over the workspace unifies features and hides one
/// that is missing. All tests are linted, built and run together, so that what they depend on is built
/// once. The feature `aws-lc-rs` is not built: that takes minutes, and no code
/// depends on it but the choice of the back end; [`crate::features`] looks at what it brings.
///
/// Tests wait for processes and servers for half of their time. What only compiles runs beside them.
pub(crate) fn run() -> Result<(), String> {
    let packages = packages::all()?;
    cargo(&["fmt", "--all", "--check"], &[])?;
    let together = packages::together(&packages);
    let together = together.each_ref().map(String::as_str);
    lint(cargo, &[&together[..], &["--all-targets"]].concat())?;
    tidy::run()?;
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| compiled(&packages));
        let tested = tests(&together);
        let compiled = beside.join();
        tested?;
        compiled.map_err(|_panic| "the checks beside the tests panicked".to_owned())?
    })?;
    deny::run()
}

fn tests(together: &[&str]) -> Result<(), String> {
    let threads = test_threads();
    let tests = |flags: &[&str]| {
        let line = [&["test"], flags].concat();
        cargo(&line, &[("RUST_TEST_THREADS", &threads)])
    };
    tests(together)?;
    // Without a provider.
    tests(&["-p", packages::UMBRELLA])?;
    wrappers::run(&[])?;
    tools::quick()
}

/// The checks that need a compiler and no server, with their output in one piece for each.
fn compiled(packages: &[Package]) -> Result<(), String> {
    let published = || packages.iter().filter(|package| package.is_published);
    for package in published() {
        // What builds without a back end is seen by the documentation below.
        for features in package.sets() {
            lint(
                cargo_beside,
                &["-p", &package.name, "--features", &features],
            )?;
        }
    }
    documentation(published())?;
    model::run()?;
    features::run(packages)?;
    publish::run()
}

/// Most tests wait for processes and for servers, so more of them fit at once than there are processors.
fn test_threads() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (3 * processors).to_string()
}

/// A link that only one set of features can follow breaks the page that docs.rs makes of another.
fn documentation<'a>(packages: impl Iterator<Item = &'a Package> + Clone) -> Result<(), String> {
    let doc = |flags: &[&str]| {
        let line = [&["doc", "--no-deps"], flags].concat();
        cargo_beside(&line, &[("RUSTDOCFLAGS", "-D warnings")])
    };
    let without = packages.clone().filter(|package| package.has_back_ends());
    let without: Vec<_> = without.flat_map(|package| ["-p", &package.name]).collect();
    doc(&[&["--no-default-features"], &without[..]].concat())?;
    for package in packages {
        doc(&["-p", &package.name])?;
        for features in package.extremes().iter().filter(|set| !set.is_empty()) {
            doc(&["-p", &package.name, "--features", features])?;
        }
    }
    Ok(())
}

fn lint(
    cargo: impl Fn(&[&str], &[(&str, &str)]) -> Result<(), String>,
    flags: &[&str],
) -> Result<(), String> {
    let line = [&["clippy"], flags, &["--", "-D", "warnings"]].concat();
    cargo(&line, &[])
}
