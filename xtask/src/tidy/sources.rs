//! The files that the rules check.

use std::fs;
use std::path::{Path, PathBuf};

/// The directories of the project's own text; dotfiles are not in them.
const ROOTS: [&str; 5] = ["crates", "examples", "xtask", "docs", ".github"];

/// Directories that hold the text of others.
const FOREIGN: [&str; 3] = [".venv", "node_modules", "target"];

/// All files of the project with one of these extensions, sorted.
pub(super) fn with_extension(root: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for name in ROOTS {
        walk(&root.join(name), &mut files)?;
    }
    for entry in entries(root)? {
        if entry.is_file() {
            files.push(entry);
        }
    }
    files.retain(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    });
    files.sort();
    Ok(files)
}

/// The Rust files below a directory, sorted.
pub(super) fn rust_below(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    walk(directory, &mut files)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    Ok(files)
}

pub(super) fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if !directory.exists() {
        return Ok(());
    }
    for entry in entries(directory)? {
        if !entry.is_dir() {
            files.push(entry);
        } else if !FOREIGN.iter().any(|foreign| entry.ends_with(foreign)) {
            walk(&entry, files)?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let read = fs::read_dir(directory).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    });
    read.map_err(|error| format!("{}: {error}", directory.display()))
}
