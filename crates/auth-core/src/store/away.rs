//! For tests: a store that is away for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::{MemoryTokenStore, StoreGuard, TokenStore};
use crate::error::{Error, ErrorKind, Result};
use crate::session::SessionKey;
use crate::token::OAuthToken;

/// A store in memory that is away for so many locks.
#[derive(Clone, Debug)]
pub(crate) struct Away {
    locks: Arc<AtomicU32>,
    inner: MemoryTokenStore,
}

impl Away {
    pub(crate) fn new(locks: u32, inner: MemoryTokenStore) -> Self {
        Self {
            locks: Arc::new(AtomicU32::new(locks)),
            inner,
        }
    }

    pub(crate) fn come_back(&self) {
        self.locks.store(0, Ordering::SeqCst);
    }
}

#[async_trait]
impl TokenStore for Away {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        self.inner.load(key).await
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let left = |left: u32| left.checked_sub(1);
        match self
            .locks
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
        {
            Ok(_left) => Err(Error::new(ErrorKind::Store, "it is away")),
            Err(_back) => self.inner.lock(key).await,
        }
    }

    fn location(&self, _key: &SessionKey) -> String {
        "a store that is away".into()
    }
}
