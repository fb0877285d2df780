//! A save with everything that it needs: open handles and reserved space.
//!
//! See decision 0037.

use std::fs::File;
use std::io;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::atomic::store_error;
use super::lock::FileLock;
use super::target::{Target, replace_error};
use crate::error::Result;
use crate::files::{self, Directory};
use crate::secret::Secret;
use crate::token::OAuthToken;

// Decision 0038.
/// The member that identifies a successor that was not moved into place.
pub(super) const FOLLOWS: &str = "follows";

/// The temporary file next to the token file, which it replaces in [`write`](Self::write). It keeps
/// the lock, since its name is the same for every process.
#[derive(Debug)]
pub(super) struct Ready {
    target: Target,
    directory: Directory,
    file: File,
    /// The used length of the file; spaces fill the rest.
    length: usize,
    /// Whether the replaced file is no session and is kept.
    keeps_old_aside: bool,
    /// The session that the next one succeeds, if that comes from a refresh.
    follows: Option<String>,
    /// What is in the file until a session is, if the files are sealed.
    begun: Vec<u8>,
    state: State,
    _lock: Arc<FileLock>,
}

/// The content of the temporary file, by the fingerprint of a whole session.
#[derive(Debug)]
enum State {
    Nothing,
    /// With the bytes: a second seal of the session might break the first.
    Complete(String, Zeroizing<Vec<u8>>),
    /// It has become the token file.
    Placed(String),
}

impl Ready {
    /// Creates the temporary file, with the owner for the token file and `size` bytes of disk
    /// space.
    pub(super) fn new(
        target: &Target,
        size: usize,
        follows: Option<String>,
        lock: Arc<FileLock>,
    ) -> Result<Self> {
        let path = target.temporary_path();
        let failed = |source| store_error("write next to the token file", &path, source);
        let directory = Directory::open(target.directory()).map_err(failed)?;
        let like = files::check_replaceable(&directory, target.name())
            .map_err(|source| replace_error(&target.path, source))?;
        target.discard_leftover()?;
        directory.remove(&target.temporary()).map_err(failed)?;
        let file = directory.create_new(&target.temporary()).map_err(failed)?;
        let mut ready = Self {
            target: target.clone(),
            directory,
            file,
            length: 0,
            keeps_old_aside: false,
            follows,
            begun: Vec::new(),
            state: State::Nothing,
            _lock: lock,
        };
        files::keep_owner(&ready.file, like.as_ref())
            .map_err(|source| replace_error(&target.path, source))?;
        ready
            .reserve(target.sealing.room(size))
            .map_err(|source| store_error("reserve space next to", &target.path, source))?;
        ready.begun = target.sealing.begin()?;
        files::write_at(&ready.file, &ready.begun, 0)
            .map_err(|source| store_error("write next to the token file", &path, source))?;
        Ok(ready)
    }

    /// Moves the replaced file aside first.
    pub(super) fn keep_old_aside(mut self) -> Self {
        self.keeps_old_aside = true;
        self
    }

    /// The session that the next one succeeds, if that comes from a refresh.
    pub(super) fn follows(&self) -> Option<&str> {
        self.follows.as_deref()
    }

    /// Whether it cannot be used for another session.
    pub(super) fn is_spent_for(&self, content: &[u8]) -> bool {
        matches!(&self.state, State::Placed(placed) if *placed != fingerprint(content))
    }

    /// Whether it holds a session that belongs into the token file.
    pub(super) fn waits(&self) -> bool {
        self.follows.is_some() && matches!(self.state, State::Complete(..))
    }

    /// If the file system cannot reserve space, writing spaces proves that there is some. In JSON,
    /// remaining spaces mean nothing.
    fn reserve(&mut self, size: usize) -> io::Result<()> {
        if files::reserve(&self.file, size as u64)? {
            self.length = size;
            return Ok(());
        }
        self.pad(size)
    }

    fn pad(&mut self, size: usize) -> io::Result<()> {
        files::write_at(&self.file, &vec![b' '; size], 0)?;
        self.length = size;
        self.file.sync_all()
    }

