//! The packages of the command for PyPI and npm: built, installed in an empty directory, and tried
//! there with the SDKs that they are for.

mod npm;
mod python;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages;
use crate::run::{announced, cargo};

pub(crate) use npm::check_versions;

/// Where the packages and their tests are.
const SOURCES: &str = "crates/cli/packages";

/// What both languages need.
struct Built {
    /// The directory above the packages, and the files that are made of them.
    sources: PathBuf,
    out: PathBuf,
    /// The command and the simulated providers.
    command: PathBuf,
    testkit: PathBuf,
    /// `release` or `dev`.
    profile: &'static str,
    version: String,
}

/// Builds with `--release` what is published, otherwise what the other tests use too.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let release = arguments.iter().any(|argument| argument == "--release");
    let sources = absolute(Path::new(SOURCES))?;
    let (python, node) = (python::Tools::find(&sources)?, npm::Tools::find(&sources)?);
    if python.is_none() && node.is_none() {
        return Ok(());
    }
    let built = Built::new(sources, release)?;
    if let Some(python) = python {
        python.build_and_try(&built)?;
    }
    if let Some(node) = node {
        node.build_and_try(&built)?;
    }
    println!("=== the packages are in {}", built.out.display());
    Ok(())
}

impl Built {
    fn new(sources: PathBuf, release: bool) -> Result<Self, String> {
        check_versions()?;
        if release {
            let programs = ["-p", "llm-auth-cli", "-p", "llm-auth-testkit"];
            cargo(&[&["build", "--release"], &programs[..]].concat(), &[])?;
        } else {
            packages::build_all()?;
        }
        let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_unset| "target".into());
        let target = absolute(Path::new(&target))?;
        let binaries = target.join(if release { "release" } else { "debug" });
        let out = target.join("packages");
        emptied(&out)?;
        Ok(Self {
            sources,
            out,
            command: binaries.join("llm-auth"),
            testkit: binaries.join("llm-auth-testkit"),
            profile: if release { "release" } else { "dev" },
            version: packages::version()?,
        })
    }

    /// An empty directory, which stays for a look after a failure.
    fn trial(&self, name: &str) -> Result<PathBuf, String> {
        let directory = self.out.join("trial").join(name);
        emptied(&directory)?;
        Ok(directory)
    }

    /// The file of a package that was just made.
    fn made(&self, extension: &str, begins: &str) -> Result<PathBuf, String> {
        let entries = fs::read_dir(&self.out).map_err(|error| error.to_string())?;
        let mut files = entries.flatten().map(|entry| entry.path());
        let found = files.find(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(begins) && name.ends_with(extension)
        });
        found.ok_or_else(|| format!("no {begins}*{extension} was made"))
    }

    fn tries(&self, command: &mut Command) -> Result<(), String> {
        announced(
            command
                .env("LLM_AUTH_PACKAGES", &self.sources)
                .env("LLM_AUTH_TESTKIT", &self.testkit),
        )
    }
}

/// Prints what is left out; with `CI` set that is an error.
fn skipped<T>(what: &str, missing: &str) -> Result<Option<T>, String> {
    let line = format!("{missing} is not installed (.ci/run installs it): {what}");
    if std::env::var_os("CI").is_some() {
        return Err(line);
    }
    println!("SKIPPED: {line}");
    Ok(None)
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn emptied(directory: &Path) -> Result<(), String> {
    let _not_there = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))
}

fn copied(from: &Path, to: &Path) -> Result<(), String> {
    let copied = fs::copy(from, to).map(drop);
    copied.map_err(|error| format!("cannot copy {}: {error}", from.display()))
}
