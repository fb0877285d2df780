//! What commands ask of a store, wherever it is.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::store::LockHolder;
use llm_auth_core::{Error, ErrorKind, FileTokenStore, OAuthToken, Result, SessionKey, TokenStore};

use super::blocking;
use super::server::Server;
use crate::session::directories;

/// A store, and what this command does with it besides refreshes.
#[derive(Clone, Debug)]
pub(crate) enum SessionStore {
    Files(FileTokenStore),
    Server(Server),
}

impl SessionStore {
    /// The store, for a manager.
    pub(crate) fn shared(&self) -> Arc<dyn TokenStore> {
        match self {
            Self::Files(store) => Arc::new(store.clone()),
            Self::Server(server) => server.store(),
        }
    }

    pub(crate) fn is_on_server(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// How long to wait for the refresh of another process.
    pub(crate) fn lock_wait(self, wait: Duration) -> Result<Self> {
        Ok(match self {
            Self::Files(store) => Self::Files(store.lock_wait(wait)),
            Self::Server(server) => Self::Server(server.lock_wait(wait)?),
        })
    }

    /// Reads a session without its lock.
    pub(crate) fn read(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        match self {
            Self::Files(store) => store.read(key),
            Self::Server(server) => {
                let (store, key) = (server.store(), key.clone());
                blocking::run(async move { store.load(&key).await }).map_err(of_server)
            }
        }
    }

    /// Whether there is a session, even one that cannot be read.
    pub(crate) fn has(&self, key: &SessionKey) -> bool {
        match self {
            Self::Files(store) => store.path(key).exists(),
            // Of a server that does not respond, nothing is known: the next call reports that.
            Self::Server(_) => match self.read(key) {
                Ok(found) => found.is_some(),
                Err(error) => error.kind() == ErrorKind::Corrupt,
            },
        }
    }

    /// Where a session is, in words.
    pub(crate) fn place(&self, key: &SessionKey) -> String {
        match self {
            Self::Files(store) => store.path(key).display().to_string(),
            Self::Server(server) => server.store().location(key),
        }
    }

    /// Where the latest copy is of what could not be read, once it was replaced or removed.
    pub(crate) fn kept_aside(&self, key: &SessionKey) -> Option<String> {
        match self {
            Self::Files(store) => {
                let aside = directories::kept_aside(&store.path(key))?;
                Some(aside.display().to_string())
            }
            Self::Server(server) => Some(server.location_of_copies(key)),
        }
    }

    pub(crate) fn sessions(&self) -> Result<Vec<SessionKey>> {
        match self {
            Self::Files(store) => store.sessions(),
            Self::Server(server) => {
                let mut keys = blocking::run(server.accounts()).map_err(of_server)?;
                keys.sort();
                Ok(keys)
            }
        }
    }

    pub(crate) fn providers(&self) -> Result<Vec<String>> {
        match self {
            Self::Files(store) => store.providers(),
            Self::Server(_) => {
                let keys = self.sessions()?;
                let mut names: Vec<String> = keys.iter().map(|key| key.provider().into()).collect();
                names.dedup();
                Ok(names)
            }
        }
    }

    pub(crate) fn sessions_of(&self, provider: &str) -> Result<Vec<SessionKey>> {
        match self {
            Self::Files(store) => store.sessions_of(provider),
            Self::Server(_) => {
                let mut keys = self.sessions()?;
                keys.retain(|key| key.provider() == provider);
                Ok(keys)
            }
        }
    }

    /// What killed processes have left; a server has nothing of that kind.
    pub(crate) fn unfinished_of(&self, provider: &str) -> Result<Vec<SessionKey>> {
        match self {
            Self::Files(store) => store.unfinished_of(provider),
            Self::Server(_) => Ok(Vec::new()),
        }
    }

    /// Which process holds the lock, if that can be known.
    pub(crate) fn lock_holder(&self, key: &SessionKey) -> Result<LockHolder> {
        match self {
            Self::Files(store) => store.lock_holder(key),
            Self::Server(_) => Ok(LockHolder::Free),
        }
    }
}

/// A wrong key or URL is about the store, not about the provider of a session.
fn of_server(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Config => Error::new(ErrorKind::Store, error.to_string()),
        _ => error,
    }
}
