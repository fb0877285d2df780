//! One token file: read, replaced as a whole, removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::lock::FileLock;
use super::rights;
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, WipedBuffer};
use crate::token::OAuthToken;

/// No session is this large.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// Room for a successor beyond twice the present size.
const RESERVE: usize = 16 * 1024;

/// How long a program without our lock may take between emptying a file and filling it.
const HALF_WRITTEN: Duration = Duration::from_millis(50);

/// Where one session is stored. Whoever writes holds the lock.
#[derive(Clone, Debug)]
pub(super) struct SessionFile {
    path: PathBuf,
    own_folder: Option<PathBuf>,
}

/// A file beside the token file that has its disk space already; gone if it is not used.
/// It keeps the lock, since its name is the same for everybody.
#[derive(Debug)]
pub(super) struct Reserved {
    path: PathBuf,
    file: File,
    used: bool,
    _lock: Arc<FileLock>,
}

/// What a file holds that is no session.
struct Senseless {
    why: String,
    /// It looks like the beginning of one: somebody may be writing it this very moment.
    unfinished: bool,
}

impl SessionFile {
    pub(super) fn new(path: PathBuf, own_folder: Option<PathBuf>) -> Self {
        Self { path, own_folder }
    }

    /// What is stored; `None` if there is no file.
    pub(super) fn read(&self) -> Result<Option<OAuthToken>> {
        let mut read = self.read_once()?;
        if matches!(&read, Some(Err(senseless)) if senseless.unfinished) {
            // gochat empties the file before it writes.
            std::thread::sleep(HALF_WRITTEN);
            read = self.read_once()?;
        }
        read.transpose().map_err(|senseless| {
            let path = self.path.display();
            Error::new(
                ErrorKind::Corrupt,
                format!("the token file {path} {}", senseless.why),
            )
        })
    }

