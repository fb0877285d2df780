//! The registration of this installation at OpenAI, in a file of its own.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use llm_auth_core::provider::request_id;
use llm_auth_core::{Error, ErrorKind, Result, files};
use serde::{Deserialize, Serialize};

use crate::config::FIRST_CLIENT;

/// The longest file that is read, in bytes.
const SIZE_LIMIT: u64 = 16 * 1024;

/// How long another sign-in may hold the lock: it writes one small file.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The longest client id that is kept.
const LONGEST_ID: usize = 200;

/// The file that holds it.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    path: PathBuf,
}

/// What it holds. None of it is secret.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Registered {
    /// This installation, as OpenAI sees it: `urn:uuid:` and a random UUID.
    pub(crate) host_id: String,
    /// The client that was issued to it; none before the first sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
}

impl Registration {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What is registered; an id for this installation is made and kept if there is none.
    pub(crate) fn of_this_computer(&self) -> Result<Registered> {
        let _lock = self.lock()?;
        match self.read()? {
            Some(registered) => Ok(registered),
            None => self.write(Registered {
                host_id: format!("urn:uuid:{}", request_id()?),
                client_id: None,
            }),
        }
    }

    /// The client that redeems a code: the one that was issued in its callback, kept from now on, or
    /// the one that was kept before.
    pub(crate) fn confirmed(&self, issued: Option<&str>) -> Result<String> {
        let _lock = self.lock()?;
        let registered = self.read()?;
        let kept = registered
            .as_ref()
            .and_then(|kept| kept.client_id.as_deref());
        match (issued, kept) {
            (None, Some(kept)) => Ok(kept.into()),
            (Some(issued), Some(kept)) if issued == kept => Ok(kept.into()),
            (Some(_), Some(_)) => Err(protocol(format!(
                "OpenAI issued another client than the registered one: sign in again; if that \
                 fails too, remove {}",
                self.path.display()
            ))),
            (Some(issued), None) => {
                check(issued)?;
                let Some(Registered { host_id, .. }) = registered else {
                    return Err(self.vanished());
                };
                let client_id = Some(issued.to_owned());
                self.write(Registered { host_id, client_id })?;
                Ok(issued.into())
            }
            (None, None) => Err(protocol(
                "OpenAI issued no client to this program, so the code cannot be redeemed: sign in \
                 again"
                    .into(),
            )),
        }
    }

    fn read(&self) -> Result<Option<Registered>> {
        let bytes = match files::read(&self.path, SIZE_LIMIT) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.failed("read", source)),
        };
        let read = serde_json::from_slice(&bytes);
        read.map(Some)
            .map_err(|source| self.failed("read", source.into()))
    }

    fn write(&self, registered: Registered) -> Result<Registered> {
        let written = serde_json::to_vec_pretty(&registered)
            .map_err(io::Error::from)
            .and_then(|json| files::replace(&self.path, &json));
        match written {
            Ok(()) => Ok(registered),
            Err(source) => Err(self.failed("write", source)),
        }
    }

    /// Two sign-ins of one program register one installation.
    fn lock(&self) -> Result<File> {
        let mut lock = self.path.clone().into_os_string();
        lock.push(".lock");
        let locked = files::make_directories(self.directory())
            .and_then(|()| files::open_or_create(Path::new(&lock)))
            .and_then(held);
        locked.map_err(|source| self.failed("lock", source))
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    fn vanished(&self) -> Error {
        Error::new(
            ErrorKind::Store,
            format!(
                "the registration in {} was removed during the sign-in: sign in again",
                self.path.display()
            ),
        )
    }

    fn failed(&self, what: &str, source: io::Error) -> Error {
        let path = self.path.display();
        Error::new(
            ErrorKind::Store,
            format!(
                "cannot {what} the registration in {path}: correct the file or its directory, or \
                 remove the file to be registered again"
            ),
        )
        .with_source(source)
    }
}

/// The lock on the file, within the time that another sign-in may take to write it.
fn held(file: File) -> io::Result<File> {
    files::lock_within(&file, LOCK_WAIT)?;
    Ok(file)
}

/// An id that can be kept and named in requests.
fn check(issued: &str) -> Result<()> {
    let is_printable = issued.bytes().all(|byte| byte.is_ascii_graphic());
    let is_new = issued != FIRST_CLIENT;
    if is_new && is_printable && (1..=LONGEST_ID).contains(&issued.len()) {
        return Ok(());
    }
    Err(protocol(
        "OpenAI issued a client id that is none: sign in again".into(),
    ))
}

fn protocol(message: String) -> Error {
    Error::new(ErrorKind::Protocol, message)
}
