//! The file that holds a session after links are resolved, and its companions next to it.
//!
//! See decision 0038.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::atomic::store_error;
use super::lock::{self, FileLock};
use super::ready::{FOLLOWS, token_fingerprint};
use super::sealing::{Sealing, Unopened, seal_of};
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, Directory};
use crate::token::OAuthToken;

/// The limit for a file: no session is this large.
pub(super) const SIZE_LIMIT: u64 = 1024 * 1024;

/// How long a program without this lock may take between emptying a file and filling it.
const HALF_WRITTEN: Duration = Duration::from_millis(50);

/// The longest file name that file systems accept.
const LONGEST_NAME: usize = 255;

#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) sealing: Sealing,
}

/// The content of a file that is no session.
struct Unreadable {
    why: String,
    /// It looks like the beginning of one: another program may be writing it now.
    unfinished: bool,
}

/// A session from a file, and the one that it was written to replace.
struct Written {
    token: OAuthToken,
    follows: Option<String>,
}

/// What a file was read as.
type Found = std::result::Result<Written, Unreadable>;

/// A complete successor next to the file, from a process that died before its rename.
pub(super) struct Successor {
    pub(super) token: OAuthToken,
    file: fs::File,
}

impl Target {
    /// The file at the end of a chain of links, even if it does not exist.
    pub(super) fn of(path: &Path, sealing: Sealing) -> Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..40 {
            match fs::read_link(&path) {
                Ok(next) => {
                    let directory = files::parent_of(&path);
                    files::check_no_link(directory)
                        .map_err(|source| store_error("follow the link", &path, source))?;
                    path = directory.join(next);
                }
                Err(source) if is_no_link(&source) => return Ok(Self { path, sealing }),
                Err(source) => return Err(store_error("follow the links of", &path, source)),
            }
        }
        Err(store_error(
            "follow the links of",
            &path,
            io::Error::other("they form a loop"),
        ))
    }

    pub(super) fn directory(&self) -> &Path {
        files::parent_of(&self.path)
    }

    pub(super) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        self.path.with_file_name(self.sibling("", ".lock"))
    }

    /// The name of the file that becomes the next session. It is fixed, so that the holder of the
    /// lock finds the file of a killed process.
    pub(super) fn temporary(&self) -> OsString {
        self.sibling(".", ".tmp")
    }

    pub(super) fn temporary_path(&self) -> PathBuf {
        self.path.with_file_name(self.temporary())
    }

    fn sibling(&self, before: &str, after: &str) -> OsString {
        let mut name = OsString::from(before);
        name.push(self.name());
        name.push(after);
        name
    }

    /// The stored session; `None` without a file.
    pub(super) fn read(&self) -> Result<Option<OAuthToken>> {
        let mut read = self.read_once()?;
        if matches!(&read, Some(Err(senseless)) if senseless.unfinished) {
            // gochat empties the file before it writes.
            std::thread::sleep(HALF_WRITTEN);
            read = self.read_once()?;
        }
        let written = read.transpose().map_err(|senseless| {
            let path = self.path.display();
            Error::new(
                ErrorKind::Corrupt,
                format!("the token file {path} {}", senseless.why),
            )
        })?;
        Ok(written.map(|written| written.token))
    }

    fn read_once(&self) -> Result<Option<Found>> {
        let mut before = None;
        loop {
            let Some((found, bytes)) = self.read_now()? else {
                return Ok(None);
            };
            // What a sealed file refers to is gone as soon as the file is replaced: then it is read
            // again.
            if found.is_ok() || !self.sealing.is_some() || before == Some(bytes.to_vec()) {
                return Ok(Some(found));
            }
            before = Some(bytes.to_vec());
        }
    }

    fn read_now(&self) -> Result<Option<(Found, Zeroizing<Vec<u8>>)>> {
        let failed = |source| store_error("read the token file", &self.path, source);
        let file = match files::open(&self.path) {
            Ok(file) => file,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let (parsed, bytes) = match files::read_all(&file, SIZE_LIMIT) {
            Ok(bytes) => (self.parsed(&bytes, &self.path)?, bytes),
            Err(source) if source.kind() == io::ErrorKind::FileTooLarge => {
                let too_large = Unreadable {
                    why: "is larger than 1 MiB".into(),
                    unfinished: false,
                };
                (Err(too_large), Zeroizing::default())
            }
            Err(source) => return Err(failed(source)),
        };
        if parsed.is_ok() {
            // Only now, since it may be any file that the user named by mistake.
            files::tighten_file(&file);
        }
        Ok(Some((parsed, bytes)))
    }

    /// The content of a file, opened if it is sealed. A seal that cannot be opened now, and one of
    /// another store, are errors: such a file is not to be replaced.
    fn parsed(&self, bytes: &[u8], path: &Path) -> Result<Found> {
        match self.sealing.open(bytes) {
            Ok(Some(content)) => Ok(parse(&content)),
            Ok(None) => {
                let parsed = parse(bytes);
                // Looked for only now, for the parser leaves parts of what it reads in memory.
                let seal = parsed.is_err().then(|| seal_of(bytes)).flatten();
                seal.map_or(Ok(parsed), |seal| {
                    Err(Error::new(
                        ErrorKind::Store,
                        format!(
                            "the token file {} is protected ({seal}): open it with that kind of store",
                            path.display()
                        ),
                    ))
                })
            }
            Err(Unopened::Corrupt(why)) => Ok(Err(Unreadable {
                why,
                unfinished: bytes.is_empty(),
            })),
            Err(Unopened::Failed(error)) => Err(Error::new(
                error.kind(),
                format!("cannot read the session in {}", path.display()),
            )
            .with_source(error)),
        }
    }

    /// The content of the file as it is; `None` without one.
    pub(super) fn raw(&self, path: &Path) -> Option<Zeroizing<Vec<u8>>> {
        files::read_all(&files::open_strictly(path).ok()??, SIZE_LIMIT).ok()
    }

    /// Removes what a file that is gone referred to. What remains is removed by a later holder.
    pub(super) fn discard(&self, sealed: Option<&[u8]>) {
        let discarded = sealed.map_or(Ok(()), |sealed| self.discard_unkept(sealed));
        if let Err(error) = discarded {
            tracing::warn!(%error, "a session that was replaced is not yet removed");
        }
    }

    /// Removes what a sealed content refers to, and the token file does not.
    pub(super) fn discard_unkept(&self, sealed: &[u8]) -> Result<()> {
        if sealed.is_empty() || !self.sealing.is_some() {
            return Ok(());
        }
        let failed = |source| store_error("read the token file", &self.path, source);
        // As `read` opens it: a file that counts there must count here.
        let kept = match files::open(&self.path) {
            Ok(file) => Some(files::read_all(&file, SIZE_LIMIT).map_err(failed)?),
            Err(source) if source.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(failed(source)),
        };
        self.sealing
            .discard(sealed, kept.as_deref().map(Vec::as_slice))
    }

    /// The successor that waits next to the file. Its name proves nothing: it counts if it is
    /// complete and names the tokens of the session that it replaces.
    pub(super) fn successor(&self, stored: &OAuthToken) -> Result<Option<Successor>> {
        let path = self.temporary_path();
        let failed = |source| store_error("read next to the token file", &path, source);
        let file = match files::open_strictly(&path) {
            Ok(Some(file)) => file,
            // A foreign file is no successor.
            Ok(None) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let bytes = match files::read_all(&file, SIZE_LIMIT) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let written = self.parsed(&bytes, &path)?.ok();
        let fingerprint = token_fingerprint(stored);
        let written = written.filter(|written| written.follows.as_ref() == Some(&fingerprint));
        Ok(written.map(|written| Successor {
            token: written.token,
            file,
        }))
    }

    /// Under the lock: moves a waiting successor into place, and removes any other leftover. If the
    /// move fails, the successor counts all the same.
    pub(super) fn recover(&self, stored: Option<OAuthToken>) -> Result<Option<OAuthToken>> {
        let successor = match &stored {
            Some(stored) => self.successor(stored)?,
            None => None,
        };
        let Some(successor) = successor else {
            if let Err(error) = self.remove_leftover() {
                tracing::warn!(%error, "cannot remove a leftover next to a token file");
            }
            return Ok(stored);
        };
        successor.make_durable(self)?;
        if let Err(error) = self.place_successor() {
            tracing::warn!(%error, "a session is pending next to its file");
        }
        Ok(Some(successor.token))
    }

    /// Moves the temporary file into place. The move is durable when this returns.
    pub(super) fn place_successor(&self) -> Result<()> {
        let failed = |source| replace_error(&self.path, source);
        let directory = Directory::open(self.directory()).map_err(failed)?;
        let replaced = self.sealing.is_some().then(|| self.raw(&self.path));
        let moved = directory.rename(&self.temporary(), self.name());
        moved.and_then(|()| directory.sync()).map_err(failed)?;
        self.discard(replaced.flatten().as_deref().map(Vec::as_slice));
        Ok(())
    }

    /// Removes what a leftover refers to, before its file goes: no other file names that.
    pub(super) fn discard_leftover(&self) -> Result<()> {
        if !self.sealing.is_some() {
            return Ok(());
        }
        let leftover = self.raw(&self.temporary_path());
        leftover.map_or(Ok(()), |leftover| self.discard_unkept(&leftover))
    }

    fn remove_leftover(&self) -> Result<()> {
        self.discard_leftover()?;
        let path = self.temporary_path();
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(store_error("remove", &path, source))
            }
            _ => Ok(()),
        }
    }

    /// Without the lock: the current session, with the record about it.
    pub(super) fn read_unlocked(&self) -> Result<Option<OAuthToken>> {
        let Some(stored) = self.read()? else {
            return Ok(None);
        };
        let mut counts = stored;
        if let Some(successor) = self.successor(&counts)? {
            match FileLock::try_now(&self.lock_path()) {
                // Other programs read only the token file, so the successor must not stay outside
                // it.
                Ok(Some(_lock)) => {
                    let Some(stored) = self.recover(self.read()?)? else {
                        return Ok(None);
                    };
                    counts = stored;
                }
                // A process that holds the lock is moving the successor itself.
                Ok(None) => {}
                // It cannot be moved, for example on a read-only file system.
                Err(_no_lock) => {
                    successor.make_durable(self)?;
                    counts = successor.token;
                }
            }
        }
        if let Some(note) = lock::note(&self.lock_path()) {
            note.apply_to(&mut counts);
        }
        Ok(Some(counts))
    }

    /// Moves a file that is no session to another name, for its owner alone.
    pub(super) fn move_aside(&self) -> Result<()> {
        let failed = |source| replace_error(&self.path, source);
        let suffix = format!(".corrupt-{}", SystemClock.now().as_unix_millis());
        let mut aside = self.sibling("", &suffix);
        if aside.len() > LONGEST_NAME {
            let name = self.name().to_string_lossy();
            let begin: String = name.chars().take(120).collect();
            aside = format!("{begin}~{suffix}").into();
        }
        match files::open(&self.path) {
            Ok(file) => files::tighten_file(&file),
            Err(source) => return Err(failed(source)),
        }
        fs::rename(&self.path, self.path.with_file_name(aside)).map_err(failed)
    }

    /// Removes the file and its companions. The removal is durable when this returns. A file that
    /// is no session is moved aside.
    pub(super) fn remove(&self) -> Result<()> {
        match self.read() {
            Err(error) if error.kind() == ErrorKind::Corrupt => self.move_aside()?,
            read => drop(read?),
        }
        let failed = |source| store_error("remove the token file", &self.path, source);
        let directory = Directory::open(self.directory()).map_err(failed)?;
        if self.sealing.is_some() {
            // Under its other name, the file tells a later holder what is still to be removed.
            self.remove_leftover()?;
            let moved = directory.rename(self.name(), &self.temporary());
            match moved {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(source));
                }
                _ => directory.sync().map_err(failed)?,
            }
        } else {
            directory.remove(self.name()).map_err(failed)?;
        }
        self.remove_leftover()?;
        directory.sync().map_err(failed)
    }
}