    fn read_once(&self) -> Result<Option<std::result::Result<OAuthToken, Senseless>>> {
        let failed = |source| trouble("read the token file", &self.path, source);
        let mut options = OpenOptions::new();
        options.read(true);
        rights::never_wait(&mut options);
        let file = match options.open(&self.path) {
            Ok(file) => file,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("it is no regular file")));
        }
        rights::check_owner(&file).map_err(failed)?;
        let bytes = WipedBuffer::read_from(&file, SIZE_LIMIT).map_err(failed)?;
        let parsed = parse(bytes.as_slice());
        if parsed.is_ok() {
            // Only now, since it may be any file that was named by mistake.
            rights::tighten_file(&file);
        }
        Ok(Some(parsed))
    }

    /// Makes the folders; the path of the lock file. From here on links are resolved.
    pub(super) fn make_folder_and_lock_path(&self) -> Result<PathBuf> {
        let target = self.target()?;
        let folder = folder_of(&target);
        let made = !folder.exists();
        if made {
            rights::make_folder(folder)
                .map_err(|source| trouble("make the folder", folder, source))?;
        }
        match &self.own_folder {
            Some(own) => {
                for ours in [own.as_path(), folder] {
                    rights::tighten_folder(ours)
                        .map_err(|source| trouble("use the folder", ours, source))?;
                }
            }
            None if !made => rights::check_shared_folder(folder)
                .map_err(|source| trouble("use the folder", folder, source))?,
            None => {}
        }
        Ok(lock_of(&target))
    }

    /// The path of the lock file; nothing is made or changed.
    pub(super) fn lock_path(&self) -> Result<PathBuf> {
        Ok(lock_of(&self.target()?))
    }

    /// Replaces the file by one with the note in it, with the space for a successor at hand:
    /// what fails here (no space, no right, a file that is a mount point) fails in time.
    pub(super) fn prepare(
        &self,
        noted: Option<&OAuthToken>,
        lock: Arc<FileLock>,
    ) -> Result<Reserved> {
        let size = match noted {
            Some(noted) => RESERVE + self.serialize(noted)?.len() * 2,
            None => RESERVE,
        };
        let reserve = || {
            let mut reserved = self.temporary(Arc::clone(&lock))?;
            let failed = |source| trouble("reserve space beside", &self.path, source);
            reserved.file.write_all(&vec![0; size]).map_err(failed)?;
            reserved.file.sync_all().map_err(failed)?;
            Ok(reserved)
        };
        let reserved = reserve()?;
        let Some(noted) = noted else {
            self.prove_replaceable()?;
            return Ok(reserved);
        };
        // The note takes the reserved space, and gives back that of the old file.
        self.write(noted, reserved)?;
        reserve()
    }

    /// Replaces the file, with new space for it; durable when it returns.
    pub(super) fn write_anew(&self, token: &OAuthToken, lock: Arc<FileLock>) -> Result<()> {
        let fresh = self.temporary(lock)?;
        self.write(token, fresh)
    }

    /// Replaces the file; durable when it returns.
    pub(super) fn write(&self, token: &OAuthToken, mut fresh: Reserved) -> Result<()> {
        let target = self.target()?;
        self.keep_corrupt_aside(&target)?;
        let bytes = self.serialize(token)?;
        let failed = |source| trouble("write the token file", &target, source);
        let file = &mut fresh.file;
        file.rewind().map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        file.set_len(bytes.len() as u64).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&fresh.path, &target).map_err(|source| replace_trouble(&target, source))?;
        fresh.used = true;
        sync_folder(&target).map_err(failed)
    }

    /// Removes the file; what cannot be read as a session is kept aside.
    pub(super) fn remove(&self) -> Result<()> {
        let target = self.target()?;
        self.keep_corrupt_aside(&target)?;
        let failed = |source| trouble("remove the token file", &target, source);
        match fs::remove_file(&target) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed(source)),
            _ => sync_folder(&target).map_err(failed),
        }
    }

    fn keep_corrupt_aside(&self, target: &Path) -> Result<()> {
        if self.is_corrupt()? {
            move_aside(target)?;
        }
        Ok(())
    }

    /// An unreadable file will be moved aside by a save: that it can be, is tried before.
    fn prove_replaceable(&self) -> Result<()> {
        if self.is_corrupt()? {
            let target = self.target()?;
            let aside = move_aside(&target)?;
            fs::rename(&aside, &target)
                .map_err(|source| trouble("put back the token file", &aside, source))?;
        }
        Ok(())
    }

    fn is_corrupt(&self) -> Result<bool> {
        match self.read() {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(true),
            Err(error) => Err(error),
            Ok(_) => Ok(false),
        }
    }

    fn serialize(&self, token: &OAuthToken) -> Result<Zeroizing<Vec<u8>>> {
        json::to_vec(token)
            .map_err(|source| trouble("write the token file", &self.path, source.into()))
    }

    /// A new file of our own beside the target. Its name is fixed: whoever holds the lock may
    /// take away what a killed process left behind.
    fn temporary(&self, lock: Arc<FileLock>) -> Result<Reserved> {
        let path = beside(&self.target()?, ".", ".tmp");
        let failed = |source| trouble("write beside the token file", &path, source);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed(source)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        rights::private_file(&mut options);
        let file = options.open(&path).map_err(failed)?;
        Ok(Reserved {
            path,
            file,
            used: false,
            _lock: lock,
        })
    }

    /// The file that a chain of links ends at, whether it exists or not.
    fn target(&self) -> Result<PathBuf> {
        let mut path = self.path.clone();
        for _ in 0..40 {
            match fs::read_link(&path) {
                Ok(next) => path = folder_of(&path).join(next),
                Err(_) => return Ok(path),
            }
        }
        Err(trouble(
            "follow the links of",
            &self.path,
            io::Error::other("they go in a circle"),
        ))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.used {
            let _gone: io::Result<()> = fs::remove_file(&self.path);
        }
    }
}

fn parse(bytes: &[u8]) -> std::result::Result<OAuthToken, Senseless> {
    let senseless = |why: String, unfinished| Senseless { why, unfinished };
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(senseless("is larger than 1 MiB".into(), false));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(senseless("is empty".into(), true));
    }
    // The parser's own message may quote a token: only the place is told.
    json::parse(bytes).map_err(|source| {
        let (line, column) = (source.line(), source.column());
        senseless(
            format!("holds no session that can be read (line {line}, column {column})"),
            source.is_eof(),
        )
    })
}

fn move_aside(target: &Path) -> Result<PathBuf> {
    let suffix = format!(".corrupt-{}", SystemClock.now().as_unix_millis());
    let aside = beside(target, "", &suffix);
    fs::rename(target, &aside).map_err(|source| replace_trouble(target, source))?;
    Ok(aside)
}

/// A store error: what was tried, on which path, and what the system said.
pub(super) fn trouble(action: &str, path: &Path, source: io::Error) -> Error {
    Error::new(
        ErrorKind::Store,
        format!("cannot {action} {}", path.display()),
    )
    .with_source(source)
}

/// A file that is mounted on its own cannot be replaced by another.
fn replace_trouble(target: &Path, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::ResourceBusy {
        return trouble(
            "replace (it is mounted on its own: mount its folder instead)",
            target,
            source,
        );
    }
    trouble("replace the token file", target, source)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn lock_of(target: &Path) -> PathBuf {
    beside(target, "", ".lock")
}

fn beside(path: &Path, before: &str, after: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(before);
    name.push(path.file_name().unwrap_or_default());
    name.push(after);
    path.with_file_name(name)
}

/// Makes a rename or a removal survive a power cut. Windows has no such call and needs none.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder_of(path))?.sync_all()?;
    }
    Ok(())
}
