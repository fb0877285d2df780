//! How a store on a server is named: by its URL, or by a file with the URL.
//!
//! A URL may hold a password, so what is shown of it is never all of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use llm_auth_core::files;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::system::files::check_private;
use crate::system::url::without_password;

/// The schemes, and the names of the engines.
const SCHEMES: [(&str, Engine); 4] = [
    ("postgres", Engine::Postgres),
    ("postgresql", Engine::Postgres),
    ("redis", Engine::Redis),
    ("rediss", Engine::Redis),
];

/// No URL is longer.
const LONGEST: u64 = 8 * 1024;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Engine {
    Postgres,
    Redis,
}

/// A store on a server.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum ServerName {
    Url(Zeroizing<String>),
    /// The file has the URL, which so stands in no list of processes.
    File(PathBuf),
}

impl Engine {
    /// As programs know it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }

    /// That of a URL.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, _) = url.split_once("://")?;
        let known = SCHEMES.iter().find(|(known, _)| *known == scheme);
        known.map(|(_, engine)| *engine)
    }
}

impl ServerName {
    /// `None` if it is neither the URL of a server nor `@FILE`.
    pub(crate) fn of(text: &str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some(file) if !file.is_empty() => Some(Self::File(file.into())),
            _ => Engine::of(text).map(|_| Self::Url(Zeroizing::new(text.to_owned()))),
        }
    }

    /// The URL, which may hold a password.
    pub(crate) fn url(&self) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Url(url) => Ok(url.clone()),
            Self::File(file) => read_once(file),
        }
    }

    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        let wrong = || Failure::Config {
            message: format!("{self} names no store on a server"),
            advice: "write `postgres://…`, `redis://…` or `rediss://…` into that file".into(),
        };
        Engine::of(&self.url()?).ok_or_else(wrong)
    }

    /// Whether a name that is shown would lack something that a later call needs.
    pub(crate) fn has_secret(&self) -> bool {
        match self {
            Self::Url(url) => self.to_string() != **url,
            Self::File(_) => false,
        }
    }

    /// The name for the settings, whole.
    pub(crate) fn setting(&self) -> String {
        match self {
            Self::Url(url) => url.to_string(),
            Self::File(_) => self.to_string(),
        }
    }

    /// Whether it names the same in every current directory.
    pub(crate) fn is_anywhere_the_same(&self) -> bool {
        match self {
            Self::File(path) => path.is_absolute(),
            Self::Url(_) => true,
        }
    }

    /// The same from any current directory.
    pub(crate) fn absolute(self) -> Self {
        match self {
            Self::File(path) => Self::File(std::path::absolute(&path).unwrap_or(path)),
            url @ Self::Url(_) => url,
        }
    }
}

/// What files had in them. It may be a pipe, and what was judged is what is used.
static READ: Mutex<Vec<(PathBuf, Zeroizing<String>)>> = Mutex::new(Vec::new());

fn read_once(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut all = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, url)) = all.iter().find(|(known, _)| known == file) {
        return Ok(url.clone());
    }
    let url = read(file)?;
    all.push((file.to_owned(), url.clone()));
    Ok(url)
}

/// The first line of the file. It must be the user's own, and unreadable by others.
fn read(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |why: String| Failure::Config {
        message: format!(
            "cannot read the URL of the store in {}: {why}",
            file.display()
        ),
        advice: "name a file that has the URL in its first line, and that only you can read".into(),
    };
    check_private("the URL of the store in", file)?;
    let bytes = files::read_or_pipe(file, LONGEST).map_err(|error| failed(error.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_found| failed("it is not UTF-8".into()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    Ok(Zeroizing::new(line.to_owned()))
}

impl fmt::Display for ServerName {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "@{}", file.display()),
            Self::Url(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_has_no_password() {
        for (url, shown) in [
            ("postgres://ann:made-up@h/d", "postgres://ann@h/d"),
            (
                "postgres://ann:made-up@h:1/d?sslmode=require",
                "postgres://ann@h:1/d?sslmode=require",
            ),
            ("postgres://ann:made/up@h/d", "postgres://…"),
            ("postgres://ann:made?up#made@up@h/d", "postgres://…"),
            ("postgres://made@up:x@h/d", "postgres://…"),
            ("redis://:12#34made@h/0", "redis://…"),
            (
                "postgresql://h/d?user=ann&password=made-up",
                "postgresql://h/d",
            ),
            ("postgres://h/d?p%61ssword=made-up", "postgres://h/d"),
            (
                "redis://:made-up@h:1/2?accept=everysec",
                "redis://h:1/2?accept=everysec",
            ),
            ("rediss://h/#made-up", "rediss://…"),
            ("rediss://:made-up@h/#insecure", "rediss://h/"),
        ] {
            let name = ServerName::of(url).unwrap();
            assert_eq!(name.to_string(), shown);
            assert!(name.has_secret(), "{url}");
            assert!(!format!("{name:?}").contains("made"), "{url}");
        }
        assert!(!ServerName::of("postgres://ann@h/d").unwrap().has_secret());
        for none in ["mysql://h/d", "postgres:/h", "@", "a@b", "POSTGRES://h"] {
            assert_eq!(ServerName::of(none), None, "{none}");
        }
    }
}
