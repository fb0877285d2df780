//! What every store promises: [`TokenStore`] and [`StoreGuard`].

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::session::SessionKey;
use crate::store::lease::Lease;
use crate::token::OAuthToken;

/// A store of sessions: durability and locking, without knowledge of vendors.
///
/// Only a [`StoreGuard`] can write, so a write without the lock does not compile.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{MemoryTokenStore, OAuthToken, SessionKey, TokenStore as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// let store = MemoryTokenStore::new();
/// let key = SessionKey::new("qwen", "work");
/// let mut guard = store.lock(&key).await?;
/// guard.save(&OAuthToken::new("made-up".into(), None)).await?;
/// guard.release().await;
/// assert!(store.load(&key).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait TokenStore: Debug + Send + Sync {
    /// The stored session, read without the lock: the whole old or the whole new one, never a part.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if it cannot be read,
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if it is no session.
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>>;

    /// Locks one session against all other users of the store: tasks, processes, machines. The lock
    /// ends with its holder, or with its [lease](StoreGuard::lease); dropping the guard releases it,
    /// a lease in the background or at its end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StoreBusy`](crate::ErrorKind::StoreBusy) if another process holds it for longer
    /// than the store waits, [`ErrorKind::Store`](crate::ErrorKind::Store) if the store cannot be
    /// written.
    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>>;

    /// As [`lock`](Self::lock), for a caller that needs the lock no more if another one stores other
    /// tokens than `known`: then it returns `None`, so that a waiting caller takes a lock only to
    /// refresh. The default only locks.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    async fn lock_unless_changed(
        &self,
        key: &SessionKey,
        _known: &OAuthToken,
    ) -> Result<Option<Box<dyn StoreGuard>>> {
        self.lock(key).await.map(Some)
    }

    /// As [`lock`](Self::lock), for a sign-in or a sign-out. If the lock is a [lease](Lease), it takes
    /// none and waits for no holder, which may sleep: [`save`](StoreGuard::save),
    /// [`finish`](StoreGuard::finish) and [`remove`](StoreGuard::remove) of this guard succeed only if
    /// the session is still the one that its [`load`](StoreGuard::load) returned last, and fail with
    /// [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) otherwise. Until then the holder, whose
    /// refresh may be in flight, can store a successor; after that it can store nothing. The default
    /// waits, as [`lock`](Self::lock) does.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    async fn lock_optimistically(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        self.lock(key).await
    }

    /// Whether a session may be read again as it was before the last [`save`](StoreGuard::save):
    /// after the failover of a replicated store. Then managers keep a successor as long as its access
    /// token is valid, and store it again. The default is that a saved session stays.
    fn may_lose_saves(&self) -> bool {
        false
    }

    /// The location of the session, in words for a message.
    fn location(&self, key: &SessionKey) -> String;

    /// Whether sessions stay on this computer and under its user's control, as in the stores of
    /// this crate. The careful assumption about a store of another crate, and the default, is that
    /// they do not: some providers' terms [forbid](crate::AuthProvider::local_only) that.
    fn is_local(&self) -> bool {
        false
    }
}

#[async_trait]
impl<S: TokenStore + ?Sized> TokenStore for Arc<S> {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        (**self).load(key).await
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        (**self).lock(key).await
    }

    async fn lock_unless_changed(
        &self,
        key: &SessionKey,
        known: &OAuthToken,
    ) -> Result<Option<Box<dyn StoreGuard>>> {
        (**self).lock_unless_changed(key, known).await
    }

    async fn lock_optimistically(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        (**self).lock_optimistically(key).await
    }

    fn may_lose_saves(&self) -> bool {
        (**self).may_lose_saves()
    }

    fn location(&self, key: &SessionKey) -> String {
        (**self).location(key)
    }

    fn is_local(&self) -> bool {
        (**self).is_local()
    }
}

/// One session, locked.
///
/// A lock that is a [lease](Self::lease) can be lost: then the calls that need it fail with
/// [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) and change nothing. A manager sends nothing
/// more with that guard, and reads the session again.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{MemoryTokenStore, OAuthToken, SessionKey, TokenStore as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// let mut guard = MemoryTokenStore::new().lock(&SessionKey::new("qwen", "work")).await?;
/// guard.prepare(None).await?;
/// // ... sign in ...
/// guard.save(&OAuthToken::new("made-up".into(), None)).await?;
/// assert!(guard.load().await?.is_some());
/// guard.release().await;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait StoreGuard: Debug + Send {
    /// The session that is stored now.
    ///
    /// # Errors
    ///
    /// As [`TokenStore::load`].
    async fn load(&mut self) -> Result<Option<OAuthToken>>;

    /// Acquires everything that a later [`save`](Self::save) needs, before a refresh token is spent
    /// or a user is prompted. A save that would fail fails here.
    ///
    /// `stored` is the stored session, `None` without one. When a refresh begins, it carries a
    /// record in [`SessionMetadata::in_progress`](crate::SessionMetadata::in_progress) about the
    /// refresh token that is about to be spent: the [`load`](Self::load) of any later holder of the
    /// lock returns the record with the session, until another session is stored. The record must
    /// survive the death of this process; a power cut may lose it. The session that was stored
    /// before must survive both.
    ///
    /// If the lock is a lease, it lasts for one request from now on, as after
    /// [`extend`](Self::extend).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if a save would fail; nothing changes then.
    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()>;

    /// Stores the session. It is durable when this returns, also after a power cut. After a
    /// failure, call it again with the same session.
    ///
    /// A session after a [`prepare`](Self::prepare) with a record of a refresh in progress is the
    /// successor of that session. If the store cannot replace the old one, it may keep the
    /// successor next to it, and return the successor from the next [`load`](Self::load). Otherwise
    /// the store saves the session as a whole or not at all.
    ///
    /// A successor whose lease is over is stored nevertheless if the stored session still has the
    /// [same tokens](OAuthToken::has_same_tokens) as the one that it replaces: the server may have
    /// spent them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store). The session that was stored before is then
    /// intact, or the new one is in its place but might not survive a power cut.
    async fn save(&mut self, token: &OAuthToken) -> Result<()>;

    /// As [`save`](Self::save), as the last call before [`release`](Self::release): a store may do
    /// both at once. The default only saves. After a failure it may be called again, or `save`.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    async fn finish(&mut self, token: &OAuthToken) -> Result<()> {
        self.save(token).await
    }

    /// Lets a lease last for one more request: at least 30 s from now on. The default does nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost),
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    async fn extend(&mut self) -> Result<()> {
        Ok(())
    }

    /// Until when the holder may send a refresh token; `None`, and the default, if the lock ends
    /// with its holder.
    fn lease(&self) -> Option<Lease> {
        None
    }

    /// Removes the session. The removal is durable when this returns. A holder of a lease removes
    /// only the session that it has seen last, and only if no other holder came.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) otherwise;
    /// [`ErrorKind::Store`](crate::ErrorKind::Store); the session that was stored before is then
    /// intact.
    async fn remove(&mut self) -> Result<()>;

    /// Releases the lock, and everything that was prepared and not used, without blocking the
    /// executor. Dropping the guard does the same work in place.
    async fn release(self: Box<Self>) {
        drop(self);
    }
}
