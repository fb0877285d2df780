//! The manager's only way to call providers and stores: it limits the time of a call, turns a panic
//! into an error, and adds the session to every error.
//!
//! Because there is no other way, no call can be forgotten.
//!
//! See decision 0055.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::common::Common;
use crate::auth_provider::Revocation;
use crate::engine::{self, Critical, Kinds, bounded};
use crate::error::{Error, ErrorKind, Result};
use crate::grant::Operation;
use crate::session::SessionKey;
use crate::store::StoreGuard;
use crate::store::lease::Lease;
use crate::token::OAuthToken;

/// The default time limit for one call of the provider or the store: 60 s. The HTTP client's own
/// limit for a request is 20 s.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(llm_auth_core::DEFAULT_CALL_LIMIT, Duration::from_secs(60));
/// ```
pub const DEFAULT_CALL_LIMIT: Duration = Duration::from_secs(60);

/// A store waits for another process in `lock`, so that call may take this many times as long.
pub(super) const LOCK_FACTOR: u32 = 5;

/// How many sessions of a process are in progress at once. Each needs some descriptors (a file
/// store three, a request one): together fewer than the 1,024 that most processes may have.
static TURNS: Semaphore = Semaphore::const_new(200);

/// A provider that hangs may recover; one that panics does so again.
const OF_PROVIDER: Kinds = Kinds {
    panicked: ErrorKind::System,
    timed_out: ErrorKind::Transient,
};
const OF_STORE: Kinds = Kinds {
    panicked: ErrorKind::Store,
    timed_out: ErrorKind::Store,
};
const OF_LOCK: Kinds = Kinds {
    panicked: ErrorKind::Store,
    timed_out: ErrorKind::StoreBusy,
};

/// The provider and the store of one session.
pub(super) struct Foreign {
    pub(super) common: Arc<Common>,
    pub(super) key: SessionKey,
}

/// The lock of one session.
pub(super) struct Guard<'a> {
    foreign: &'a Foreign,
    _turn: SemaphorePermit<'static>,
    /// Held until the lock is released, so that the end of the process waits for that too.
    pub(super) critical: Option<Critical>,
    inner: Box<dyn StoreGuard>,
}

impl Foreign {
    /// [`AuthProvider::refresh`], under a lease. After a timeout or a panic it is unknown whether the
    /// server has acted.
    pub(super) async fn refresh(
        &self,
        current: &OAuthToken,
        lease: Option<Lease>,
    ) -> Result<OAuthToken> {
        let mut ended = false;
        let refresh = Lease::scope(lease, async {
            let outcome = self.common.provider.refresh(current).await;
            ended = true;
            outcome
        });
        let outcome = bounded(
            "the provider's `refresh`",
            OF_PROVIDER,
            self.common.limit,
            refresh,
        )
        .await;
        outcome.map_err(|error| match ended {
            true => error.with_session(&self.key),
            false => error.with_response_lost(true).with_session(&self.key),
        })
    }

    /// Whether the session is this provider's to revoke: it was made with it, or at least goes to the
    /// same server.
    pub(super) fn check_revocable(&self, token: &OAuthToken) -> Result<()> {
        let issued = self.common.provider.check_issued(token);
        issued.or_else(|error| {
            let endpoint = self.common.provider.recipient(Operation::Revocation, token);
            endpoint
                .map(drop)
                .map_err(|_elsewhere| error.with_session(&self.key))
        })
    }

    /// [`AuthProvider::revoke`].
    pub(super) async fn revoke(&self, token: &OAuthToken) -> Result<Revocation> {
        bounded(
            "the provider's `revoke`",
            OF_PROVIDER,
            self.common.limit,
            async { self.common.provider.revoke(token).await },
        )
        .await
        .map_err(|error| error.with_session(&self.key))
    }

