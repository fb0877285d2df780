//! Owners, modes and kinds of files, as Unix knows them.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _, fchown,
};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::{Directory, parent_of};

const OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// The time for a pipe to be written and closed.
const PIPE_WAIT: Duration = Duration::from_secs(10);

/// The owner of a new file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Like {
    user: u32,
    group: u32,
}

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, why.into())
}

fn me() -> u32 {
    geteuid().as_raw()
}

/// Opens a file without waiting for the process at the other end of a pipe.
pub(super) fn open(path: &Path, follow: bool) -> io::Result<File> {
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    options.open(path).map_err(|error| {
        if !follow && is_link(&error) {
            return refused("it is a link in a directory that other users can write to");
        }
        error
    })
}

/// Opens a lock file for writing: some systems grant an exclusive lock only on a writable file.
pub(super) fn open_for_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.custom_flags(flags.bits().cast_signed());
    options.open(path).map_err(|error| match is_link(&error) {
        true => refused("it is a link"),
        false => error,
    })
}

pub(super) fn names_of(file: &Metadata) -> u64 {
    file.nlink()
}

/// A new file that the administrator makes in another user's directory belongs to that user.
pub(super) fn own_as_directory(file: &File, directory: &Directory) -> io::Result<()> {
    keep_owner(file, owner_below(directory)?.as_ref())
}

/// Whether opening a file failed because it is a link.
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Whether another user may write in a directory. The owner's private group, which has the owner's
/// number, is no other user. No user writes on a file system that is mounted read-only, as
/// Kubernetes mounts secrets (links in directories of mode 1777).
pub(super) fn is_shared(directory: &Path) -> bool {
    let is_read_only = || {
        rustix::fs::statvfs(directory)
            .is_ok_and(|about| about.f_flag.contains(StatVfsMountFlags::RDONLY))
    };
    directory
        .metadata()
        .is_ok_and(|metadata| is_foreign(&metadata) || (by_mode(&metadata) && !is_read_only()))
}

fn by_mode(directory: &Metadata) -> bool {
    let by_group = directory.mode() & 0o020 != 0 && directory.gid() != directory.uid();
    directory.mode() & 0o002 != 0 || by_group
}

/// Whether a file belongs to another user; the administrator may act for all users.
fn is_foreign(metadata: &Metadata) -> bool {
    me() != 0 && ![0, me()].contains(&metadata.uid())
}

pub(super) fn check_directory(path: &Path) -> io::Result<()> {
    let metadata = path.metadata()?;
    if is_foreign(&metadata) {
        return Err(refused(
            "it belongs to another user; use a directory of your own",
        ));
    }
    if by_mode(&metadata) && metadata.mode() & STICKY == 0 {
        return Err(refused(
            "other users can replace files in it; remove that permission with `chmod go-w`, or use \
             a directory of your own in it",
        ));
    }
    Ok(())
}

/// An existing file must belong to this user or the administrator. In a directory in which others
/// may write, the administrator trusts no other user's file either.
pub(crate) fn check_owner(file: &Metadata, in_shared: bool) -> io::Result<()> {
    let owner = file.uid();
    if owner == me() || owner == 0 || (me() == 0 && !in_shared) {
        return Ok(());
    }
    Err(refused("it belongs to another user"))
}

/// A second name of a file keeps the old content when the first is replaced, and lets other
/// processes hold its lock.
pub(crate) fn check_single(file: &Metadata) -> io::Result<()> {
    if file.nlink() > 1 {
        return Err(refused(
            "it has a second name (a hard link); remove that name",
        ));
    }
    Ok(())
}

// Decision 0014.
/// Tightens a directory that is only for llm-auth to 0700.
pub(crate) fn tighten_directory(path: &Path) -> io::Result<()> {
    let metadata = path.metadata()?;
    if is_foreign(&metadata) {
        return Err(refused(
            "it belongs to another user; use a directory of your own",
        ));
    }
    if metadata.mode() & (OTHERS | STICKY) == 0 {
        return Ok(());
    }
    if metadata.mode() & STICKY != 0 {
        return Err(refused(
            "it is a directory shared between users; choose one for llm-auth alone",
        ));
    }
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Tightens a token file to 0600.
pub(crate) fn tighten_file(file: &File) {
    let open = |mode: u32| mode & OTHERS != 0;
    if file.metadata().is_ok_and(|metadata| open(metadata.mode()))
        && let Err(error) = file.set_permissions(Permissions::from_mode(0o600))
    {
        tracing::warn!(%error, "other users can read a token file, and its mode cannot be changed");
    }
}

/// Creates missing directories, 0700, durable, and each with the owner of its parent if the
/// administrator acts for another user.
pub(super) fn make_directories(path: &Path) -> io::Result<()> {
    let is_missing = |place: &&Path| {
        let found = place.metadata();
        matches!(found, Err(error) if error.kind() == ErrorKind::NotFound)
    };
    let mut missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    missing.retain(|place| !place.as_os_str().is_empty());
    for place in missing.iter().rev() {
        match DirBuilder::new().mode(0o700).create(place) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            done => done?,
        }
        let parent = Directory::open(parent_of(place))?;
        let owned = owner_below(&parent).and_then(|like| match like {
            Some(like) => keep_owner(Directory::open(place)?.handle(), Some(&like)),
            None => Ok(()),
        });
        if let Err(error) = owned {
            let _gone: io::Result<()> = std::fs::remove_dir(place);
            return Err(error);
        }
        parent.sync()?;
    }
    Ok(())
}

