//! Files on systems without owners and modes that this library knows.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::Directory;

/// The owner of a new file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Like;

pub(super) fn open(path: &Path, _follow: bool) -> io::Result<File> {
    File::open(path)
}

pub(super) fn open_for_lock(path: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).open(path)
}

pub(super) fn names_of(_file: &Metadata) -> u64 {
    1
}

pub(super) fn own_as_directory(_file: &File, _directory: &Directory) -> io::Result<()> {
    Ok(())
}

pub(super) fn is_shared(_directory: &Path) -> bool {
    false
}

pub(super) fn check_directory(path: &Path) -> io::Result<()> {
    path.metadata().map(|_metadata| ())
}

pub(crate) fn check_owner(_file: &Metadata, _in_shared: bool) -> io::Result<()> {
    Ok(())
}

pub(crate) fn check_single(_file: &Metadata) -> io::Result<()> {
    Ok(())
}

pub(crate) fn tighten_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn tighten_file(_file: &File) {}

pub(super) fn make_directories(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

pub(crate) fn keep_owner(_file: &File, _like: Option<&Like>) -> io::Result<()> {
    Ok(())
}

pub(crate) fn check_replaceable(_directory: &Directory, _name: &OsStr) -> io::Result<Option<Like>> {
    Ok(None)
}

pub(crate) fn write_at(mut file: &File, content: &[u8], offset: usize) -> io::Result<()> {
    file.seek(io::SeekFrom::Start(offset as u64))?;
    file.write_all(content)
}

pub(crate) fn reserve(_file: &File, _size: u64) -> io::Result<bool> {
    Ok(false)
}

pub(super) fn open_pipe(_path: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

pub(super) fn read_pipe(pipe: &File, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    super::read_all(pipe, limit)
}
