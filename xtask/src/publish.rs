//! What a package needs before it can be published, without publishing or building anything.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{cargo, cargo_output};

/// Files that each package holds, besides its code.
const FILES: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// The ones that are the same everywhere.
const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// What the registry shows, and what it rejects a package without.
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
    let mut names = Vec::new();
    for folder in published()? {
        let name = check(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
        names.push(name);
    }
    // Dependencies without a version, unknown members, files that are not there.
    let mut line = vec!["package", "--no-verify", "--allow-dirty"];
    line.extend(names.iter().flat_map(|name| ["-p", name]));
    cargo(&line, &[])
}

/// The directories of all packages that are published.
fn published() -> Result<Vec<PathBuf>, String> {
    let trouble = |error: std::io::Error| format!("cannot read crates/: {error}");
    let mut found = Vec::new();
    for entry in fs::read_dir("crates").map_err(trouble)? {
        let folder = entry.map_err(trouble)?.path();
        if !read(&folder.join("Cargo.toml"))?.contains("\npublish = false\n") {
            found.push(folder);
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the name of the package.
fn check(folder: &Path) -> Result<String, String> {
    let manifest = read(&folder.join("Cargo.toml"))?;
    let missing = missing_members(&manifest);
    if !missing.is_empty() {
        return Err(format!("Cargo.toml has no {}", missing.join(", ")));
    }
    let name = value(&manifest, "name").ok_or("Cargo.toml has no name")?;
    let packaged = cargo_output(&["package", "--list", "--allow-dirty", "-p", name])?;
    for file in FILES {
        if !packaged.lines().any(|line| line == file) {
            return Err(format!("the package does not contain {file}"));
        }
    }
    for license in LICENSES {
        if read(&folder.join(license))? != read(Path::new(license))? {
            return Err(format!("{license} is not the one of the repository"));
        }
    }
    Ok(name.into())
}

/// Those that the section `[package]` neither sets nor takes from the workspace.
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

/// The string that a member of `[package]` is set to.
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
