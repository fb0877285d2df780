//! What a store on a server is made of, and what it can do.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{Result, SessionKey, TokenStore};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::session::server_name::{Engine, ServerName};
use crate::system::files::digest;

/// Work that a thread of its own does.
pub(in crate::session::stores) type Work<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// What the stores on servers have in common.
pub(super) trait Connection: Debug + Send + Sync {
    fn store(&self) -> Arc<dyn TokenStore>;
    fn accounts(&self) -> Work<Vec<SessionKey>>;
    /// The server and what it promises, in one line.
    fn description(&self) -> Work<String>;
    /// The server and the database, without the user and the password.
    fn place(&self) -> String;
    /// Where copies are of what was damaged when it was replaced or removed.
    fn location_of_copies(&self, key: &SessionKey) -> String;
    /// Whether no other computer can read on the way.
    fn is_private(&self) -> bool;
}

/// What a store is made of.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) name: ServerName,
    pub(super) engine: Engine,
    #[cfg_attr(not(any(feature = "postgres", feature = "redis")), expect(dead_code))]
    pub(super) key: Option<Key>,
    pub(super) wait: Option<Duration>,
}

/// A key for sessions on a server.
#[derive(Clone)]
pub(super) struct Key {
    /// A name that shows which key it is, and nothing of it.
    #[cfg_attr(not(any(feature = "postgres", feature = "redis")), expect(dead_code))]
    pub(super) name: String,
    #[cfg_attr(not(any(feature = "postgres", feature = "redis")), expect(dead_code))]
    pub(super) bytes: Zeroizing<[u8; 32]>,
}

impl Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// The shortest key that is used.
const SHORTEST: usize = 32;

impl Key {
    pub(super) fn of(secret: &[u8]) -> std::result::Result<Self, Failure> {
        if secret.len() < SHORTEST {
            return Err(Failure::Config {
                message: format!("the key of the sessions has {} bytes", secret.len()),
                advice: "use a key of 32 random bytes or more".into(),
            });
        }
        let part = |label: &str| {
            let hash = Sha256::new().chain_update(label).chain_update(secret);
            Zeroizing::new(<[u8; 32]>::from(hash.finalize()))
        };
        let name = digest(&*part("llm-auth name of a server's key 1\0"));
        Ok(Self {
            name: name[..16].to_owned(),
            bytes: part("llm-auth key of a server 1\0"),
        })
    }
}
