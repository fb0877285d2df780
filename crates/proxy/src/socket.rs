//! A unix socket that only its user can connect to, and that one proxy at a time listens on.

use std::ffi::OsString;
use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use llm_auth_core::{Error, ErrorKind, Result, files};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::{UnixListener, UnixStream};

/// Connections that may wait.
const BACKLOG: i32 = 1024;

/// A directory in which all users may create files, such as /tmp.
const SHARED: u32 = 0o1002;

#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// The device and the number of our socket file: another proxy may have replaced it.
    own: (u64, u64),
    /// Locked as long as the socket is ours; the system unlocks it when the process ends.
    _lock: File,
}

impl Socket {
    pub(crate) fn listen(path: &Path) -> Result<Self> {
        let shown = path.display();
        let failed = |source: io::Error| {
            let message = format!("cannot listen on the socket {shown}");
            Error::new(ErrorKind::System, message).with_source(source)
        };
        check_directory(path)?;
        let address = SocketAddrUnix::new(path).map_err(|error| failed(error.into()))?;
        // Before the lock, which leaves a file.
        is_there(path)?;
        let lock = lock(path)?;
        if is_there(path)? {
            // Without the lock, what listened there has ended.
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = bind(path, &address).map_err(failed)?;
        let own = path.symlink_metadata().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self {
            listener: UnixListener::from_std(listener).map_err(failed)?,
            path: path.to_owned(),
            own: number(&own),
            _lock: lock,
        })
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _peer) = self.listener.accept().await?;
        Ok(stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self
            .path
            .symlink_metadata()
            .is_ok_and(|found| number(&found) == self.own)
        {
            // A socket that stays is replaced by the next proxy.
            let _stays = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether there is a socket; anything else is an error.
fn is_there(path: &Path) -> Result<bool> {
    let shown = path.display();
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_socket() => Ok(true),
        Ok(_other) => {
            let message = format!("{shown} is not a socket");
            Err(Error::new(ErrorKind::Config, message))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => {
            let message = format!("cannot look for the socket {shown}");
            Err(Error::new(ErrorKind::System, message).with_source(source))
        }
    }
}

fn number(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// No program can connect before it listens, and by then only those of its user may.
fn bind(path: &Path, address: &SocketAddrUnix) -> io::Result<StdListener> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::bind(&socket, address)?;
    rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Refuses a directory in which other users can put a socket of theirs, also when ours is gone.
fn check_directory(path: &Path) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let shown = directory.display();
    files::check_directory(directory).map_err(|source| {
        let message = match source.kind() {
            io::ErrorKind::PermissionDenied => {
                format!("the directory {shown} is not safe for a socket")
            }
            _ => format!("cannot use the directory {shown} for a socket"),
        };
        Error::new(ErrorKind::Config, message).with_source(source)
    })?;
    let is_own = |found: &Metadata| {
        let owner = found.uid() == rustix::process::geteuid().as_raw();
        owner && found.mode() & SHARED != SHARED
    };
    if directory.metadata().is_ok_and(|found| is_own(&found)) {
        return Ok(());
    }
    let message =
        format!("the directory {shown} is for several users, so a socket there is not safe");
    Err(Error::new(ErrorKind::Config, message))
}

/// Locks the file beside the socket.
fn lock(path: &Path) -> Result<File> {
    let mut name = OsString::from(path);
    name.push(".lock");
    let name = PathBuf::from(name);
    let locked = files::open_or_create(&name).and_then(|file| match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    });
    match locked {
        Ok(Some(file)) => Ok(file),
        Ok(None) => {
            let message = format!("another proxy listens on the socket {}", path.display());
            let source = io::Error::from(io::ErrorKind::AddrInUse);
            Err(Error::new(ErrorKind::Config, message).with_source(source))
        }
        Err(source) => {
            let message = format!("cannot lock {}", name.display());
            Err(Error::new(ErrorKind::System, message).with_source(source))
        }
    }
}
