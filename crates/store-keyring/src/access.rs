//! Calls of a keyring, which may block for minutes: each on a thread of its own, with a bounded wait.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error as Failure};
use llm_auth_core::{Error, ErrorKind, Result};

use crate::failure::KeyringError;
use crate::platform;

/// How many calls may hang before further ones are not begun.
const MOST_HANGING: usize = 16;

/// How long to ask whether the keyring is locked, after a call that came to nothing.
const DIAGNOSIS: Duration = Duration::from_secs(2);

pub(crate) type Connect = Arc<dyn Fn() -> keyring_core::Result<Arc<CredentialStore>> + Send + Sync>;

/// A keyring, with how long to wait for it.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) wait: Duration,
    pub(crate) service: String,
    connect: Connect,
    /// Whether the keyring is that of the system, which can be asked whether it is locked.
    is_system: bool,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// One call that hangs keeps others of its connection waiting, so each timeout ends a connection.
    connection: Mutex<Option<Arc<CredentialStore>>>,
    hanging: AtomicUsize,
}

/// What a call works with.
pub(crate) struct Items {
    store: Arc<CredentialStore>,
    service: String,
    is_system: bool,
    given_up: Arc<AtomicBool>,
}

/// Why a call came to nothing.
enum Ended {
    Connecting(Failure),
    Working(Failure),
}

impl Access {
    pub(crate) fn new(connect: Connect, is_system: bool) -> Self {
        Self {
            wait: Duration::from_secs(30),
            service: "llm-auth".to_owned(),
            connect,
            is_system,
            shared: Arc::default(),
        }
    }

    /// Runs work on the keyring. If it takes too long, it goes on alone, and finds that in
    /// [`Items::is_given_up`].
    pub(crate) fn call<T: Send + 'static>(
        &self,
        work: impl Fn(&Items) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        if shared.hanging.fetch_add(1, Ordering::SeqCst) >= MOST_HANGING {
            shared.hanging.fetch_sub(1, Ordering::SeqCst);
            return Err(KeyringError::NoResponse.into_error(self.wait, ""));
        }
        let (done, outcome) = sync_channel(1);
        let given_up = Arc::new(AtomicBool::new(false));
        let begun = {
            let (access, given_up) = (self.clone(), Arc::clone(&given_up));
            thread::Builder::new()
                .name("llm-auth-keyring".into())
                .spawn(move || {
                    let ended = access.run(&work, &given_up);
                    access.shared.hanging.fetch_sub(1, Ordering::SeqCst);
                    // Of a caller that has given up.
                    let _unwanted = done.send(ended);
                })
        };
        if let Err(source) = begun {
            shared.hanging.fetch_sub(1, Ordering::SeqCst);
            let message = "cannot start a thread; raise the limits of the process (`ulimit -a`)";
            return Err(Error::new(ErrorKind::System, message).with_source(source));
        }
        match outcome.recv_timeout(self.wait) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(ended)) => Err(self.error(&ended)),
            Err(RecvTimeoutError::Timeout) => {
                given_up.store(true, Ordering::SeqCst);
                close(self.connection().take());
                Err(self.diagnosed().into_error(self.wait, ""))
            }
            Err(RecvTimeoutError::Disconnected) => {
                shared.hanging.fetch_sub(1, Ordering::SeqCst);
                Err(KeyringError::Failed.into_error(self.wait, "its library panicked"))
            }
        }
    }

    /// A keyring may have been restarted since the last call: then its connection is of no use.
    fn run<T>(
        &self,
        work: &impl Fn(&Items) -> keyring_core::Result<T>,
        given_up: &Arc<AtomicBool>,
    ) -> std::result::Result<T, Ended> {
        let before = self.connection().clone();
        let is_new = before.is_none();
        let store = before.map_or_else(|| self.connected(), Ok)?;
        let items = |store| Items {
            store,
            service: self.service.clone(),
            is_system: self.is_system,
            given_up: Arc::clone(given_up),
        };
        match work(&items(store)) {
            Err(error) if !is_new && is_broken(&error) && !given_up.load(Ordering::SeqCst) => {
                close(self.connection().take());
                work(&items(self.connected()?)).map_err(Ended::Working)
            }
            ended => ended.map_err(Ended::Working),
        }
    }

    fn connected(&self) -> std::result::Result<Arc<CredentialStore>, Ended> {
        let store = (self.connect)().map_err(Ended::Connecting)?;
        *self.connection() = Some(Arc::clone(&store));
        Ok(store)
    }

    fn connection(&self) -> std::sync::MutexGuard<'_, Option<Arc<CredentialStore>>> {
        let connection = self.shared.connection.lock();
        connection.unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, ended: &Ended) -> Error {
        let (why, error) = match ended {
            Ended::Connecting(error) => (KeyringError::Absent, error),
            Ended::Working(error) if platform::is_refusal(error) => (KeyringError::Locked, error),
            Ended::Working(error) if platform::is_absence(error) => (KeyringError::Absent, error),
            Ended::Working(error @ Failure::NoStorageAccess(_)) => (KeyringError::Locked, error),
            Ended::Working(error) => (KeyringError::Failed, error),
        };
        why.into_error(self.wait, &shown(error))
    }

    /// Why a call did not end.
    fn diagnosed(&self) -> KeyringError {
        if !self.is_system {
            return KeyringError::NoResponse;
        }
        let (done, outcome) = sync_channel(1);
        let asked = thread::Builder::new().spawn(move || {
            let _unwanted = done.send(platform::is_locked());
        });
        match asked
            .ok()
            .and_then(|_thread| outcome.recv_timeout(DIAGNOSIS.min(self.wait)).ok())
        {
            Some(Some(true)) => KeyringError::Locked,
            _ => KeyringError::NoResponse,
        }
    }
}

/// A connection blocks while it is closed, which a runtime does not permit.
fn close(connection: Option<Arc<CredentialStore>>) {
    let Some(connection) = connection else {
        return;
    };
    // Without a thread, it is closed where the last one drops it.
    drop(thread::Builder::new().spawn(move || drop(connection)));
}

impl Drop for Shared {
    fn drop(&mut self) {
        let connection = self.connection.get_mut();
        close(connection.unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// What the keyring says, without what it holds.
fn shown(error: &Failure) -> String {
    match error {
        Failure::PlatformFailure(source) | Failure::NoStorageAccess(source) => source.to_string(),
        Failure::TooLong(what, most) => format!("{what} is longer than {most}"),
        Failure::Ambiguous(found) => format!("{} entries of one name", found.len()),
        Failure::NotSupportedByStore(what) | Failure::BadStoreFormat(what) => what.clone(),
        Failure::NoEntry => "an entry is gone".to_owned(),
        _ => "an unexpected response".to_owned(),
    }
}

fn is_broken(error: &Failure) -> bool {
    matches!(error, Failure::PlatformFailure(_)) && !platform::is_refusal(error)
}

impl Items {
    /// Whether the caller has given up: then nothing may be left.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    /// Checks that an entry which was not found is gone, and not only hidden by a lock.
    pub(crate) fn check_unlocked(&self) -> keyring_core::Result<()> {
        match self.is_system {
            true => platform::check_unlocked(),
            false => Ok(()),
        }
    }

    pub(crate) fn entry(&self, place: &str, name: &str) -> keyring_core::Result<Entry> {
        let label = platform::label(place);
        let label = label.iter().map(|label| ("label", label.as_str()));
        let modifiers: HashMap<&str, &str> = label.collect();
        self.store.build(&self.service, name, Some(&modifiers))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("service", &self.service)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
