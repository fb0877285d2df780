//! Who keeps sessions.

mod file;
mod memory;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

pub use file::{FileTokenStore, LockHolder};
pub use memory::MemoryTokenStore;

use crate::error::Result;
use crate::session::SessionKey;
use crate::token::OAuthToken;

/// Keeps sessions: knows durability and locking, and no vendor.
///
/// Writing exists only on a [`StoreGuard`], so a write without the lock does not compile.
#[async_trait]
pub trait TokenStore: Debug + Send + Sync {
    /// What is stored, without the lock: the whole old or the whole new session, never a part.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if it cannot be read,
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if it makes no sense.
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>>;

    /// Locks one session against everybody who shares the store: tasks, processes, machines.
    /// The lock dies with its holder and is released when the guard is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StoreBusy`](crate::ErrorKind::StoreBusy) if somebody else holds it for
    /// longer than the store is willing to wait, [`ErrorKind::Store`](crate::ErrorKind::Store)
    /// if the store cannot be written.
    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>>;

    /// Where the session is kept, in words fit for a message.
    fn place(&self, key: &SessionKey) -> String;
}

#[async_trait]
impl<S: TokenStore + ?Sized> TokenStore for Arc<S> {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        (**self).load(key).await
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        (**self).lock(key).await
    }

    fn place(&self, key: &SessionKey) -> String {
        (**self).place(key)
    }
}

/// One session, locked.
#[async_trait]
pub trait StoreGuard: Debug + Send {
    /// What is stored now.
    ///
    /// # Errors
    ///
    /// As [`TokenStore::load`].
    async fn load(&mut self) -> Result<Option<OAuthToken>>;

    /// Gets all that a [`save`](Self::save) to come needs: called before a refresh token is spent
    /// and before a person is asked. What can fail fails here.
    ///
    /// `noted` is what is stored, `None` if nothing is. If a refresh begins there is a note of
    /// intent in it, [`SessionMetadata::in_progress`](crate::SessionMetadata::in_progress) about the refresh token
    /// that is about to be spent: the [`load`](Self::load) of any later holder of the lock returns
    /// the note with the session, until another session is stored. The note must survive the death
    /// of this process; a power cut may take it away. What was stored before must survive both.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if a save would fail; nothing is then changed.
    async fn prepare(&mut self, noted: Option<&OAuthToken>) -> Result<()>;

    /// Stores the session; durable when it returns, also against a power cut. After a failure it
    /// may be called again, with the same session.
    ///
    /// A session that follows a [`prepare`](Self::prepare) with a note of intent is the successor
    /// of the one that was noted. A store may keep it beside that one if it cannot replace it, and
    /// return it from the next [`load`](Self::load). Without one it is stored as a whole or not at
    /// all.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store); what was stored before is then intact, or
    /// the new session is in its place and only not known to survive a power cut.
    async fn save(&mut self, token: &OAuthToken) -> Result<()>;

    /// Forgets the session; durable when it returns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store); what was stored before is then intact.
    async fn remove(&mut self) -> Result<()>;

    /// Gives the lock back, with what was prepared and not used, without blocking the executor.
    /// Dropping the guard does the same work in place.
    async fn release(self: Box<Self>) {
        drop(self);
    }
}
