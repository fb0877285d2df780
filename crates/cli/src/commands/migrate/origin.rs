//! The name of this user's directory, by which a copy says from where it came.
//!
//! "files" is the same word on every computer, and two of them may move sessions into one database.

use std::io;
use std::path::Path;

use llm_auth_core::files;

use crate::error::Failure;
use crate::session::directories;
use crate::session::settings::hold;
use crate::session::store_name::StoreName;

/// Letters and digits of the name.
const LENGTH: usize = 16;

/// The store, as copies from here name it.
pub(super) fn origin(store: &StoreName) -> Result<String, Failure> {
    let file = directories::home()?.join("migrate.id");
    let id = id(&file).map_err(|error| Failure::Config {
        message: format!("cannot write {}: {error}", file.display()),
        advice: "check the directory and its permissions".into(),
    })?;
    Ok(format!("{store} ({id})"))
}

/// The name in this file, which is made once.
fn id(file: &Path) -> io::Result<String> {
    if let Some(directory) = file.parent() {
        files::make_directories(directory)?;
    }
    let _held = hold(files::open_or_create(&file.with_extension("lock"))?)?;
    let known = match files::read_own(file, 1024) {
        Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if known.len() == LENGTH && known.chars().all(|one| one.is_ascii_hexdigit()) {
        return Ok(known);
    }
    let mut random = [0; LENGTH / 2];
    getrandom::fill(&mut random).map_err(|_source| io::Error::other("no random numbers"))?;
    let new: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    files::replace(file, new.as_bytes())?;
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_name_and_another_one_has_another() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let of = |directory: &tempfile::TempDir| id(&directory.path().join("migrate.id")).unwrap();
        let first = of(&one);
        assert_eq!(first.len(), LENGTH);
        assert_eq!(of(&one), first);
        assert_ne!(of(&other), first);
        // A damaged one is replaced.
        std::fs::write(one.path().join("migrate.id"), "made-up").unwrap();
        assert_ne!(of(&one), first);
    }
}
