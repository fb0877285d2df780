//! One token file: read, replaced as a whole, removed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::lock::FileLock;
use super::ready::{FOLLOWS, Ready, mark_of};
use super::target::{SIZE_LIMIT, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::json;
use crate::token::OAuthToken;

/// Room for a successor beyond twice the present size.
const RESERVE: usize = 16 * 1024;

/// Where one session is stored.
#[derive(Clone, Debug)]
pub(super) struct SessionFile {
    path: PathBuf,
    own_folder: Option<PathBuf>,
    /// The account's name, where the name of the file does not tell it.
    account: Option<String>,
}

/// A session file whose links are followed, for the holder of its lock.
#[derive(Clone, Debug)]
pub(super) struct LockedFile {
    pub(super) target: Target,
    account: Option<String>,
}

impl SessionFile {
    pub(super) fn new(path: PathBuf, own_folder: Option<PathBuf>, account: Option<String>) -> Self {
        Self {
            path,
            own_folder,
            account,
        }
    }

    /// What is stored; `None` if there is no file. The lock is not needed.
    pub(super) fn read(&self) -> Result<Option<OAuthToken>> {
        let target = self.target()?;
        let shared = self.not_of_our_own(&target);
        match files::check_directory(shared) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            checked => checked.map_err(|source| trouble("use the folder", shared, source))?,
        }
        target.read_unlocked()
    }

    /// Makes the directories, and follows the links for as long as the lock will be held.
    pub(super) fn make_folder(&self) -> Result<LockedFile> {
        let target = self.target()?;
        let directory = target.directory();
        files::make_directories(directory)
            .map_err(|source| trouble("make the folder", directory, source))?;
        let shared = self.not_of_our_own(&target);
        files::check_directory(shared)
            .map_err(|source| trouble("use the folder", shared, source))?;
        if let Some(own) = &self.own_folder {
            for ours in [own.as_path(), directory] {
                files::tighten_directory(ours)
                    .map_err(|source| trouble("use the folder", ours, source))?;
            }
        }
        Ok(LockedFile {
            target,
            account: self.account.clone(),
        })
    }

    /// The lowest directory that is not our own: in it no other user may replace anything. Those
    /// of our own are tightened when something is written.
    fn not_of_our_own<'a>(&'a self, target: &'a Target) -> &'a Path {
        match &self.own_folder {
            Some(own) => files::parent_of(own),
            None => target.directory(),
        }
    }

    /// The path of the lock file; nothing is made or changed.
    pub(super) fn lock_path(&self) -> Result<PathBuf> {
        Ok(self.target()?.lock_path())
    }

    fn target(&self) -> Result<Target> {
        Target::of(&self.path)
    }
}

impl LockedFile {
    /// What is stored, with what the lock file notes about it. A successor that a dead process
    /// left beside the file is moved into place, any other leftover is removed.
    pub(super) fn load(&self, lock: &FileLock) -> Result<Option<OAuthToken>> {
        let stored = self.target.read()?;
        Ok(noted(self.target.settle(stored)?, lock))
    }

    /// The same while a save of our own is prepared: nothing beside the file is touched.
    pub(super) fn load_prepared(&self, lock: &FileLock) -> Result<Option<OAuthToken>> {
        Ok(noted(self.target.read()?, lock))
    }

    /// Gets all that a save needs, and notes the intent in the lock file: what fails here (no
    /// space, no right, a file that is a mount point) fails in time.
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
        let follows = noted.filter(|noted| noted.may_be_spent()).map(mark_of);
        let ready = self.ready(noted, size, follows, lock)?;
        if let Some(noted) = noted {
            lock.note_intent(noted)
                .map_err(|source| trouble("note in", &self.target.lock_path(), source))?;
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

    /// The temporary file is needed, so what waits in it is moved into place, or nothing begins.
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
            Some(noted) if mark_of(noted) != mark_of(&successor.token) => Err(Error::new(
                ErrorKind::Store,
                format!(
                    "{} holds a newer session by now: load it again",
                    self.target.path.display()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Replaces the file; durable when it returns. What was prepared comes back if that failed,
    /// so that it can be tried again.
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
        // It was about the session that is replaced; should it stay, it tells of no other.
        lock.forget_intent();
        (None, Ok(()))
    }

    fn serialize(&self, token: &OAuthToken, follows: Option<&str>) -> Result<Zeroizing<Vec<u8>>> {
        let failed = |source: serde_json::Error| {
            trouble("write the token file", &self.target.path, source.into())
        };
        let mut token = token.clone();
        if let Some(account) = &self.account {
            token.metadata.account = Some(account.clone());
        }
        if let Some(mark) = follows {
            let members = &mut token.metadata.extra.0;
            members.insert(FOLLOWS.to_owned(), Value::from(mark));
        }
        json::to_vec(&token).map_err(failed)
    }

    /// What could not be read back is not written.
    fn check_size(&self, size: usize) -> Result<()> {
        if size as u64 > SIZE_LIMIT {
            return Err(trouble(
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
        lock.tell(token);
    }
    stored
}

/// A store error: what was tried, on which path, and what the system said.
pub(super) fn trouble(action: &str, path: &Path, source: io::Error) -> Error {
    Error::new(
        ErrorKind::Store,
        format!("cannot {action} {}", path.display()),
    )
    .with_source(source)
}
