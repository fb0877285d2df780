//! One token file: read, replaced as a whole, removed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::lock::FileLock;
use super::ready::{FOLLOWS, Ready, token_fingerprint};
use super::sealing::Sealing;
use super::target::{SIZE_LIMIT, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::json;
use crate::token::OAuthToken;

/// Room for a successor, beyond twice the present size.
const RESERVE: usize = 16 * 1024;

/// The location of one session.
#[derive(Clone, Debug)]
pub(super) struct SessionFile {
    path: PathBuf,
    own_directory: Option<PathBuf>,
    /// The account's name, if the file name does not hold it.
    account: Option<String>,
    sealing: Sealing,
}

/// A session file with its links resolved, for the holder of its lock.
#[derive(Clone, Debug)]
pub(super) struct LockedFile {
    pub(super) target: Target,
    account: Option<String>,
}

impl SessionFile {
    pub(super) fn new(
        path: PathBuf,
        own_directory: Option<PathBuf>,
        account: Option<String>,
        sealing: Sealing,
    ) -> Self {
        Self {
            path,
            own_directory,
            account,
            sealing,
        }
    }

    /// The stored session; `None` without a file. It does not need the lock.
    pub(super) fn read(&self) -> Result<Option<OAuthToken>> {
        let target = self.target()?;
        let shared = self.not_of_our_own(&target);
        match files::check_directory(shared) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            checked => {
                checked.map_err(|source| store_error("use the directory", shared, source))?;
            }
        }
        target.read_unlocked()
    }

    /// Creates the directories, and resolves the links for as long as the lock is held.
    pub(super) fn make_directory(&self) -> Result<LockedFile> {
        let target = self.target()?;
        let directory = target.directory();
        files::make_directories(directory)
            .map_err(|source| store_error("create the directory", directory, source))?;
        let shared = self.not_of_our_own(&target);
        files::check_directory(shared)
            .map_err(|source| store_error("use the directory", shared, source))?;
        if let Some(own) = &self.own_directory {
            for ours in [own.as_path(), directory] {
                files::tighten_directory(ours)
                    .map_err(|source| store_error("use the directory", ours, source))?;
            }
        }
        Ok(LockedFile {
            target,
            account: self.account.clone(),
        })
    }

    /// The lowest directory that is not the library's own: no other user may be able to replace
    /// files in it. The library's own directories are tightened on a write.
    fn not_of_our_own<'a>(&'a self, target: &'a Target) -> &'a Path {
        match &self.own_directory {
            Some(own) => files::parent_of(own),
            None => target.directory(),
        }
    }

    /// The path of the lock file. Nothing is created or changed.
    pub(super) fn lock_path(&self) -> Result<PathBuf> {
        Ok(self.target()?.lock_path())
    }

    fn target(&self) -> Result<Target> {
        Target::of(&self.path, self.sealing.clone())
    }
}

impl LockedFile {
    /// The stored session, with the record in the lock file. A successor that a dead process left
    /// next to the file is moved into place, and any other leftover is removed.
    pub(super) fn load(&self, lock: &FileLock) -> Result<Option<OAuthToken>> {
        let stored = self.target.read()?;
        Ok(noted(self.target.recover(stored)?, lock))
    }

    /// The same during a save of this process: no other file is touched.
    pub(super) fn load_prepared(&self, lock: &FileLock) -> Result<Option<OAuthToken>> {
        Ok(noted(self.target.read()?, lock))
    }

    // Decision 0003 and decision 0037.
    /// Acquires everything that a save needs, and records the refresh in progress in the lock file:
    /// a save that would fail (no space, no permission, a file that is a mount point) fails in
    /// time.
    pub(super) fn prepare(
        &self,
        noted: Option<&OAuthToken>,
        lock: &Arc<FileLock>,
    ) -> Result<Ready> {
        let size = match noted {
            Some(noted) => {
                let size = self.serialize(noted, None)?.len();
                self.check_size(size + RESERVE)?;
                RESERVE + size * 2
            }
            None => RESERVE,
        };
        let follows = noted
            .filter(|noted| noted.may_be_spent())
            .map(token_fingerprint);
        let ready = self.ready(noted, size, follows, lock)?;
        if let Some(noted) = noted {
            lock.record_intent(noted)
                .map_err(|source| store_error("note in", &self.target.lock_path(), source))?;
        }
        Ok(ready)
    }

