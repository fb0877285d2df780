//! The project's own tasks: `cargo xtask <task>`. Few dependencies: it is built before everything else.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for the terminal"
)]

mod bench;
mod deny;
mod features;
mod measure;
mod model;
mod packages;
mod publish;
mod release;
mod run;
mod screenshots;
mod test_all;
mod tidy;
mod tools;
mod torture;
mod wrappers;

use std::process::ExitCode;

/// Each task, and what it does in one line.
const TASKS: [(&str, &str); 15] = [
    (
        "bench",
        "measures llm-auth beside its peers; names of sections may follow",
    ),
    ("build", "builds the tests that test-all runs"),
    (
        "deny",
        "checks the dependencies: advisories, licences, sources",
    ),
    (
        "features",
        "checks which TLS back end each set of features brings",
    ),
    ("help", "prints this list"),
    (
        "measure",
        "measures build time, size and start of a provider crate",
    ),
    ("model", "tries the interleavings of what callers share"),
    (
        "packages",
        "builds the packages for PyPI and npm, and tries them; --release",
    ),
    (
        "publish",
        "checks what a package needs before it is published",
    ),
    (
        "release",
        "makes the archive, the installer and the Debian package; --merge DIR",
    ),
    (
        "screenshots",
        "makes the pictures of docs/screenshots again",
    ),
    (
        "test-all",
        "runs everything that must hold before a change is done",
    ),
    ("tidy", "checks imports, file sizes, words and examples"),
    (
        "tools",
        "runs the recipes of docs/tools with the real programs; NAME..., --binaries DIR",
    ),
    (
        "torture",
        "makes faults around the real command; --long, --only F1,F2, --seed N; or around hosts: --fleet",
    ),
];

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_else(|| "help".into());
    match run(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &str) -> Result<(), String> {
    match task {
        "bench" => bench::run(),
        "build" => packages::build_all(),
        "deny" => deny::run(),
        "features" => features::run(&packages::all()?),
        "help" | "--help" | "-h" => {
            help();
            Ok(())
        }
        "measure" => measure::run(),
        "model" => model::run(),
        "packages" => wrappers::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        "publish" => publish::run(),
        "release" => release::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        "screenshots" => screenshots::run(),
        "test-all" => test_all::run(),
        "tidy" => tidy::run(),
        "tools" => tools::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        "torture" => torture::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        _ => Err(format!("no task {task:?}; `cargo xtask help` lists them")),
    }
}

fn help() {
    println!("Usage: cargo xtask TASK\n");
    for (name, does) in TASKS {
        println!("  {name:12} {does}");
    }
}
