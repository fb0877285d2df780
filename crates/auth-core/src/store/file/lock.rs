//! The operating system's lock on a file beside the token file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::in_background;
use super::rights;
use super::session_file::trouble;
use crate::clock::deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::random;

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Who holds the lock of a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LockHolder {
    /// Nobody.
    Nobody,
    /// The process of this number, as it noted itself; a program that notes nothing leaves the
    /// number of the one before it.
    Process(u32),
    /// A process that did not say which.
    Unknown,
}

/// Looks without taking the lock and without a trace in the file.
pub(super) fn holder(path: &Path) -> Result<LockHolder> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(LockHolder::Nobody);
        }
        Err(source) => return Err(trouble("open the lock file", path, source)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(LockHolder::Nobody),
        Err(TryLockError::WouldBlock) => Ok(noted(path)),
        Err(TryLockError::Error(source)) => Err(trouble("try the lock", path, source)),
    }
}

/// Held as long as it lives; the operating system lets go if the process dies.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Tries until it succeeds or `wait` is over. Neither the age nor the content of the file
    /// means anything, and it is never deleted.
    pub(super) async fn acquire(path: PathBuf, wait: Duration) -> Result<Self> {
        let deadline = deadline(wait);
        let mut pause = FIRST_PAUSE;
        let opened = path.clone();
        let mut file = in_background(move || open(&opened)).await?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => {
                    return Err(trouble("lock the file", &path, source));
                }
            }
            if Instant::now() >= deadline {
                return Err(busy(&path, wait));
            }
            sleep(pause.mul_f64(0.5 + random::fraction())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        // Who holds it, for those who wait in vain; failing to say so does no harm.
        let _unsaid: std::io::Result<()> = file
            .set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    rights::private_file(&mut options);
    options
        .open(path)
        .map_err(|source| trouble("open the lock file", path, source))
}

fn busy(path: &Path, wait: Duration) -> Error {
    let holder = match noted(path) {
        LockHolder::Process(id) => format!("process {id}"),
        LockHolder::Nobody | LockHolder::Unknown => "another process".into(),
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

/// What the holder of a lock that is held says of itself.
fn noted(path: &Path) -> LockHolder {
    let mut text = String::new();
    let _unknown: std::io::Result<usize> =
        File::open(path).and_then(|file| file.take(20).read_to_string(&mut text));
    match text.trim().parse() {
        Ok(id) => LockHolder::Process(id),
        Err(_) => LockHolder::Unknown,
    }
}
