//! How a store of all sessions is named, and which one this call names.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::error::Failure;
use crate::session::directories;
use crate::session::server_name::ServerName;
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
    /// A database.
    Server(ServerName),
}

/// What `--store` takes.
#[derive(Clone, Debug)]
pub(crate) enum StoreFlag {
    /// One session in one plain file.
    File(PathBuf),
    All(StoreName),
}

/// Where the key of encrypted sessions is: at most one of the two. A passphrase is asked for without any.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct KeySource {
    pub(crate) file: Option<PathBuf>,
    pub(crate) command: Option<String>,
}

impl KeySource {
    pub(crate) fn is_some(&self) -> bool {
        self.file.is_some() || self.command.is_some()
    }
}

/// What the call names.
static NAMED: OnceLock<(Option<StoreName>, KeySource)> = OnceLock::new();

/// Takes all sessions from this store, which the call itself names.
pub(crate) fn name(store: Option<StoreName>, key: KeySource) {
    // The one call is read once.
    let _named_before = NAMED.set((store, key));
}

/// The store that the call has named, if it has.
pub(crate) fn store() -> Option<StoreName> {
    NAMED.get().and_then(|(store, _)| store.clone())
}

/// Where the call has said that the key is.
pub(crate) fn key() -> Option<KeySource> {
    let (_, key) = NAMED.get()?;
    key.is_some().then(|| key.clone())
}

/// The flags about the store of all sessions that this call has, for another call about the same.
pub(crate) fn named() -> Vec<(&'static str, String)> {
    let Some((store, key)) = NAMED.get() else {
        return Vec::new();
    };
    flags(store.clone().map(StoreName::absolute).as_ref(), key)
}

/// The flags that name a store and its key.
pub(crate) fn flags(store: Option<&StoreName>, key: &KeySource) -> Vec<(&'static str, String)> {
    let path = |path: &PathBuf| absolute(path).display().to_string();
    [
        ("--store", store.map(ToString::to_string)),
        ("--key-file", key.file.as_ref().map(path)),
        ("--key-command", key.command.clone()),
    ]
    .into_iter()
    .filter_map(|(flag, value)| Some((flag, value?)))
    .collect()
}

fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
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
            _ => ServerName::of(text).map(Self::Server).ok_or_else(|| {
                "it is none of `files`, `keyring`, `encrypted`, `encrypted:DIRECTORY`, \
                 `postgres://…`, `redis://…`, `rediss://…` and `@FILE`, a file with such a URL"
                    .into()
            }),
        }
    }

    /// The directory that has a file for each session; `None` if they are on a server.
    pub(crate) fn directory(&self) -> Result<Option<PathBuf>, Failure> {
        Ok(Some(match self {
            Self::Files => directories::sessions()?,
            Self::Keyring => directories::home()?.join("keyring"),
            Self::Encrypted(None) => directories::home()?.join(ENCRYPTED),
            Self::Encrypted(Some(directory)) => {
                files::check_path("encrypted:", directory)?;
                directory.clone()
            }
            Self::Server(_) => return Ok(None),
        }))
    }

    /// The name for the settings, whole: there may be a password in it.
    pub(crate) fn setting(&self) -> String {
        match self {
            Self::Server(name) => name.setting(),
            other => other.to_string(),
        }
    }

    /// The same from any current directory.
    pub(crate) fn absolute(self) -> Self {
        match self {
            Self::Encrypted(Some(path)) => {
                Self::Encrypted(Some(std::path::absolute(&path).unwrap_or(path)))
            }
            Self::Server(name) => Self::Server(name.absolute()),
            other => other,
        }
    }

    /// In words.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Files => "plain files".into(),
            Self::Keyring => "the keyring".into(),
            Self::Encrypted(_) => "encrypted files".into(),
            Self::Server(name) => name.to_string(),
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
            // Without its password.
            Self::Server(name) => name.fmt(f),
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
        for name in [
            "files",
            "keyring",
            "encrypted",
            "encrypted:/a b",
            "postgres://ann@h/d",
            "rediss://h",
            "@/run/url",
        ] {
            assert_eq!(StoreName::of(name).unwrap().to_string(), name);
        }
        for file in [
            "keyring.json",
            "./keyring",
            "encrypted:",
            "Keyring",
            "a/encrypted:b",
            "./@a",
            "mysql://h/d",
        ] {
            let flag = StoreFlag::from(OsString::from(file));
            assert!(matches!(flag, StoreFlag::File(path) if path.as_os_str() == file));
        }
    }
}
