//! The operating system's lock on a file next to the token file, and the note that its holder
//! leaves there.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::atomic::store_error;
use super::in_background;
use crate::clock::{Timestamp, deadline};
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::random;
use crate::token::{OAuthToken, RefreshRecord};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The longest content: a process id and a note.
const LONGEST_CONTENT: u64 = 1024;

/// The holder of a session's lock.
///
/// # Examples
///
/// ```
/// use llm_auth_core::store::LockHolder;
///
/// fn line(holder: LockHolder) -> String {
///     match holder {
///         LockHolder::Free => "the session is free".to_owned(),
///         LockHolder::Process(id) => format!("process {id} holds the session"),
///         _ => "another process holds the session".to_owned(),
///     }
/// }
///
/// assert_eq!(line(LockHolder::Process(4711)), "process 4711 holds the session");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LockHolder {
    /// No process.
    Free,
    /// The process with this id, from its own note. A program that leaves no note leaves the id of
    /// the previous one.
    Process(u32),
    /// A process that left no id.
    Unknown,
}

// Decision 0037.
/// A refresh in progress: the second line of the lock file. It must survive the death of its
/// process; a power cut may lose it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Note {
    access: String,
    refresh: String,
    at: Timestamp,
}

impl Note {
    fn of(token: &OAuthToken) -> Option<Self> {
        let intent = token.metadata.in_progress.as_deref();
        let intent = intent.filter(|_| token.may_be_spent())?;
        Some(Self {
            access: token.access.fingerprint(),
            refresh: intent.refresh_fingerprint.clone(),
            at: intent.at,
        })
    }

    /// Adds the record to the session that it is about. A refresh token that is not rotated is in
    /// the next session too, so the access token is compared as well.
    pub(super) fn apply_to(&self, token: &mut OAuthToken) {
        let refresh = token.refresh.as_ref();
        let is_about = self.access == token.access.fingerprint()
            && refresh.is_some_and(|refresh| refresh.fingerprint() == self.refresh);
        // A record in the session itself is an older one: every save clears this one.
        if is_about {
            let fingerprint = RefreshRecord::new(self.refresh.clone(), self.at);
            token.metadata.in_progress = Some(Box::new(fingerprint));
        }
    }
}

/// Checks without taking the lock and without changing the file.
pub(super) fn holder(path: &Path) -> Result<LockHolder> {
    let file = match files::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(LockHolder::Free);
        }
        Err(source) => return Err(store_error("open the lock file", path, source)),
    };
    let tried = file.try_lock_shared();
    match tried {
        Ok(()) => {
            let _closed: io::Result<()> = file.unlock();
            Ok(LockHolder::Free)
        }
        Err(TryLockError::WouldBlock) => Ok(read_holder(&file).0),
        Err(TryLockError::Error(source)) => Err(store_error("try the lock", path, source)),
    }
}

/// The note in the lock file, if it can be read.
pub(super) fn note(path: &Path) -> Option<Note> {
    read_holder(&files::open(path).ok()?).1
}

/// The holder and the note in the lock file.
fn read_holder(file: &File) -> (LockHolder, Option<Note>) {
    let mut text = String::new();
    let _unknown: io::Result<usize> = file.take(LONGEST_CONTENT).read_to_string(&mut text);
    let mut lines = text.lines();
    let holder = match lines.next().unwrap_or_default().trim().parse() {
        Ok(id) => LockHolder::Process(id),
        Err(_) => LockHolder::Unknown,
    };
    let note = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok());
    (holder, note)
}

/// A lock that is held until it is dropped; the operating system releases it if the process dies.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    note: Mutex<Option<Note>>,
    /// The process that holds it: a forked child has the file, but not the lock.
    process: u32,
}

