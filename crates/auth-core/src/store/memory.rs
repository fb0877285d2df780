//! Sessions that live as long as the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::OwnedMutexGuard;

use super::{StoreGuard, TokenStore};
use crate::error::Result;
use crate::session::SessionKey;
use crate::token::OAuthToken;

type Slot = Arc<tokio::sync::Mutex<()>>;
type Sessions = Arc<Mutex<HashMap<SessionKey, OAuthToken>>>;

/// Keeps sessions in memory, for tests and for programs that store elsewhere by themselves.
///
/// Clones share their sessions.
#[derive(Clone, Debug, Default)]
pub struct MemoryTokenStore {
    sessions: Sessions,
    locks: Arc<Mutex<HashMap<SessionKey, Slot>>>,
}

#[derive(Debug)]
struct MemoryGuard {
    key: SessionKey,
    sessions: Sessions,
    _lock: OwnedMutexGuard<()>,
}

impl MemoryTokenStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl TokenStore for MemoryTokenStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        Ok(read(&self.sessions, key))
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let slot = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(key.clone()).or_default())
        };
        Ok(Box::new(MemoryGuard {
            key: key.clone(),
            sessions: Arc::clone(&self.sessions),
            _lock: slot.lock_owned().await,
        }))
    }

    fn place(&self, _key: &SessionKey) -> String {
        "memory".into()
    }
}

#[async_trait]
impl StoreGuard for MemoryGuard {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        Ok(read(&self.sessions, &self.key))
    }

    async fn prepare(&mut self, noted: Option<&OAuthToken>) -> Result<()> {
        match noted {
            Some(noted) => self.save(noted).await,
            None => Ok(()),
        }
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(self.key.clone(), token.clone());
        Ok(())
    }

    async fn remove(&mut self) -> Result<()> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        drop(sessions.remove(&self.key));
        Ok(())
    }
}

fn read(sessions: &Sessions, key: &SessionKey) -> Option<OAuthToken> {
    let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.get(key).cloned()
}
