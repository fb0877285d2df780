//! A new file next to the one whose place it takes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Directory, is_unnamed, open_strictly, parent_of};
use crate::random::token_32;

/// What the name ends in, so that no other program's file is taken for one.
const SUFFIX: &str = ".llm-auth.tmp";

/// How often a new file may be taken for a leftover before it is locked.
const ATTEMPTS: usize = 10;

/// A file without the name that it is for, which it gets as a whole. Dropped before that, it is
/// removed.
///
/// A process that is killed leaves it behind. It is locked for as long as its process lives, so the
/// next one for the same file finds the leftover and removes it.
///
/// # Examples
///
/// ```
/// use std::io::Write as _;
///
/// use llm_auth_core::files::Temporary;
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("settings.json");
/// let new = Temporary::beside(&path)?;
/// new.file().write_all(b"{}")?;
/// new.replace()?;
/// assert_eq!(std::fs::read(&path)?, b"{}");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Temporary {
    directory: Directory,
    /// The path that it is for.
    path: PathBuf,
    /// Its present name; `None` once it has the other.
    name: Option<OsString>,
    file: File,
}

impl Temporary {
    /// Creates an empty file with mode 0600 next to this path, and removes those that killed
    /// processes left there for it. The directory exists.
    ///
    /// # Errors
    ///
    /// The system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::files::Temporary;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("settings.json");
    /// drop(Temporary::beside(&path)?);
    /// assert_eq!(std::fs::read_dir(directory.path())?.count(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn beside(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        remove_leftovers(path, name);
        for _ in 0..ATTEMPTS {
            let directory = Directory::open(parent_of(path))?;
            // Of this call alone: others may replace the file at the same time.
            let unique = token_32().map_err(io::Error::other)?;
            let mut temporary = prefix(name);
            temporary.push(format!("{unique}{SUFFIX}"));
            let file = directory.create_new(&temporary)?;
            let new = Self {
                directory,
                path: path.to_owned(),
                name: Some(temporary),
                file,
            };
            // Another process may have found it before this one locks it.
            if new.is_kept()? {
                return Ok(new);
            }
        }
        Err(io::Error::other("it is repeatedly removed"))
    }

    /// The open file.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::files::Temporary;
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("settings.json");
    /// let new = Temporary::beside(&path)?;
    /// assert_eq!(new.file().metadata()?.len(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives it the name that it is for, in place of the file that has it. Durable when this returns.
    ///
    /// # Errors
    ///
    /// The system's error; the old file is then intact.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::files::Temporary;
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("settings.json");
    /// std::fs::write(&path, "old")?;
    /// Temporary::beside(&path)?.replace()?;
    /// assert_eq!(std::fs::read(&path)?, b"");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn replace(mut self) -> io::Result<()> {
        if let (Some(temporary), Some(name)) = (&self.name, self.path.file_name()) {
            self.directory.rename(temporary, name)?;
        }
        self.name = None;
        self.directory.sync()
    }

    /// The same if no file has the name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyExists`], or the system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::files::Temporary;
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("settings.json");
    /// Temporary::beside(&path)?.make()?;
    /// assert!(Temporary::beside(&path)?.make().is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn make(self) -> io::Result<()> {
        let Some(temporary) = &self.name else {
            return Ok(());
        };
        match std::fs::hard_link(self.path.with_file_name(temporary), &self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
            // A file system without second names.
            Err(_) if self.path.symlink_metadata().is_ok() => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Err(_) => return self.replace(),
        }
        self.directory.remove(temporary)?;
        self.directory.sync()
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Locks it, and returns whether it still has its name. Some file systems lock nothing: then
    /// nothing finds leftovers either.
    fn is_kept(&self) -> io::Result<bool> {
        #[cfg(unix)]
        if let Err(std::fs::TryLockError::WouldBlock) = self.file.try_lock() {
            return Ok(false);
        }
        Ok(!is_unnamed(&self.file)?)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(temporary) = &self.name {
            let _gone: io::Result<()> = self.directory.remove(temporary);
        }
    }
}

fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    prefix
}

/// Removes what killed processes left for a file. On Windows a lock would keep readers out, so there
/// it stays.
fn remove_leftovers(path: &Path, name: &OsStr) {
    if cfg!(not(unix)) {
        return;
    }
    let prefix = prefix(name);
    let entries = std::fs::read_dir(parent_of(path)).into_iter().flatten();
    for entry in entries.flatten() {
        let found = entry.file_name();
        let unique = found
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes())
            .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
        if unique.is_none_or(|unique| unique.contains(&b'.')) {
            continue;
        }
        let left = path.with_file_name(&found);
        // Its process would hold the lock.
        if let Ok(Some(file)) = open_strictly(&left)
            && file.try_lock().is_ok()
            && let Err(error) = std::fs::remove_file(&left)
        {
            tracing::debug!(%error, "cannot remove a leftover");
        }
    }
}
