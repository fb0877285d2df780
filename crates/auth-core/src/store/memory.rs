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
type Slots = Arc<Mutex<HashMap<SessionKey, Slot>>>;
type Sessions = Arc<Mutex<HashMap<SessionKey, Box<OAuthToken>>>>;

/// A store in memory, for tests and for programs that persist sessions themselves.
///
/// Clones share their sessions.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{MemoryTokenStore, OAuthToken, SessionKey, TokenStore as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// let (store, key) = (MemoryTokenStore::new(), SessionKey::new("qwen", "work"));
/// store.lock(&key).await?.save(&OAuthToken::new("made-up".into(), None)).await?;
/// assert!(store.load(&key).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryTokenStore {
    sessions: Sessions,
    locks: Slots,
}

#[derive(Debug)]
struct MemoryGuard {
    key: SessionKey,
    sessions: Sessions,
    locks: Slots,
    held: Option<OwnedMutexGuard<()>>,
}

impl MemoryTokenStore {
    /// An empty store.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{MemoryTokenStore, SessionKey, TokenStore as _};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let store = MemoryTokenStore::new();
    /// assert!(store.load(&SessionKey::new("qwen", "work")).await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
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
            locks: Arc::clone(&self.locks),
            held: Some(slot.lock_owned().await),
        }))
    }

    fn location(&self, _key: &SessionKey) -> String {
        "memory".into()
    }

    fn is_local(&self) -> bool {
        true
    }
}

#[async_trait]
impl StoreGuard for MemoryGuard {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        Ok(read(&self.sessions, &self.key))
    }

    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        match stored {
            Some(stored) => self.save(stored).await,
            None => Ok(()),
        }
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(self.key.clone(), Box::new(token.clone()));
        Ok(())
    }

    async fn remove(&mut self) -> Result<()> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        drop(sessions.remove(&self.key));
        Ok(())
    }
}

impl Drop for MemoryGuard {
    /// A lock without waiters is removed.
    fn drop(&mut self) {
        drop(self.held.take());
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if locks
            .get(&self.key)
            .is_some_and(|slot| Arc::strong_count(slot) == 1)
        {
            drop(locks.remove(&self.key));
        }
    }
}

fn read(sessions: &Sessions, key: &SessionKey) -> Option<OAuthToken> {
    let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.get(key).map(|token| (**token).clone())
}
