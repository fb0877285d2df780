//! The checks that a package can be published, without publishing or building anything.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{cargo_beside, cargo_output};
use crate::wrappers;

/// Files that each package holds, besides its code.
const FILES: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// The files that are the same everywhere.
const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// The members that the registry shows or requires.
const MEMBERS: [&str; 9] = [
    "authors",
    "categories",
    "description",
    "documentation",
    "edition",
    "keywords",
    "license",
    "repository",
    "rust-version",
];

pub(crate) fn run() -> Result<(), String> {
    wrappers::check_versions()?;
    let mut names = Vec::new();
    for directory in published()? {
        let name = check(&directory).map_err(|why| format!("{}: {why}", directory.display()))?;
        names.push(name);
    }
    // Dependencies without a version, unknown members, files that are not there.
    let mut line = vec!["package", "--no-verify", "--allow-dirty"];
    line.extend(names.iter().flat_map(|name| ["-p", name]));
    cargo_beside(&line, &[])
}

/// The directories of all packages that are published.
fn published() -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("cannot read crates/: {error}");
    let mut found = Vec::new();
    for entry in fs::read_dir("crates").map_err(failed)? {
        let directory = entry.map_err(failed)?.path();
        if !read(&directory.join("Cargo.toml"))?.contains("\npublish = false\n") {
            found.push(directory);
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the name of the package.
fn check(directory: &Path) -> Result<String, String> {
    let manifest = read(&directory.join("Cargo.toml"))?;
    let missing = missing_members(&manifest);
    if !missing.is_empty() {
        return Err(format!("Cargo.toml has no {}", missing.join(", ")));
    }
    // A page of docs.rs without a feature lacks its names, and links to them lead nowhere.
    if !section(&manifest, "[package.metadata.docs.rs]").contains("\nall-features = true\n") {
        return Err("docs.rs does not show all features".to_owned());
    }
    let name = value(&manifest, "name").ok_or("Cargo.toml has no name")?;
    let packaged = cargo_output(&["package", "--list", "--allow-dirty", "-p", name])?;
    for file in FILES {
        if !packaged.lines().any(|line| line == file) {
            return Err(format!("the package does not contain {file}"));
        }
    }
    for license in LICENSES {
        if read(&directory.join(license))? != read(Path::new(license))? {
            return Err(format!("{license} is not the one of the repository"));
        }
    }
    Ok(name.into())
}

/// The members that the section `[package]` neither sets nor takes from the workspace.
fn missing_members(manifest: &str) -> Vec<&'static str> {
    let package = section(manifest, "[package]");
    let has = |member: &str| {
        package.lines().any(|line| {
            line.strip_prefix(member)
                .is_some_and(|rest| rest.starts_with(" = ") || rest == ".workspace = true")
        })
    };
    MEMBERS.into_iter().filter(|member| !has(member)).collect()
}

/// The string value of a member of `[package]`.
fn value<'a>(manifest: &'a str, member: &str) -> Option<&'a str> {
    section(manifest, "[package]").lines().find_map(|line| {
        let quoted = line.strip_prefix(member)?.strip_prefix(" = \"")?;
        quoted.strip_suffix('"')
    })
}

fn section<'a>(manifest: &'a str, name: &str) -> &'a str {
    let Some((_, after)) = manifest.split_once(name) else {
        return "";
    };
    after
        .split_once("\n[")
        .map_or(after, |(section, _)| section)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_counts_only_in_the_section_of_the_package() {
        let manifest = "[package]\nname = \"x\"\nedition.workspace = true\nkeywords = []\n\n[features]\ncategories = []\n";
        let missing = missing_members(manifest);
        assert!(!missing.contains(&"edition") && !missing.contains(&"keywords"));
        for member in ["authors", "categories", "documentation", "license"] {
            assert!(missing.contains(&member), "{member}");
        }
        assert_eq!(value(manifest, "name"), Some("x"));
    }
}
