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
    let mut holder = String::new();
    let _unknown: std::io::Result<usize> =
        File::open(path).and_then(|file| file.take(20).read_to_string(&mut holder));
    let holder = match holder.trim().parse::<u32>() {
        Ok(id) => format!("process {id}"),
        Err(_) => "another process".into(),
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
