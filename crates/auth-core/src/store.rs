//! Who keeps sessions.

mod file;
mod memory;

use std::fmt::Debug;

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

/// One session, locked.
#[async_trait]
pub trait StoreGuard: Debug + Send {
    /// What is stored now.
    ///
    /// # Errors
    ///
    /// As [`TokenStore::load`].
    async fn load(&mut self) -> Result<Option<OAuthToken>>;

    /// Proves that a [`save`](Self::save) to come will work: called before a refresh token is
    /// spent and before a person is asked. `noted` is what is stored, with a note of intent in it
    /// if a renewal begins; it is durable when this returns. `None` if nothing is stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if it would fail.
    async fn prepare(&mut self, noted: Option<&OAuthToken>) -> Result<()>;

    /// Stores the session; durable when it returns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store); what was stored before is then intact.
    async fn save(&mut self, token: &OAuthToken) -> Result<()>;

    /// Forgets the session; durable when it returns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store); what was stored before is then intact.
    async fn remove(&mut self) -> Result<()>;
}
