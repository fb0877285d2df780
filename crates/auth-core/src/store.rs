//! For authors of stores: what a [`TokenStore`] reads and writes besides sessions.
//!
//! [`StoreGuard`] is the lock that a store gives out, and the only way to write. A stored session
//! carries [`RefreshRecord`]s and [`UnknownMembers`], which a store keeps as they are. A store that
//! several computers share has a [`Lease`] for a lock. One that keeps secrets from readers of the disk
//! is a file store with a [`Seal`]. One on a server checks its URL with [`check_server_url`], and says why
//! the server cannot be used with a [`ServerError`].
//!
//! A program that keeps its sessions in a [`FileTokenStore`](crate::FileTokenStore) or a
//! [`MemoryTokenStore`] needs none of it, except [`LockHolder`] to report which process holds the
//! lock of a file.

#[cfg(test)]
pub(crate) mod away;
pub(crate) mod contract;
pub(crate) mod file;
pub(crate) mod lease;
pub(crate) mod memory;
pub(crate) mod seal;
pub(crate) mod server;

pub(crate) use self::contract::TokenStore;
pub(crate) use self::memory::MemoryTokenStore;

pub use self::contract::StoreGuard;
pub use self::file::LockHolder;
pub use self::lease::{Lease, LeaseRequest};
pub use self::seal::Seal;
pub use self::server::{ServerError, ServerFault, check_server_url};
pub use crate::token::{ProviderData, RefreshRecord, UnknownMembers};
