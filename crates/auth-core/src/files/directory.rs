//! An open directory: operations in it do not fail for lack of a handle or a path.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(not(unix))]
use std::path::PathBuf;

#[cfg(unix)]
use rustix::{
    fs::{AtFlags, Mode, OFlags},
    io::retry_on_intr,
};

/// Names are plain file names.
#[derive(Debug)]
pub(crate) struct Directory {
    #[cfg(unix)]
    handle: File,
    #[cfg(not(unix))]
    path: PathBuf,
}

#[cfg(unix)]
impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self {
            handle: handle.into(),
        })
    }

    pub(crate) fn handle(&self) -> &File {
        &self.handle
    }

    /// A new file for its owner alone; a link is never followed.
    pub(crate) fn create_new(&self, name: &OsStr) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(rustix::fs::openat(&self.handle, name, flags, mode)?.into())
    }

    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let here = &self.handle;
        Ok(retry_on_intr(|| {
            rustix::fs::renameat(here, from, here, to)
        })?)
    }

    /// Removes a file, if it exists.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Makes renames and removals survive a power cut. Some file systems (SMB, the shared
    /// directories of VirtualBox) do not support it: then nothing more can be done.
    pub(crate) fn sync(&self) -> io::Result<()> {
        use rustix::io::Errno;
        match retry_on_intr(|| rustix::fs::fsync(&self.handle)) {
            // OPNOTSUPP has the number of NOTSUP on Linux, and another elsewhere.
            Err(error)
                if [Errno::INVAL, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::BADF]
                    .contains(&error) =>
            {
                Ok(())
            }
            done => Ok(done?),
        }
    }
}

#[cfg(not(unix))]
impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if !path.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    pub(crate) fn create_new(&self, name: &OsStr) -> io::Result<File> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create_new(true);
        options.open(self.path.join(name))
    }

    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Windows has no such call, and needs none.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_syncs_no_directories_is_no_error() {
        // It returns EINVAL.
        Directory::open(Path::new("/proc")).unwrap().sync().unwrap();
    }
}
