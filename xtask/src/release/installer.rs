//! The shell installer, with the sums of the archives that it may install.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Its text, with `@FROM@` and `@SUMS@` in place of what a release decides.
const INSTALLER: &str = include_str!("../../../crates/cli/packages/install.sh");

/// Writes it, and `SHA256SUMS`, beside the archives.
pub(super) fn written(out: &Path, archives: &[PathBuf], from: &str) -> Result<PathBuf, String> {
    let summed = Command::new("sha256sum")
        .current_dir(out)
        .args(archives.iter().filter_map(|archive| archive.file_name()))
        .output();
    let summed = summed.map_err(|error| format!("cannot run sha256sum: {error}"))?;
    let sums = String::from_utf8_lossy(&summed.stdout).into_owned();
    if !summed.status.success() || sums.lines().count() != archives.len() {
        return Err("sha256sum failed".into());
    }
    let failed = |error: std::io::Error| error.to_string();
    let text = INSTALLER
        .replace("@FROM@", from)
        .replace("@SUMS@", sums.trim_end());
    fs::write(out.join("SHA256SUMS"), &sums).map_err(failed)?;
    let installer = out.join("install.sh");
    fs::write(&installer, text).map_err(failed)?;
    Ok(installer)
}

/// Installs from the files of the release, and not from files that were changed.
pub(super) fn check(installer: &Path, from: &Path, home: &Path) -> Result<(), String> {
    let _not_there = fs::remove_dir_all(home);
    let failed = |error: std::io::Error| error.to_string();
    let changed = home.join("changed");
    fs::create_dir_all(&changed).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)?.flatten() {
        let mut bytes = fs::read(entry.path()).map_err(failed)?;
        bytes.push(0);
        fs::write(changed.join(entry.file_name()), bytes).map_err(failed)?;
    }
    let command = home.join("bin/llm-auth");
    let refused = install(installer, &changed, home)?;
    if refused.status.success() || command.exists() {
        return Err("the installer installs an archive that was changed".into());
    }
    let done = install(installer, from, home)?;
    if !done.status.success() || !command.exists() {
        let why = String::from_utf8_lossy(&done.stderr);
        return Err(format!("the installer does not install the release: {why}"));
    }
    println!("=== the installer installs the archive, and refuses a changed one");
    Ok(())
}

fn install(installer: &Path, from: &Path, home: &Path) -> Result<Output, String> {
    let output = Command::new("sh")
        .arg(installer)
        .arg("--from")
        .arg(from)
        .arg("--dir")
        .arg(home.join("bin"))
        .env("HOME", home)
        .output();
    output.map_err(|error| format!("cannot run sh: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with a script as the command, and an installer for it.
    fn release() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("out");
        let name = format!("llm-auth-cli-{}", crate::release::host().unwrap());
        fs::create_dir_all(out.join(&name)).unwrap();
        let script = "#!/bin/sh\necho llm-auth made-up\n";
        fs::write(out.join(&name).join("llm-auth"), script).unwrap();
        let pack = "chmod 755 \"$1/llm-auth\" && tar -czf \"$1.tar.gz\" \"$1\" && rm -r \"$1\"";
        let mut shell = Command::new("sh");
        let shell = shell.current_dir(&out).args(["-ec", pack, "sh", &name]);
        assert!(shell.status().unwrap().success());
        let archive = out.join(format!("{name}.tar.gz"));
        let installer = written(&out, &[archive], "https://localhost.invalid").unwrap();
        (root, out, installer)
    }

    #[test]
    fn the_installer_installs_a_release_and_nothing_that_was_changed() {
        let (root, out, installer) = release();
        let home = root.path().join("home");
        check(&installer, &out, &home).unwrap();
        let run = Command::new(home.join("bin/llm-auth")).output().unwrap();
        assert_eq!(run.stdout, b"llm-auth made-up\n");
        assert_eq!(fs::read_dir(home.join("bin")).unwrap().count(), 1);
    }

    #[test]
    fn an_installer_that_was_cut_off_or_has_no_sum_installs_nothing() {
        let (root, out, installer) = release();
        let home = root.path().join("home");
        let whole = fs::read_to_string(&installer).unwrap();
        let unknown = whole.replace("llm-auth-cli-", "llm-auth-other-");
        let unknown = unknown.replacen("name=llm-auth-other-", "name=llm-auth-cli-", 1);
        for share in 1..20 {
            fs::write(&installer, &whole[..whole.len() * share / 20]).unwrap();
            let _may_fail = install(&installer, &out, &home).unwrap();
            assert!(!home.join("bin").exists(), "after {share} of 20 parts");
        }
        fs::write(&installer, unknown).unwrap();
        let refused = install(&installer, &out, &home).unwrap();
        let why = String::from_utf8_lossy(&refused.stderr);
        assert!(why.contains("has no archive for"), "{why}");
        assert!(!home.join("bin").exists());
    }

    #[test]
    fn an_archive_is_downloaded_by_https_alone() {
        let (root, _, installer) = release();
        let from = Path::new("http://127.0.0.1:1");
        let refused = install(&installer, from, root.path()).unwrap();
        let why = String::from_utf8_lossy(&refused.stderr);
        assert!(
            !refused.status.success() && why.contains("not an https URL"),
            "{why}"
        );
    }
}