    /// Replaces the token file. The change is durable when this returns. After a failure, call it
    /// again.
    pub(super) fn write(&mut self, content: &Zeroizing<Vec<u8>>) -> Result<()> {
        let path = self.target.path.clone();
        let failed = |source| store_error("write the token file", &path, source);
        let fingerprint = fingerprint(content);
        let is_placed = matches!(&self.state, State::Placed(placed) if *placed == fingerprint);
        if !is_placed {
            let replaced = self.replaced();
            let sealed = match &self.state {
                // Writing the same bytes again does no harm.
                State::Complete(written, sealed) if *written == fingerprint => sealed.clone(),
                _ => {
                    self.state = State::Nothing;
                    let sealing = &self.target.sealing;
                    let replaced = replaced.as_deref().map(Vec::as_slice);
                    sealing.seal(&self.begun, content, replaced)?
                }
            };
            if self.keeps_old_aside {
                self.target.move_aside()?;
                self.keeps_old_aside = false;
            }
            self.fill(&sealed).map_err(failed)?;
            self.state = State::Complete(fingerprint.clone(), sealed.clone());
            self.file.sync_all().map_err(failed)?;
            let (from, to) = (self.target.temporary(), self.target.name());
            let mut renamed = self.directory.rename(&from, to);
            if matches!(&renamed, Err(error) if error.kind() == io::ErrorKind::NotFound) {
                // Another program has removed the file.
                renamed = self.again(&sealed);
            }
            if let Err(source) = renamed {
                // It waits under its present name, which must be durable too.
                let _unsynced: io::Result<()> = self.directory.sync();
                return Err(replace_error(&path, source));
            }
            self.state = State::Placed(fingerprint);
            self.directory.sync().map_err(failed)?;
            let Some(replaced) = replaced else {
                return Ok(());
            };
            self.target.discard(Some(replaced.as_slice()));
        }
        self.directory.sync().map_err(failed)
    }

    /// The sealed form that is about to be replaced.
    fn replaced(&self) -> Option<Zeroizing<Vec<u8>>> {
        let is_sealed = self.target.sealing.is_some() && !self.keeps_old_aside;
        is_sealed.then(|| self.target.raw(&self.target.path))?
    }

    /// Releases unneeded space first, so that a process that is killed in between leaves a whole
    /// session or none; if that fails, spaces fill the rest.
    fn fill(&mut self, content: &[u8]) -> io::Result<()> {
        if self.length > content.len() && self.file.set_len(content.len() as u64).is_ok() {
            self.length = content.len();
        }
        files::write_at(&self.file, content, 0)?;
        if let Some(rest @ 1..) = self.length.checked_sub(content.len()) {
            files::write_at(&self.file, &vec![b' '; rest], content.len())?;
        }
        self.length = self.length.max(content.len());
        Ok(())
    }

    /// Creates the temporary file again, and moves it into place.
    fn again(&mut self, content: &[u8]) -> io::Result<()> {
        let (from, to) = (self.target.temporary(), self.target.name().to_owned());
        let file = self.directory.create_new(&from)?;
        let like = files::check_replaceable(&self.directory, &to)?;
        files::keep_owner(&file, like.as_ref())?;
        self.file = file;
        self.length = 0;
        self.fill(content)?;
        self.file.sync_all()?;
        self.directory.rename(&from, &to)
    }

    /// Removes the file, even with a session in it.
    pub(super) fn discard(mut self) {
        if !matches!(self.state, State::Placed(_)) {
            self.state = State::Nothing;
        }
    }
}

impl Drop for Ready {
    /// A complete successor stays, for the next process to find.
    fn drop(&mut self) {
        if !matches!(self.state, State::Placed(_)) && !self.waits() {
            // If that fails, the file stays, for a later holder of the lock.
            if self.target.discard_unkept(&self.begun).is_err() {
                return;
            }
            let _gone: io::Result<()> = self.directory.remove(&self.target.temporary());
        }
    }
}

/// A fingerprint of the tokens of a session, which reveals none of them.
pub(super) fn token_fingerprint(token: &OAuthToken) -> String {
    let refresh = token.refresh.as_ref().map(Secret::fingerprint);
    let access = token.access.fingerprint();
    format!("{}.{access}", refresh.unwrap_or_default())
}

fn fingerprint(content: &[u8]) -> String {
    Secret::fingerprint_of(content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::super::sealing::Sealing;
    use super::*;

    #[tokio::test]
    async fn where_space_is_kept_by_writing_a_shorter_session_leaves_no_rest_of_a_longer_one() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::of(&directory.path().join("t.json"), Sealing::default()).unwrap();
        let lock = FileLock::acquire(target.lock_path(), Duration::ZERO);
        let lock = Arc::new(lock.await.unwrap());
        let mut ready = Ready::new(&target, 0, None, lock).unwrap();
        ready.pad(100).unwrap();
        let padded = fs::read_to_string(target.temporary_path()).unwrap();
        assert_eq!(padded, " ".repeat(100));
        ready.fill(b"[1,2,3]").unwrap();
        ready.length = 7;
        ready.fill(b"[4]").unwrap();
        ready.write(&Zeroizing::new(b"[5]".to_vec())).unwrap();
        assert_eq!(fs::read_to_string(&target.path).unwrap(), "[5]");
    }
}
