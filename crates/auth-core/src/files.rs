//! Files that users and other programs wrote: read with limits, without waiting, and only if no
//! other user could have put them there.
//!
//! See decision 0039.

mod directory;
mod lock;
#[cfg(not(unix))]
mod other;
mod temporary;
#[cfg(unix)]
mod unix;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

pub(crate) use self::directory::Directory;
pub use self::lock::lock_within;
#[cfg(not(unix))]
use self::other as system;
pub use self::temporary::Temporary;
#[cfg(unix)]
use self::unix as system;
pub(crate) use system::{
    check_owner, check_replaceable, check_single, keep_owner, reserve, tighten_directory,
    tighten_file, write_at,
};

/// Reads a regular file of at most `limit` bytes.
///
/// It never waits: a pipe, a device or a directory is an error. The file must belong to this user
/// or the administrator. In a directory in which other users may write, a symbolic link is not
/// followed. The bytes are wiped on drop.
///
/// # Errors
///
/// The system's error, [`io::ErrorKind::FileTooLarge`] beyond the limit, or a description of what
/// is wrong with the file.
///
/// # Examples
///
/// ```
/// use llm_auth_core::files;
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("client.json");
/// std::fs::write(&path, "{}")?;
/// assert_eq!(files::read(&path, 1_000)?.as_slice(), b"{}");
/// assert!(files::read(&path, 1).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = open(path)?;
    read_all(&file, limit)
}

/// As [`read`], for a file of the program's own that may hold a secret: if other users may read or
/// write it, that ends here, as with a session (mode 0600).
///
/// # Errors
///
/// As [`read`].
///
/// # Examples
///
/// ```
/// use llm_auth_core::files;
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("client.json");
/// std::fs::write(&path, "{}")?;
/// assert_eq!(files::read_own(&path, 1_000)?.as_slice(), b"{}");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_own(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = open(path)?;
    let content = read_all(&file, limit)?;
    tighten_file(&file);
    Ok(content)
}

/// As [`read`], but accepts a pipe that this process was given, such as `/dev/fd/63` of a shell's
/// `<(...)`, which has 10 seconds to be written and closed.
///
/// # Errors
///
/// As [`read`]; [`io::ErrorKind::TimedOut`] if the pipe is still open then.
///
/// # Examples
///
/// ```
/// use llm_auth_core::files;
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("client.json");
/// std::fs::write(&path, "{}")?;
/// assert_eq!(files::read_or_pipe(&path, 1_000)?.as_slice(), b"{}");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_or_pipe(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    match system::open_pipe(path)? {
        Some(pipe) => system::read_pipe(&pipe, limit),
        None => read(path, limit),
    }
}

/// Checks that no other user can replace files in a directory: it belongs to this user or the
/// administrator, and others either may not write in it or it has the sticky bit.
///
/// # Errors
///
/// [`io::ErrorKind::PermissionDenied`] with advice, or the system's error.
///
/// # Examples
///
/// ```
/// use llm_auth_core::files;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path();
/// files::check_directory(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn check_directory(path: &Path) -> io::Result<()> {
    system::check_directory(path)
}

/// Replaces a file as a whole, with mode 0600 and its present owner (or its directory's): a reader
/// sees the old content or the new, also if several processes replace it at once. `path` is no link,
/// and its directory exists. What a process that was killed in the middle left next to the file is
/// removed.
///
/// # Errors
///
/// The system's error; the old file is then intact.
///
/// # Examples
///
/// ```
/// use llm_auth_core::files;
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("settings.toml");
/// files::replace(&path, b"account = \"work\"\n")?;
/// assert_eq!(std::fs::read(&path)?, b"account = \"work\"\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    check_directory(parent_of(path))?;
    let new = Temporary::beside(path)?;
    let like = check_replaceable(new.directory(), name)?;
    keep_owner(new.file(), like.as_ref())?;
    new.file().write_all(content)?;
    new.file().sync_all()?;
    new.replace()
}

/// Opens a regular file for reading, as [`read`] does.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let shared = system::is_shared(parent_of(path));
    let file = system::open(path, !shared)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    check_owner(&metadata, shared)?;
    Ok(file)
}

/// One of the library's files next to a token file: no link, with one name, not another user's.
/// `None` if there is none, or something else.
pub(crate) fn open_strictly(path: &Path) -> io::Result<Option<File>> {
    let file = match system::open(path, false) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_refusal(&error) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    let is_ours = metadata.is_file()
        && check_single(&metadata).is_ok()
        && check_owner(&metadata, system::is_shared(parent_of(path))).is_ok();
    Ok(is_ours.then_some(file))
}

/// Creates missing directories with mode 0700, durable, and each with the owner of its parent if
/// the administrator acts for another user.
///
/// # Errors
///
/// The system's error, or [`io::ErrorKind::PermissionDenied`] if the owner cannot be kept.
///
/// # Examples
///
/// ```
/// use llm_auth_core::files;
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("my-agent/sessions");
/// files::make_directories(&path)?;
/// assert!(path.is_dir());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn make_directories(path: &Path) -> io::Result<()> {
    system::make_directories(path)
}

/// Opens a lock file for reading and writing, and creates it with mode 0600 if it is missing. It
/// must be a regular file with one name, no link, and not another user's.
///
/// # Errors
///
/// The system's error, or a description of what is wrong with the file.
///
/// # Examples
///
/// ```
/// use llm_auth_core::files;
///
/// # let directory = tempfile::tempdir()?;
/// let file = files::open_or_create(&directory.path().join("settings.lock"))?;
/// file.lock()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let parent = parent_of(path);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    // Several processes may create it, and an administrator may remove it, at the same time.
    for _ in 0..10 {
        let file = match system::open_for_lock(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = Directory::open(parent)?;
                match directory.create_new(name) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    made => {
                        let made = made?;
                        if let Err(error) = system::own_as_directory(&made, &directory) {
                            // The owner would be locked out.
                            let _gone: io::Result<()> = directory.remove(name);
                            return Err(error);
                        }
                        made
                    }
                }
            }
            opened => opened?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        check_single(&metadata)?;
        check_owner(&metadata, system::is_shared(parent))?;
        tighten_file(&file);
        return Ok(file);
    }
    Err(io::Error::other("it is repeatedly removed"))
}

/// Whether an open file has no name any more.
pub(crate) fn is_unnamed(file: &File) -> io::Result<bool> {
    Ok(system::names_of(&file.metadata()?) == 0)
}

/// Checks that no other user made a link in this directory.
pub(crate) fn check_no_link(directory: &Path) -> io::Result<()> {
    if system::is_shared(directory) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is a link in a directory that other users can write to",
        ));
    }
    Ok(())
}

fn is_refusal(error: &io::Error) -> bool {
    // A link in place of the file.
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// The content of a file, if that is at most `limit` bytes.
pub(crate) fn read_all(file: &File, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let expected = file.metadata()?.len().min(limit);
    let expected = usize::try_from(expected).unwrap_or_default();
    // Room for the whole content and one more byte, so that nothing is copied while the buffer
    // grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected + 1));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    within(bytes, limit)
}

fn within(bytes: Zeroizing<Vec<u8>>, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {} KiB", limit / 1024),
        ));
    }
    Ok(bytes)
}

/// The parent directory of a path.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
