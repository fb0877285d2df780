//! Files that flags and variables name.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::Failure;

/// The largest file of another program, of an OAuth client or of settings that is read.
pub(crate) const LARGEST: u64 = 1024 * 1024;

/// The scheme of what was meant as a URL where a path is wanted.
pub(crate) fn scheme_of(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let (scheme, _) = text.split_once("://")?;
    // `C://` is the drive of a path, and what has a separator before is no scheme.
    let is_drive = cfg!(windows) && scheme.len() == 1;
    (!is_drive).then(|| scheme.to_owned())
}

/// The reason why a URL is not taken for a path. The value is not repeated: there may be a
/// password in it.
pub(crate) fn no_path(scheme: &str) -> String {
    // Decision 0042.
    if scheme.eq_ignore_ascii_case("file") {
        return "it must be a path, without `file://`".to_owned();
    }
    "it is a URL, and only file paths are supported".to_owned()
}

/// Refuses a URL where a flag wants a path.
pub(crate) fn check_path(flag: &str, path: &Path) -> Result<(), Failure> {
    match scheme_of(path) {
        Some(scheme) => Err(Failure::Config {
            message: format!("{flag} cannot be used: {}", no_path(&scheme)),
            advice: format!("name a file on this computer with {flag}"),
        }),
        None => Ok(()),
    }
}

/// Refuses `-` where a flag names a file that is written. `instead` is what prints the same.
pub(crate) fn check_written_path(flag: &str, path: &Path, instead: &str) -> Result<(), Failure> {
    check_path(flag, path)?;
    match path == Path::new("-") {
        true => Err(Failure::Usage(format!(
            "{flag} takes a file, and `-` is none: {instead}"
        ))),
        false => Ok(()),
    }
}

/// Refuses a file that decides where credentials go if every user of this computer can change it.
#[cfg(unix)]
pub(crate) fn check_unchanged_by_others(file: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let about = file.metadata().ok().filter(std::fs::Metadata::is_file);
    match about.is_some_and(|about| about.permissions().mode() & 0o002 != 0) {
        false => Ok(()),
        true => Err(Failure::Config {
            message: format!("every user of this computer can change {}", file.display()),
            advice: "read it, then keep others from writing to it (`chmod o-w FILE`)".into(),
        }),
    }
}

#[cfg(not(unix))]
pub(crate) fn check_unchanged_by_others(_file: &Path) -> Result<(), Failure> {
    Ok(())
}

/// The mode of a regular file that other users can read or write. Elsewhere than on Unix it is unknown.
#[cfg(unix)]
fn readable_by_others(file: &Path) -> Option<u32> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let about = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mode = about.permissions().mode() & 0o777;
    is_open_to_others(mode, about.uid(), about.gid()).then_some(mode)
}

#[cfg(not(unix))]
fn readable_by_others(_file: &Path) -> Option<u32> {
    None
}

/// Refuses a file with a secret that other users can read or write. `what` names it.
pub(crate) fn check_private(what: &str, file: &Path) -> Result<(), Failure> {
    match readable_by_others(file) {
        None => Ok(()),
        Some(mode) => Err(Failure::Config {
            message: format!(
                "other users can read {what} {} (mode {mode:o})",
                file.display()
            ),
            advice:
                "make it yours alone (`chmod 600 FILE`), and replace the secret in it if another \
                     user may have read it"
                    .into(),
        }),
    }
}

#[cfg(unix)]
fn is_open_to_others(mode: u32, owner: u32, group: u32) -> bool {
    // A credential of systemd belongs to the administrator, and an access list names the user of the
    // service: the bits of the group are then those of that list.
    let others = match (owner, group) {
        (0, 0) => 0o037,
        _ => 0o077,
    };
    mode & others != 0
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_scheme_is_no_path() {
        for url in [
            "postgres://user:made-up@db.example/x",
            "file:///home/me/t.json",
            "S3://bucket/t.json",
            "://",
            "keyring://llm-auth",
        ] {
            let failure = check_path("--store", Path::new(url)).unwrap_err();
            assert!(!failure.message().contains("made-up"));
        }
        for path in ["t.json", "/a/b.json", "a:b", "a:/b", "x//y"] {
            assert!(check_path("--store", Path::new(path)).is_ok(), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_credential_of_systemd_is_for_its_service_alone() {
        for (mode, owner, group, is_open) in [
            (0o600, 1_000, 1_000, false),
            (0o640, 1_000, 1_000, true),
            (0o604, 1_000, 1_000, true),
            (0o440, 0, 1_000, true),
            (0o440, 0, 0, false),
            (0o460, 0, 0, true),
            (0o444, 0, 0, true),
        ] {
            let found = is_open_to_others(mode, owner, group);
            assert_eq!(found, is_open, "{mode:o} {owner} {group}");
        }
    }
}
