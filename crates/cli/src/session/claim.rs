//! Files that this command writes for other programs. One process writes such a file at a time, and
//! what another program or the user wrote is never replaced.
//!
//! The lock and the record of what was written are in `written` beside the sessions, named by the
//! path, so that nothing lies beside the file.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf, absolute};

use llm_auth_core::files;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::session::directories;
use crate::session::settings::{Held, try_hold};
use crate::system::files::{LARGEST, digest};
use crate::ui::streams::VERSION;

/// What a file is for: one that holds something else is not replaced.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// The token that `keep` writes.
    Token,
    /// The key of a proxy.
    ProxyKey,
}

impl Purpose {
    fn words(self) -> &'static str {
        match self {
            Self::Token => "the token that `llm-auth keep` wrote",
            Self::ProxyKey => "the key that `llm-auth serve --write-key` wrote",
        }
    }
}

/// A file that no other process of this command writes, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Claim {
    /// As the call names it.
    file: PathBuf,
    /// How to name another file, in the imperative.
    otherwise: &'static str,
    /// Whether this process has.
    has_written: bool,
    record: PathBuf,
    written: Written,
    lock: PathBuf,
    _held: Held,
}

/// What this command has written to a path. It holds no secret: a token cannot be found by its
/// digest.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Written {
    v: u32,
    /// For the user; it may not be Unicode.
    file: String,
    /// `None` if an earlier version wrote it.
    #[serde(default)]
    purpose: Option<Purpose>,
    /// SHA-256 of what was written last, and of what that replaces: a crash may leave either.
    sha256: Vec<String>,
}

impl Claim {
    /// Claims a file before anything is changed. What exists there must be what this command wrote
    /// for the same purpose, or an empty file of the user's, such as `mktemp` makes.
    pub(crate) fn take(
        file: &Path,
        purpose: Purpose,
        otherwise: &'static str,
    ) -> Result<Self, Failure> {
        let path = identity(file).map_err(|error| cannot_write(file, otherwise, &error))?;
        let home = directories::home()?;
        let real_home = absolute(&home).map_or_else(|_| home.clone(), |home| real(&home));
        if path.starts_with(&real_home) {
            return Err(Failure::Usage(format!(
                "{} must not be below {}, where llm-auth keeps its own files",
                file.display(),
                home.display()
            )));
        }
        let directory = home.join("written");
        let name = digest(path.as_os_str().as_encoded_bytes());
        let record = directory.join(format!("{name}.json"));
        let lock = directory.join(format!("{name}.json.lock"));
        let held = files::make_directories(&directory).and_then(|()| locked(&lock));
        let held = held.map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => Failure::Config {
                message: format!("another llm-auth process keeps {}", file.display()),
                advice: format!("end it, or {otherwise}"),
            },
            _ => cannot("lock", &lock, &error),
        })?;
        let mut claim = Self {
            file: file.to_owned(),
            otherwise,
            has_written: false,
            written: read(&record, &path)?,
            record,
            lock,
            _held: held,
        };
        // Later, one that has become empty is being written by another program.
        let is_empty = claim.holds(b"");
        if is_empty {
            claim.written.sha256.push(digest(b""));
        }
        let is_taken = claim.present()?.is_some() && !is_empty;
        let former = claim.written.purpose.replace(purpose);
        if let Some(former) = former.filter(|former| is_taken && *former != purpose) {
            return Err(Failure::Config {
                message: format!("{} holds {}", file.display(), former.words()),
                advice: format!("move it away, or {otherwise}"),
            });
        }
        Ok(claim)
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Replaces the file as a whole, for its user only.
    pub(crate) fn replace(&mut self, content: &[u8]) -> Result<(), Failure> {
        let mut digests = vec![digest(content)];
        digests.extend(self.present()?.filter(|before| *before != digests[0]));
        self.written.sha256 = digests;
        // Before the file: after a crash in between, it is still known as written by this command.
        let record = serde_json::to_vec(&self.written).map_err(io::Error::from);
        record
            .and_then(|record| files::replace(&self.record, &record))
            .map_err(|error| cannot("write", &self.record, &error))?;
        files::replace(&self.file, content)
            .map_err(|error| cannot_write(&self.file, self.otherwise, &error))?;
        self.has_written = true;
        Ok(())
    }

    /// Removes the file, unless it has another content than this.
    pub(crate) fn remove(&self, content: &[u8]) -> io::Result<bool> {
        let is_it = self.holds(content);
        if is_it {
            std::fs::remove_file(&self.file)?;
        }
        Ok(is_it)
    }

    /// Whether the file has this content.
    pub(crate) fn holds(&self, content: &[u8]) -> bool {
        let read = files::read(&self.file, content.len() as u64);
        read.is_ok_and(|found| *found == *content)
    }

    /// The digest of the file, which is one that this command wrote; `None` if there is no file.
    fn present(&self) -> Result<Option<String>, Failure> {
        let found = match files::read(&self.file, LARGEST) {
            Ok(content) => Some(digest(&content)),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::FileTooLarge => None,
            Err(error) => return Err(cannot_write(&self.file, self.otherwise, &error)),
        };
        let ours = found.filter(|found| self.written.sha256.contains(found));
        let file = self.file.display();
        ours.map(Some).ok_or_else(|| match self.has_written {
            true => Failure::Config {
                message: format!("another program changed {file}"),
                advice: "move it away, so that it can be written again".into(),
            },
            false => Failure::Config {
                message: match self.written.sha256.is_empty() {
                    true => format!("{file} exists, and llm-auth has not written it"),
                    false => {
                        format!("another program changed {file} after llm-auth had written it")
                    }
                },
                advice: format!("move it away, or {}", self.otherwise),
            },
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let found = std::fs::symlink_metadata(&self.file);
        // Of a file that is gone there is nothing to remember.
        if found.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            let _stays: io::Result<()> = std::fs::remove_file(&self.record);
        }
        // `locked` notices it on Unix.
        if cfg!(unix) && matches!(self.record.try_exists(), Ok(false)) {
            let _stays: io::Result<()> = std::fs::remove_file(&self.lock);
        }
    }
}

