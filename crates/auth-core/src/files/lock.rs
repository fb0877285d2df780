//! A lock for which a caller waits for a bounded time.

use std::fs::{File, TryLockError};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(10);

/// Locks a file for this process alone, as soon as others let it go, within a time: one that was
/// stopped keeps its lock. It blocks the thread.
///
/// # Errors
///
/// [`io::ErrorKind::WouldBlock`] if the lock is not free by then, or the system's error.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::files;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("settings.lock");
/// let (one, other) = (files::open_or_create(&path)?, files::open_or_create(&path)?);
/// files::lock_within(&one, Duration::from_secs(2))?;
/// assert!(files::lock_within(&other, Duration::ZERO).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn lock_within(file: &File, wait: Duration) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < wait => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                let kind = io::ErrorKind::WouldBlock;
                return Err(io::Error::new(kind, "another process has locked it"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
}