    /// No session of a provider that demands a local store is read from another one, or stored in
    /// it.
    fn check_place(&self) -> Result<()> {
        match self.common.provider.local_only() {
            Some(why) if !self.common.store.is_local() => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{} is not a store on this computer, which {} demands ({why}): use a \
                     `FileTokenStore`",
                    self.common.store.location(&self.key),
                    self.key.provider()
                ),
            )
            .with_session(&self.key)),
            _ => Ok(()),
        }
    }

    /// [`TokenStore::load`].
    pub(super) async fn load(&self) -> Result<Option<OAuthToken>> {
        self.check_place()?;
        bounded("the store's `load`", OF_STORE, self.common.limit, async {
            self.common.store.load(&self.key).await
        })
        .await
        .map_err(|error| error.with_session(&self.key))
    }

    /// [`TokenStore::lock`], when it is this session's turn, unless the process is to end.
    pub(super) async fn lock(&self) -> Result<Guard<'_>> {
        engine::unless_given_up(self.lock_patiently()).await
    }

    /// The same for what must be stored, whenever the process ends.
    pub(super) async fn lock_patiently(&self) -> Result<Guard<'_>> {
        let locked = self.guard(async { self.common.store.lock(&self.key).await.map(Some) });
        locked.await?.ok_or_else(|| self.no_lock())
    }

    /// [`TokenStore::lock_unless_changed`], when it is this session's turn, unless the process is to
    /// end.
    pub(super) async fn lock_unless_changed(
        &self,
        known: &OAuthToken,
    ) -> Result<Option<Guard<'_>>> {
        let locked = self.guard(self.common.store.lock_unless_changed(&self.key, known));
        engine::unless_given_up(locked).await
    }

    /// [`TokenStore::lock_optimistically`], when it is this session's turn.
    pub(super) async fn lock_optimistically(&self) -> Result<Guard<'_>> {
        let store = &self.common.store;
        let locked = self.guard(async { store.lock_optimistically(&self.key).await.map(Some) });
        locked.await?.ok_or_else(|| self.no_lock())
    }

    fn no_lock(&self) -> Error {
        Error::new(ErrorKind::Store, "the store returned no lock").with_session(&self.key)
    }

    async fn guard(
        &self,
        locking: impl Future<Output = Result<Option<Box<dyn StoreGuard>>>> + Send,
    ) -> Result<Option<Guard<'_>>> {
        self.check_place()?;
        let turn = TURNS.acquire().await.map_err(|source| {
            Error::new(ErrorKind::System, "the turns have ended").with_source(source)
        })?;
        let locked = bounded(
            "the store's `lock`",
            OF_LOCK,
            self.common.limit.saturating_mul(LOCK_FACTOR),
            locking,
        );
        let inner = locked
            .await
            .map_err(|error| error.with_session(&self.key))?;
        Ok(inner.map(|inner| Guard {
            foreign: self,
            _turn: turn,
            critical: None,
            inner,
        }))
    }
}

impl Guard<'_> {
    /// [`StoreGuard::load`].
    pub(super) async fn load(&mut self) -> Result<Option<OAuthToken>> {
        let inner = &mut self.inner;
        bounded(
            "the store's `load`",
            OF_STORE,
            self.foreign.common.limit,
            async { inner.load().await },
        )
        .await
        .map_err(|error| error.with_session(&self.foreign.key))
    }

    /// [`StoreGuard::prepare`].
    pub(super) async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        let inner = &mut self.inner;
        bounded(
            "the store's `prepare`",
            OF_STORE,
            self.foreign.common.limit,
            async { inner.prepare(stored).await },
        )
        .await
        .map_err(|error| error.with_session(&self.foreign.key))
    }

    /// [`StoreGuard::save`].
    pub(super) async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        let inner = &mut self.inner;
        bounded(
            "the store's `save`",
            OF_STORE,
            self.foreign.common.limit,
            async { inner.save(token).await },
        )
        .await
        .map_err(|error| error.with_session(&self.foreign.key))
    }

    /// [`StoreGuard::finish`].
    pub(super) async fn finish(&mut self, token: &OAuthToken) -> Result<()> {
        let inner = &mut self.inner;
        bounded(
            "the store's `finish`",
            OF_STORE,
            self.foreign.common.limit,
            async { inner.finish(token).await },
        )
        .await
        .map_err(|error| error.with_session(&self.foreign.key))
    }

    /// [`StoreGuard::extend`].
    pub(super) async fn extend(&mut self) -> Result<()> {
        let inner = &mut self.inner;
        bounded(
            "the store's `extend`",
            OF_STORE,
            self.foreign.common.limit,
            async { inner.extend().await },
        )
        .await
        .map_err(|error| error.with_session(&self.foreign.key))
    }

    /// [`AuthProvider::refresh`] under this lock.
    pub(super) async fn refresh(&mut self, current: &OAuthToken) -> Result<OAuthToken> {
        self.foreign.refresh(current, self.inner.lease()).await
    }

    /// Whether the lock ends by itself, so that an earlier holder of it may still live.
    pub(super) fn is_lease(&self) -> bool {
        self.inner.lease().is_some()
    }

    /// How long the lease lasts; `None` if the lock ends with its holder.
    pub(super) fn lease_left(&self) -> Option<Duration> {
        self.inner.lease().map(|lease| lease.remaining())
    }

    /// [`StoreGuard::remove`].
    pub(super) async fn remove(&mut self) -> Result<()> {
        let inner = &mut self.inner;
        bounded(
            "the store's `remove`",
            OF_STORE,
            self.foreign.common.limit,
            async { inner.remove().await },
        )
        .await
        .map_err(|error| error.with_session(&self.foreign.key))
    }
}

impl Guard<'_> {
    /// Releases the lock.
    pub(super) async fn release(self) {
        let released = bounded(
            "the store's `release`",
            OF_STORE,
            self.foreign.common.limit,
            async {
                self.inner.release().await;
                Ok(())
            },
        );
        if let Err(error) = released.await {
            tracing::warn!(%error, "the lock of a session was not released cleanly");
        }
    }
}