impl FileLock {
    /// Retries until it succeeds or `wait` is over. Neither the age nor the content of the file
    /// affects the lock, and the file is never deleted.
    pub(super) async fn acquire(path: PathBuf, wait: Duration) -> Result<Self> {
        let deadline = deadline(wait);
        let mut pause = FIRST_PAUSE;
        let mut opened: Option<File> = None;
        loop {
            let (path, last) = (path.clone(), Instant::now() >= deadline);
            let tried = in_background(move || {
                let file = match opened {
                    Some(file) => file,
                    None => open(&path)?,
                };
                match file.try_lock() {
                    Ok(()) => Self::taken(file, &path),
                    Err(TryLockError::WouldBlock) if last => Err(busy(&file, &path, wait)),
                    Err(TryLockError::WouldBlock) => Ok(Err(Some(file))),
                    Err(TryLockError::Error(source)) => {
                        Err(store_error("lock the file", &path, source))
                    }
                }
            })
            .await?;
            match tried {
                Ok(lock) => return Ok(lock),
                Err(file) => opened = file,
            }
            sleep(pause.mul_f64(0.5 + random::fraction())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Tries once; returns `None` if another process holds it.
    pub(super) fn try_now(path: &Path) -> Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self::taken(file, path)?.ok()),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(store_error("lock the file", path, source)),
        }
    }

    /// The lock on a file that still has its name; otherwise another one is opened.
    fn taken(file: File, path: &Path) -> Result<std::result::Result<Self, Option<File>>> {
        if files::is_unnamed(&file).map_err(|source| store_error("lock the file", path, source))? {
            return Ok(Err(None));
        }
        let (_before, note) = read_holder(&file);
        let lock = Self {
            file,
            note: Mutex::new(note),
            process: std::process::id(),
        };
        // The holder's id, for processes that wait in vain; failing to write it does no harm.
        let _unsaid: io::Result<()> = lock.write();
        Ok(Ok(lock))
    }

    /// Adds the record to the session that it is about.
    pub(super) fn apply_to(&self, token: &mut OAuthToken) {
        if let Some(note) = self.note().as_ref() {
            note.apply_to(token);
        }
    }

    /// Writes the record of the refresh in progress of a session, or that there is none.
    pub(super) fn record_intent(&self, token: &OAuthToken) -> io::Result<()> {
        let note = Note::of(token);
        let changed = *self.note() != note;
        *self.note() = note;
        if changed { self.write() } else { Ok(()) }
    }

    /// Clears the record, which is about a session that is no longer stored.
    pub(super) fn clear_intent(&self) {
        if self.note().take().is_some() {
            // A remaining record is about tokens that are no longer stored.
            let _stays: io::Result<()> = self.write();
        }
    }

    fn note(&self) -> std::sync::MutexGuard<'_, Option<Note>> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In one call, so that a kill leaves no half of it. Longer old content is cut off afterwards,
    /// and means nothing if it stays, since it is then a third line.
    fn write(&self) -> io::Result<()> {
        let mut content = format!("{}\n", std::process::id());
        if let Some(note) = self.note().as_ref() {
            content.push_str(&serde_json::to_string(note)?);
            content.push('\n');
        }
        files::write_at(&self.file, content.as_bytes(), 0)?;
        self.file.set_len(content.len() as u64)
    }
}

impl Drop for FileLock {
    /// A child that was forked meanwhile has the file open too, and would keep the lock.
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "a lock cannot be released before its file is closed");
        }
    }
}

fn open(path: &Path) -> Result<File> {
    files::open_or_create(path).map_err(|source| store_error("open the lock file", path, source))
}

fn busy(file: &File, path: &Path, wait: Duration) -> Error {
    let holder = match read_holder(file).0 {
        LockHolder::Process(id) => format!("process {id}"),
        LockHolder::Free | LockHolder::Unknown => "another process".into(),
    };
    Error::new(
        ErrorKind::StoreBusy,
        format!(
            "{holder} has held the lock {} for {} s",
            path.display(),
            wait.as_secs_f32()
        ),
    )
}