impl Successor {
    /// Its process may have died before the disk had the file.
    pub(super) fn make_durable(&self, target: &Target) -> Result<()> {
        // Windows does not sync a file that was opened for reading.
        if cfg!(unix) {
            let failed = |source| store_error("sync", &target.temporary_path(), source);
            self.file.sync_all().map_err(failed)?;
            // Its name too, in case it cannot be moved.
            let directory = Directory::open(target.directory()).map_err(failed)?;
            directory.sync().map_err(failed)?;
        }
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Found {
    let senseless = |why: String, unfinished| Unreadable { why, unfinished };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(senseless("is empty".into(), true));
    }
    // The parser's own message may quote a token, so only the position is reported.
    let mut token: OAuthToken = crate::json::parse(bytes).map_err(|source| {
        let (line, column) = (source.line(), source.column());
        senseless(
            format!("contains no valid session (line {line}, column {column})"),
            source.is_eof(),
        )
    })?;
    let follows = token.metadata.extra.0.remove(FOLLOWS);
    let follows = follows.and_then(|fingerprint| fingerprint.as_str().map(str::to_owned));
    Ok(Written { token, follows })
}

/// Whether the system reports that a path is no link, or does not exist. Any other error leaves
/// open what is there, and it must not be replaced.
fn is_no_link(error: &io::Error) -> bool {
    /// Windows: `ERROR_NOT_A_REPARSE_POINT`.
    const NO_REPARSE_POINT: i32 = 4390;
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
    ) || (cfg!(windows) && error.raw_os_error() == Some(NO_REPARSE_POINT))
}

/// A file that is mounted on its own cannot be replaced.
pub(super) fn replace_error(path: &Path, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::ResourceBusy {
        return store_error(
            "replace (it is a mount point: mount its directory instead)",
            path,
            source,
        );
    }
    store_error("replace the token file", path, source)
}
