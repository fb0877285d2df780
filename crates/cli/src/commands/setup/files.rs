//! The files of other programs: read, replaced as a whole, and copied before the first change.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use llm_auth_core::files::{self, Temporary};

use crate::session::settings::{Held, hold};

/// Some programs keep their history among their settings (`.claude.json`).
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;

/// What the name of a copy ends in.
const BACKUP: &str = ".before-llm-auth";

/// More copies than any user keeps.
const MOST_BACKUPS: usize = 100;

/// The mode of a file that did not exist.
const NEW: u32 = 0o600;

/// A file of another program.
#[derive(Debug)]
pub(super) struct Target {
    /// The path by which the program knows it.
    link: PathBuf,
    /// What that leads to.
    file: PathBuf,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

impl Target {
    pub(super) fn of(link: &Path) -> io::Result<Self> {
        // As many as Linux follows.
        const MOST_LINKS: usize = 40;
        let mut file = link.to_owned();
        for _ in 0..MOST_LINKS {
            match fs::read_link(&file) {
                Ok(next) => file = parent_of(&file).join(next),
                Err(_no_link) => {
                    return Ok(Self {
                        link: link.to_owned(),
                        file,
                    });
                }
            }
        }
        Err(io::Error::other("it is a link that leads nowhere"))
    }

    /// Makes its directory, and returns which directories did not exist, the outermost first.
    pub(super) fn make_directory(&self) -> io::Result<Vec<PathBuf>> {
        let directory = parent_of(&self.file);
        let is_missing = |place: &&Path| !place.as_os_str().is_empty() && !place.exists();
        let missing = directory.ancestors().take_while(is_missing);
        let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        missing.reverse();
        files::make_directories(directory)?;
        Ok(missing)
    }

    /// Removes those of these directories that are its own and empty.
    pub(super) fn remove_directories(&self, made: &[PathBuf]) {
        for directory in made.iter().rev() {
            // The record may be another's.
            if parent_of(&self.file).starts_with(directory) {
                // One with anything in it stays.
                let _stays: io::Result<()> = fs::remove_dir(directory);
            }
        }
    }

    /// Keeps other processes of this command from changing files in its directory.
    pub(super) fn lock(&self) -> io::Result<Option<Held>> {
        let directory = parent_of(&self.file);
        match files::check_directory(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            checked => checked?,
        }
        // Windows opens no directories, and some file systems lock none: the lock in the home
        // directory, and the comparison before a file is replaced, remain.
        let lock = File::open(directory).and_then(hold);
        match lock {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(error),
            lock => Ok(lock.ok()),
        }
    }

    /// `None` if it does not exist.
    pub(super) fn read(&self) -> io::Result<Option<Content>> {
        match files::read(&self.file, LARGEST) {
            Ok(bytes) => {
                let about = fs::metadata(&self.file)?;
                check_single(&about)?;
                Ok(Some(Content {
                    bytes: bytes.to_vec(),
                    mode: mode_of(&about),
                }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces what was read, unless another program has changed it in the meantime: then it
    /// returns false.
    pub(super) fn replace(
        &self,
        before: Option<&Content>,
        bytes: &[u8],
        mode: Option<u32>,
    ) -> io::Result<bool> {
        let mode = mode.or_else(|| Some(before?.mode)).unwrap_or(NEW);
        let temporary = written(&self.file, bytes, mode)?;
        let now = self.read()?;
        if now.as_ref().map(|now| &now.bytes) != before.map(|before| &before.bytes) {
            return Ok(false);
        }
        temporary.replace()?;
        Ok(true)
    }

    /// Whether the file still is what was read.
    pub(super) fn holds(&self, before: Option<&Content>) -> bool {
        let now = self.read();
        now.is_ok_and(|now| now.map(|now| now.bytes).as_ref() == before.map(|it| &it.bytes))
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.file)?;
        sync(parent_of(&self.file))
    }

    /// Copies what was read beside the file, for its user alone, and returns whether the copy is new.
    /// No copy is overwritten.
    pub(super) fn back_up(&self, content: &Content) -> io::Result<(PathBuf, bool)> {
        for number in 1..MOST_BACKUPS {
            let backup = self.backup(number);
            match files::read(&backup, LARGEST) {
                // A run that was killed made it.
                Ok(bytes) if *bytes == content.bytes => return Ok((backup, false)),
                Ok(_of_another_content) => continue,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_not_ours) => continue,
            }
            match written(&backup, &content.bytes, NEW)?.make() {
                Ok(()) => return Ok((backup, true)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("there are too many copies of it"))
    }

    fn backup(&self, number: usize) -> PathBuf {
        let mut name = self.link.clone().into_os_string();
        name.push(BACKUP);
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.into()
    }
}

/// Whether a path is one of a copy of a file.
pub(super) fn is_backup(file: &Path, backup: &Path) -> bool {
    let mut begin = file.as_os_str().to_owned();
    begin.push(BACKUP);
    let (begin, backup) = (begin.to_string_lossy(), backup.to_string_lossy());
    let Some(rest) = backup.strip_prefix(&*begin) else {
        return false;
    };
    let number = rest.strip_prefix('-').map(str::parse::<usize>);
    rest.is_empty() || number.is_some_and(|number| number.is_ok())
}

/// A file that is complete and durable, and has no name of its own yet.
fn written(place: &Path, bytes: &[u8], mode: u32) -> io::Result<Temporary> {
    let new = Temporary::beside(place)?;
    new.file().write_all(bytes)?;
    keep(new.file(), fs::metadata(place).ok().as_ref(), mode)?;
    new.file().sync_all()?;
    Ok(new)
}

#[cfg(unix)]
fn keep(file: &File, like: Option<&Metadata>, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    if let Some(like) = like {
        let own = file.metadata()?;
        // The administrator acts for the owner; a group that cannot be kept is no reason to fail.
        if own.uid() != like.uid() {
            fchown(file, Some(like.uid()), Some(like.gid()))?;
        } else if own.gid() != like.gid() {
            let _kept: io::Result<()> = fchown(file, None, Some(like.gid()));
        }
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep(_file: &File, _like: Option<&Metadata>, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// A second name would keep the old settings when the first is replaced.
#[cfg(unix)]
fn check_single(metadata: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    match metadata.nlink() > 1 {
        true => Err(io::Error::other(
            "it has a second name (a hard link), which would keep the old settings; remove that name",
        )),
        false => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_single(_metadata: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn mode_of(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o777
}

#[cfg(not(unix))]
fn mode_of(_metadata: &Metadata) -> u32 {
    NEW
}

#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_directory: &Path) -> io::Result<()> {
    Ok(())
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