/// The owner of a new file in a directory, if not simply this user.
fn owner_below(directory: &Directory) -> io::Result<Option<Like>> {
    let metadata = directory.handle().metadata()?;
    let is_for_another = me() == 0 && metadata.uid() != 0;
    Ok(is_for_another.then(|| Like {
        user: metadata.uid(),
        group: metadata.gid(),
    }))
}

/// Gives a new file its owner.
pub(crate) fn keep_owner(file: &File, like: Option<&Like>) -> io::Result<()> {
    let Some(like) = like else {
        return Ok(());
    };
    let now = file.metadata()?;
    let user = (now.uid() != like.user).then_some(like.user);
    let group = (now.gid() != like.group).then_some(like.group);
    if user.is_none() && group.is_none() {
        return Ok(());
    }
    match fchown(file, user, group) {
        Err(error) if user.is_some() => Err(refused(format!(
            "it belongs to user {}, and llm-auth cannot create a file owned by that user \
             ({error}): run this as that user",
            like.user
        ))),
        // The mode grants no group access, so any group will do.
        _ => Ok(()),
    }
}

// Decision 0004.
/// Checks, as far as possible without a rename, that a rename onto a name will succeed, given the
/// owner of the file.
pub(crate) fn check_replaceable(directory: &Directory, name: &OsStr) -> io::Result<Option<Like>> {
    let about = directory.handle().metadata()?;
    let found = match rustix::fs::statat(directory.handle(), name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => None,
        found => Some(found?),
    };
    check_attributes(directory, name)?;
    let Some(found) = found else {
        return owner_below(directory);
    };
    if !rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if found.st_nlink > 1 {
        return Err(refused(
            "it has a second name (a hard link), which would keep the old session; remove that \
             name",
        ));
    }
    let is_foreign = found.st_uid != me() && (me() != 0 || by_mode(&about));
    if about.mode() & STICKY != 0 && is_foreign {
        return Err(refused(
            "it belongs to another user, in a directory shared between users",
        ));
    }
    Ok(Some(Like {
        user: found.st_uid,
        group: found.st_gid,
    }))
}

/// What Linux knows besides the mode: a file mounted on its own, and immutable files.
#[cfg(target_os = "linux")]
fn check_attributes(directory: &Directory, name: &OsStr) -> io::Result<()> {
    use rustix::fs::{StatxAttributes, StatxFlags, statx};
    let of = |name: &OsStr| {
        statx(
            directory.handle(),
            name,
            AtFlags::SYMLINK_NOFOLLOW,
            StatxFlags::BASIC_STATS,
        )
    };
    match of(name) {
        Ok(about) => {
            let has = about.stx_attributes;
            if has.contains(StatxAttributes::MOUNT_ROOT) {
                return Err(ErrorKind::ResourceBusy.into());
            }
            if has.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
                return Err(refused(
                    "a file attribute prevents llm-auth from replacing it (`chattr -i -a` removes \
                     the attribute)",
                ));
            }
        }
        Err(Errno::NOENT | Errno::NOSYS | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    match of(OsStr::new(".")) {
        Ok(about) if about.stx_attributes.contains(StatxAttributes::APPEND) => Err(refused(
            "a file attribute makes its directory append-only (`chattr -a` removes the attribute)",
        )),
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn check_attributes(_directory: &Directory, _name: &OsStr) -> io::Result<()> {
    Ok(())
}

/// Overwrites a file, from an offset on.
pub(crate) fn write_at(file: &File, content: &[u8], offset: usize) -> io::Result<()> {
    file.write_all_at(content, offset as u64)
}

/// Takes disk space for a file without writing to it; `false` if the file system cannot.
pub(crate) fn reserve(file: &File, size: u64) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        loop {
            return match fallocate(file, FallocateFlags::empty(), 0, size) {
                Ok(()) => Ok(true),
                Err(Errno::INTR) => continue,
                Err(Errno::NOTSUP | Errno::INVAL | Errno::NOSYS) => Ok(false),
                Err(error) => Err(error.into()),
            };
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _unused = (file, size);
        Ok(false)
    }
}

/// Whether a path is one of the pipes that this process was given.
pub(super) fn open_pipe(path: &Path) -> io::Result<Option<File>> {
    let given = ["/dev/fd", "/proc/self/fd"];
    let is_given = given.iter().any(|place| path.starts_with(place));
    if !is_given && path != Path::new("/dev/stdin") {
        return Ok(None);
    }
    let file = open(path, true)?;
    Ok(file.metadata()?.file_type().is_fifo().then_some(file))
}

pub(super) fn read_pipe(pipe: &File, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let deadline = Instant::now() + PIPE_WAIT;
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    loop {
        match pipe
            .take(limit + 1 - bytes.len() as u64)
            .read_to_end(&mut bytes)
        {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            done => {
                done?;
                return super::within(bytes, limit);
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("the pipe is still open after {} s", PIPE_WAIT.as_secs()),
            ));
        }
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&left)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