/// The one path of a file, however a call names it.
pub(crate) fn identity(file: &Path) -> io::Result<PathBuf> {
    let file = absolute(file)?;
    match (file.parent(), file.file_name()) {
        (Some(parent), Some(name)) => Ok(real(parent).join(name)),
        _ => Err(ErrorKind::IsADirectory.into()),
    }
}

/// A directory without links, as far as it exists.
fn real(directory: &Path) -> PathBuf {
    let mut ancestors = directory.ancestors();
    let found = ancestors.find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    match found {
        Some((ancestor, real)) => match directory.strip_prefix(ancestor) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => directory.to_owned(),
    }
}

fn locked(lock: &Path) -> io::Result<Held> {
    loop {
        let held = try_hold(files::open_or_create(lock)?)?;
        // The process that held it before may have removed it.
        if held.has_name()? {
            return Ok(held);
        }
    }
}

/// What cannot be understood counts as nothing: then what is at the path is not replaced.
fn read(record: &Path, path: &Path) -> Result<Written, Failure> {
    let before: Written = match files::read(record, LARGEST) {
        Ok(content) => serde_json::from_slice(&content).unwrap_or_default(),
        Err(error) if error.kind() == ErrorKind::NotFound => Written::default(),
        Err(error) => return Err(cannot("read", record, &error)),
    };
    Ok(Written {
        v: VERSION,
        file: path.display().to_string(),
        ..before
    })
}

fn cannot(what: &str, record: &Path, error: &io::Error) -> Failure {
    Failure::Config {
        message: format!(
            "cannot {what} the record of a written file, {}: {error}",
            record.display()
        ),
        advice: "check the directory and its permissions, and try again".into(),
    }
}

fn cannot_write(file: &Path, otherwise: &str, error: &io::Error) -> Failure {
    Failure::Config {
        message: format!("cannot write {}: {error}", file.display()),
        advice: format!("check the directory and its permissions, or {otherwise}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_path_whatever_it_is_called_and_whether_it_exists() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("a")).unwrap();
        let wanted = real.join("a/key");
        for name in ["a/key", "./a/key", "a/../a/key", "a//key"] {
            assert_eq!(identity(&real.join(name)).unwrap(), wanted, "{name}");
        }
        let missing = real.join("no/such/key");
        assert_eq!(identity(&missing).unwrap(), missing);
        for nothing in ["", "/"] {
            assert!(identity(Path::new(nothing)).is_err(), "{nothing}");
        }
    }
}
