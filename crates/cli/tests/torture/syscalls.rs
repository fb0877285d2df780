//! Which system calls are about files, threads and memory (`x86_64`).

use std::collections::BTreeMap;

use nix::libc;

/// What a call is to the injector.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Of a file or directory, by its path or by a descriptor of it.
    File(Work),
    /// Starts a thread or a process.
    Thread,
    /// Asks for memory.
    Memory,
    /// Anything else.
    Other,
}

/// What a file call does to the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Work {
    /// Gives a new descriptor.
    Open,
    Write,
    Sync,
    Close,
    Other,
}

/// One call at its entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 4],
}

/// The descriptors of files and directories that the process opened. No socket, pipe or timer
/// comes from a path, so this needs no look into `/proc`, which a process may close to us.
#[derive(Debug, Default)]
pub(crate) struct Descriptors(BTreeMap<u64, Opened>);

#[derive(Clone, Copy, Debug)]
enum Opened {
    File,
    Directory,
}

impl Descriptors {
    pub(crate) fn kind_of(&self, call: &Call) -> Kind {
        if is_thread(call) {
            return Kind::Thread;
        }
        if is_memory(call) {
            return Kind::Memory;
        }
        let work = work_of(call.number);
        if by_path(call.number) {
            return Kind::File(work);
        }
        match self.0.get(&call.arguments[0]) {
            // The standard library asserts that this succeeds, and on Linux it does.
            Some(Opened::Directory) if work == Work::Close => Kind::Other,
            // Locks and flags are no input or output.
            Some(_) if call.number != libc::SYS_fcntl => Kind::File(work),
            _ => Kind::Other,
        }
    }

    /// Notes what a call that succeeded gave or took.
    pub(crate) fn note(&mut self, call: &Call, result: u64) {
        let [first, second, third, _] = call.arguments;
        match call.number {
            libc::SYS_open => self.opened(result, second),
            libc::SYS_openat => self.opened(result, third),
            libc::SYS_creat | libc::SYS_openat2 => self.opened(result, 0),
            libc::SYS_close => {
                self.0.remove(&first);
            }
            libc::SYS_fcntl if is_copy(second) => {
                if let Some(opened) = self.0.get(&first).copied() {
                    self.0.insert(result, opened);
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, descriptor: u64, flags: u64) {
        let directory = flags & libc::O_DIRECTORY as u64 != 0;
        let opened = if directory {
            Opened::Directory
        } else {
            Opened::File
        };
        self.0.insert(descriptor, opened);
    }
}

fn is_copy(command: u64) -> bool {
    [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC].contains(&(command as i32))
}

/// The first call of the standard library in a program: what the loader did comes before.
pub(crate) fn is_start(number: i64) -> bool {
    [libc::SYS_poll, libc::SYS_ppoll].contains(&number)
}

fn is_thread(call: &Call) -> bool {
    [
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_fork,
        libc::SYS_vfork,
    ]
    .contains(&call.number)
}

fn is_memory(call: &Call) -> bool {
    let anonymous = call.arguments[3] & libc::MAP_ANONYMOUS as u64 != 0;
    // `brk(0)` only asks where the end is.
    (call.number == libc::SYS_mmap && anonymous)
        || (call.number == libc::SYS_brk && call.arguments[0] != 0)
}

fn work_of(number: i64) -> Work {
    match number {
        libc::SYS_open | libc::SYS_openat | libc::SYS_openat2 | libc::SYS_creat => Work::Open,
        libc::SYS_write
        | libc::SYS_pwrite64
        | libc::SYS_writev
        | libc::SYS_pwritev
        | libc::SYS_pwritev2 => Work::Write,
        libc::SYS_fsync | libc::SYS_fdatasync | libc::SYS_sync_file_range => Work::Sync,
        libc::SYS_close => Work::Close,
        _ => Work::Other,
    }
}

/// The calls that take a path, with their names.
const BY_PATH: [(i64, &str); 34] = [
    (libc::SYS_open, "open"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_openat2, "openat2"),
    (libc::SYS_creat, "creat"),
    (libc::SYS_stat, "stat"),
    (libc::SYS_lstat, "lstat"),
    (libc::SYS_newfstatat, "newfstatat"),
    (libc::SYS_statx, "statx"),
    (libc::SYS_statfs, "statfs"),
    (libc::SYS_access, "access"),
    (libc::SYS_faccessat, "faccessat"),
    (libc::SYS_faccessat2, "faccessat2"),
    (libc::SYS_readlink, "readlink"),
    (libc::SYS_readlinkat, "readlinkat"),
    (libc::SYS_rename, "rename"),
    (libc::SYS_renameat, "renameat"),
    (libc::SYS_renameat2, "renameat2"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_link, "link"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_symlink, "symlink"),
    (libc::SYS_symlinkat, "symlinkat"),
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_mkdirat, "mkdirat"),
    (libc::SYS_rmdir, "rmdir"),
    (libc::SYS_chmod, "chmod"),
    (libc::SYS_fchmodat, "fchmodat"),
    (libc::SYS_chown, "chown"),
    (libc::SYS_lchown, "lchown"),
    (libc::SYS_fchownat, "fchownat"),
    (libc::SYS_truncate, "truncate"),
    (libc::SYS_utimensat, "utimensat"),
    (libc::SYS_getcwd, "getcwd"),
];

/// Names of others, for messages.
const NAMES: [(i64, &str); 20] = [
    (libc::SYS_read, "read"),
    (libc::SYS_pread64, "pread64"),
    (libc::SYS_readv, "readv"),
    (libc::SYS_write, "write"),
    (libc::SYS_pwrite64, "pwrite64"),
    (libc::SYS_writev, "writev"),
    (libc::SYS_pwritev, "pwritev"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_fallocate, "fallocate"),
    (libc::SYS_fchmod, "fchmod"),
    (libc::SYS_fchown, "fchown"),
    (libc::SYS_fstat, "fstat"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_lseek, "lseek"),
    (libc::SYS_getdents64, "getdents64"),
    (libc::SYS_close, "close"),
    (libc::SYS_clone, "clone"),
    (libc::SYS_clone3, "clone3"),
];

fn by_path(number: i64) -> bool {
    BY_PATH.iter().any(|(known, _)| *known == number)
}

/// A call's name, as far as a message needs it.
pub(crate) fn name(number: i64) -> String {
    let mut all = BY_PATH.iter().chain(&NAMES);
    all.find(|(known, _)| *known == number)
        .map_or_else(|| format!("call {number}"), |(_, name)| (*name).to_owned())
}
