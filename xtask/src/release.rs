//! The files of a release: the archive with its sum, the installer, and the Debian package.
//!
//! See docs/releasing.md.

mod installer;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run::{announced, cargo, is_installed};

/// Where `[package.metadata.deb]` of the command finds what the command prints; in the repository
/// also if cargo builds elsewhere.
const ASSETS: &str = "target/assets";

const REPOSITORY: &str = "https://github.com/llm-auth/llm-auth";

/// The shells, and the names that their completions have in the package.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "llm-auth"),
    ("fish", "llm-auth.fish"),
    ("zsh", "_llm-auth"),
];

/// What is in the archive besides the command, its pages and its completions.
const TEXTS: [&str; 3] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    match args {
        [] => release(),
        [flag, directory] if flag == "--merge" => merge(Path::new(directory)),
        _ => Err("usage: cargo xtask release [--merge DIR]".into()),
    }
}

/// The installer and the sums of the archives of all platforms, which were collected in a directory.
fn merge(directory: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let entries = fs::read_dir(directory).map_err(failed)?.flatten();
    let files = entries.map(|entry| entry.path());
    let is_archive = |path: &PathBuf| text(path).ends_with(".tar.gz");
    let mut archives: Vec<PathBuf> = files.filter(is_archive).collect();
    archives.sort();
    let own = directory.join(archive_name(&host()?));
    if !archives.contains(&own) {
        let own = own.display();
        return Err(format!(
            "{own} is not there, so the installer cannot be tried here"
        ));
    }
    let installer = installer::written(directory, &archives, &downloads()?)?;
    let tried = std::env::temp_dir().join(format!("llm-auth-installed-{}", std::process::id()));
    installer::check(&installer, directory, &tried)?;
    fs::remove_dir_all(&tried).map_err(|error| error.to_string())?;
    println!(
        "=== install.sh and SHA256SUMS are for {} archives",
        archives.len()
    );
    Ok(())
}

fn release() -> Result<(), String> {
    cargo(&["build", "--release", "-p", "llm-auth-cli"], &[])?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_unset| "target".into());
    let target = std::path::absolute(target).map_err(|error| error.to_string())?;
    let command = target.join("release/llm-auth");
    write_assets(&command)?;

    let out = target.join("distribution");
    emptied(&out)?;
    let archive = archived(&command, &out)?;
    let installer = installer::written(&out, &[archive], &downloads()?)?;
    installer::check(&installer, &out, &target.join("installed"))?;
    match is_installed("deb") {
        true => cargo(
            &["deb", "-p", "llm-auth-cli", "--no-build", "-o", &text(&out)],
            &[],
        )?,
        false => println!("SKIPPED: cargo-deb is not installed: the Debian package"),
    }
    println!("=== the release is in {}", out.display());
    Ok(())
}

/// The manual pages and completions, which the command itself prints.
fn write_assets(command: &Path) -> Result<(), String> {
    let assets = Path::new(ASSETS);
    emptied(&assets.join("man"))?;
    emptied(&assets.join("completions"))?;
    announced(
        Command::new(command)
            .args(["man", "--dir"])
            .arg(assets.join("man")),
    )?;
    for (shell, name) in COMPLETIONS {
        let line = Command::new(command)
            .args(["completions", shell])
            .stderr(Stdio::inherit())
            .output();
        let printed = line.map_err(|error| error.to_string())?;
        if !printed.status.success() {
            return Err(format!("failed: llm-auth completions {shell}"));
        }
        let file = assets.join("completions").join(name);
        fs::write(&file, printed.stdout).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// One directory with the command, as `cargo binstall` and the installer expect it.
fn archived(command: &Path, out: &Path) -> Result<PathBuf, String> {
    let name = format!("llm-auth-cli-{}", host()?);
    let directory = out.join(&name);
    emptied(&directory)?;
    let files = [command.to_owned(), Path::new(ASSETS).join("man")];
    let texts = TEXTS.iter().map(PathBuf::from);
    let files = files.into_iter().chain(texts);
    let files = files.chain([Path::new(ASSETS).join("completions")]);
    announced(Command::new("cp").arg("-R").args(files).arg(&directory))?;
    let archive = out.join(archive_name(&host()?));
    announced(
        Command::new("tar")
            .args(["--owner=0", "--group=0", "--numeric-owner", "-czf"])
            .arg(&archive)
            .arg("-C")
            .args([out, Path::new(&name)]),
    )?;
    fs::remove_dir_all(&directory).map_err(|error| error.to_string())?;
    Ok(archive)
}

/// The platform of this computer in the words of Rust.
fn host() -> Result<String, String> {
    let rustc = Command::new("rustc").arg("-vV").output();
    let printed = rustc.map_err(|error| format!("cannot run rustc: {error}"))?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    let host = printed.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc names no host".into())
}

fn archive_name(host: &str) -> String {
    format!("llm-auth-cli-{host}.tar.gz")
}

/// Where the installer finds the archives of this version.
fn downloads() -> Result<String, String> {
    let version = crate::packages::version()?;
    Ok(format!("{REPOSITORY}/releases/download/v{version}"))
}

fn emptied(directory: &Path) -> Result<(), String> {
    let _not_there = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