    fn ready(
        &self,
        noted: Option<&OAuthToken>,
        size: usize,
        follows: Option<String>,
        lock: &Arc<FileLock>,
    ) -> Result<Ready> {
        let is_corrupt = match self.target.read() {
            Err(error) if error.kind() == ErrorKind::Corrupt => true,
            Err(error) => return Err(error),
            Ok(stored) => {
                self.place_waiting(stored.as_ref(), noted)?;
                false
            }
        };
        let ready = Ready::new(&self.target, size, follows, Arc::clone(lock))?;
        Ok(match is_corrupt {
            true => ready.keep_old_aside(),
            false => ready,
        })
    }

    /// The temporary file is needed, so a successor in it is moved into place first, or this fails.
    fn place_waiting(&self, stored: Option<&OAuthToken>, noted: Option<&OAuthToken>) -> Result<()> {
        let successor = match stored {
            Some(stored) => self.target.successor(stored)?,
            None => None,
        };
        let Some(successor) = successor else {
            return Ok(());
        };
        successor.make_durable(&self.target)?;
        self.target.place_successor()?;
        match noted {
            Some(noted) if token_fingerprint(noted) != token_fingerprint(&successor.token) => {
                Err(Error::new(
                    ErrorKind::Store,
                    format!(
                        "{} now contains a newer session: load it again",
                        self.target.path.display()
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Replaces the file. The change is durable when this returns. If it fails, the prepared save
    /// comes back, for another attempt.
    pub(super) fn save(
        &self,
        token: &OAuthToken,
        ready: Option<Ready>,
        lock: &Arc<FileLock>,
    ) -> (Option<Ready>, Result<()>) {
        let follows = ready.as_ref().and_then(|ready| ready.follows());
        let content = match self.serialize(token, follows) {
            Ok(content) => content,
            Err(error) => return (ready, Err(error)),
        };
        if let Err(error) = self.check_size(content.len()) {
            return (ready, Err(error));
        }
        let usable = ready.filter(|ready| !ready.is_spent_for(&content));
        let mut ready = match usable {
            Some(ready) => ready,
            None => match self.ready(None, content.len(), None, lock) {
                Ok(ready) => ready,
                Err(error) => return (None, Err(error)),
            },
        };
        if let Err(error) = ready.write(&content) {
            return (Some(ready), Err(error));
        }
        // The record was about the replaced session; if it stays, it matches no other.
        lock.clear_intent();
        (None, Ok(()))
    }

    fn serialize(&self, token: &OAuthToken, follows: Option<&str>) -> Result<Zeroizing<Vec<u8>>> {
        let failed = |source: serde_json::Error| {
            store_error("write the token file", &self.target.path, source.into())
        };
        let mut token = token.clone();
        if let Some(account) = &self.account {
            token.metadata.account = Some(account.clone());
        }
        if let Some(fingerprint) = follows {
            let members = &mut token.metadata.extra.0;
            members.insert(FOLLOWS.to_owned(), Value::from(fingerprint));
        }
        json::to_vec(&token).map_err(failed)
    }

    /// A session that could not be read back is not written.
    fn check_size(&self, size: usize) -> Result<()> {
        if self.target.sealing.room(size) as u64 > SIZE_LIMIT {
            return Err(store_error(
                "write the token file",
                &self.target.path,
                io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "the session would be larger than 1 MiB: sign in again",
                ),
            ));
        }
        Ok(())
    }
}

fn noted(mut stored: Option<OAuthToken>, lock: &FileLock) -> Option<OAuthToken> {
    if let Some(token) = &mut stored {
        lock.apply_to(token);
    }
    stored
}

/// A store error: the action, the path, and the system's error.
pub(super) fn store_error(action: &str, path: &Path, source: io::Error) -> Error {
    Error::new(
        ErrorKind::Store,
        format!("cannot {action} {}", path.display()),
    )
    .with_source(source)
}
