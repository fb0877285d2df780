//! How a store is named.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::error::Failure;
use crate::session::directories;
use crate::system::files;

/// A store of all sessions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum StoreName {
    /// Plain files.
    Files,
    /// The keyring of the operating system.
    Keyring,
    /// Encrypted files, in a directory of the user's or in the usual one.
    Encrypted(Option<PathBuf>),
}

/// What `--store` takes.
#[derive(Clone, Debug)]
pub(crate) enum StoreFlag {
    /// One session in one plain file.
    File(PathBuf),
    All(StoreName),
}

const ENCRYPTED: &str = "encrypted";

impl StoreName {
    /// Reads a name; the reason why it is none.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        match (text, text.split_once(':')) {
            ("files", _) => Ok(Self::Files),
            ("keyring", _) => Ok(Self::Keyring),
            (ENCRYPTED, _) => Ok(Self::Encrypted(None)),
            (_, Some((ENCRYPTED, directory))) if !directory.is_empty() => {
                Ok(Self::Encrypted(Some(PathBuf::from(directory))))
            }
            // There may be a password in it.
            _ => Err(
                "it is none of `files`, `keyring`, `encrypted` and `encrypted:DIRECTORY`".into(),
            ),
        }
    }

    /// The directory that has a file for each session.
    pub(crate) fn directory(&self) -> Result<PathBuf, Failure> {
        match self {
            Self::Files => directories::sessions(),
            Self::Keyring => Ok(directories::home()?.join("keyring")),
            Self::Encrypted(None) => Ok(directories::home()?.join(ENCRYPTED)),
            Self::Encrypted(Some(directory)) => {
                files::check_path("encrypted:", directory)?;
                Ok(directory.clone())
            }
        }
    }

    /// The same from any current directory.
    pub(crate) fn absolute(self) -> Self {
        match self {
            Self::Encrypted(Some(path)) => {
                Self::Encrypted(Some(std::path::absolute(&path).unwrap_or(path)))
            }
            other => other,
        }
    }

    /// In words.
    pub(crate) fn title(&self) -> &'static str {
        match self {
            Self::Files => "plain files",
            Self::Keyring => "the keyring",
            Self::Encrypted(_) => "encrypted files",
        }
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files => f.write_str("files"),
            Self::Keyring => f.write_str("keyring"),
            Self::Encrypted(None) => f.write_str(ENCRYPTED),
            Self::Encrypted(Some(directory)) => write!(f, "{ENCRYPTED}:{}", directory.display()),
        }
    }
}

impl From<OsString> for StoreFlag {
    /// What is no name is a file; `./keyring` is one, too.
    fn from(value: OsString) -> Self {
        match value.to_str().map(StoreName::of) {
            Some(Ok(name)) => Self::All(name),
            _ => Self::File(value.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_and_anything_else_is_a_file() {
        for name in ["files", "keyring", "encrypted", "encrypted:/a b"] {
            assert_eq!(StoreName::of(name).unwrap().to_string(), name);
        }
        for file in [
            "keyring.json",
            "./keyring",
            "encrypted:",
            "Keyring",
            "a/encrypted:b",
        ] {
            let flag = StoreFlag::from(OsString::from(file));
            assert!(matches!(flag, StoreFlag::File(path) if path.as_os_str() == file));
        }
    }
}
