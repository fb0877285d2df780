//! The settings of a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{Error, ErrorKind, Result};
use llm_auth_sealing::SealingKeys;

use crate::connection::{Connections, Kind, Target};
use crate::queue::Queue;
use crate::server::Durability;
use crate::store::{Inner, RedisStore};

/// From the lock to the request: the time for one more round trip.
const FIRST_LEASE: Duration = Duration::from_secs(10);

/// The settings of a [`RedisStore`].
///
/// # Examples
///
/// ```
/// use llm_auth_store_redis::{RedisStore, SealingKeys};
///
/// # let key_from_your_secrets = [7; 32];
/// let store = RedisStore::builder("rediss://redis.example")
///     .prefix("agents-eu")
///     .sealed_with(SealingKeys::new("2026-11", &key_from_your_secrets)?)
///     .build()?;
/// # Ok::<(), llm_auth_store_redis::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "nothing is made before `build` or `connect`"]
pub struct RedisStoreBuilder {
    urls: Vec<String>,
    kind: Kind,
    prefix: String,
    keys: Option<SealingKeys>,
    needed: Durability,
    lease: Duration,
    wait: Duration,
    timeout: Duration,
    concurrency: usize,
    root_certificate: Option<Vec<u8>>,
}

impl RedisStoreBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            urls: vec![url],
            kind: Kind::Server,
            prefix: "llm-auth".into(),
            keys: None,
            needed: Durability::PowerCut,
            lease: Duration::from_secs(30),
            wait: Duration::from_secs(60),
            timeout: Duration::from_secs(5),
            concurrency: 256,
            root_certificate: None,
        }
    }

    /// One more address, of a [cluster](Self::cluster) or of [sentinels](Self::sentinel).
    pub fn node(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// The addresses are of nodes of a Redis Cluster. All keys of a session are in one slot.
    pub fn cluster(mut self) -> Self {
        self.kind = Kind::Cluster;
        self
    }

    /// The addresses are of sentinels, which name the primary of this name. The user, the password and
    /// the database of the first address are those of the primary; sentinels that require a password of
    /// their own cannot be asked.
    pub fn sentinel(mut self, primary: impl Into<String>) -> Self {
        self.kind = Kind::Sentinel(primary.into());
        self
    }

    /// What all names of keys begin with; stores with different ones share nothing. Default: `llm-auth`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Seals sessions before they leave this process. The names of providers and accounts are not
    /// sealed. Default: sessions are stored in clear text.
    pub fn sealed_with(mut self, keys: SealingKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Accepts a server whose settings promise less than [`Durability::PowerCut`]. What is lost then
    /// are spent refresh tokens' successors: their users have to sign in again.
    pub fn accept(mut self, durability: Durability) -> Self {
        self.needed = durability;
        self
    }

    /// How long a lease lasts for one request. Default: 30 s, 10 s more than a request of
    /// [`HttpClient`](llm_auth_core::HttpClient) takes at most. With a lease shorter than the time limit
    /// of the request, no refresh is sent. If its holder dies, the next process refreshes the
    /// session when the lease is over.
    pub fn lease(mut self, length: Duration) -> Self {
        self.lease = length;
        self
    }

    /// How long to wait for another process's lease. Default: 60 s, longer than a refresh with all its
    /// retries takes.
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How long a connection or a call may take. Default: 5 s. A call that took longer may still be
    /// carried out, and is made again as the same one.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many calls are under way at once on the connection, of which there is one for each runtime
    /// (and node of a cluster). Default: 256.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.max(1);
        self
    }

    /// The certificate authority of the server (PEM) in place of those of the system.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificate = Some(pem.into());
        self
    }

    /// The store, which connects at the first call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if an address cannot be read, the prefix has a brace, or an address is `rediss://`
    /// and there is no TLS back end.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_redis::RedisStore;
    ///
    /// assert!(RedisStore::builder("redis://localhost").build().is_ok());
    /// assert!(RedisStore::builder("localhost").build().is_err());
    /// ```
    pub fn build(self) -> Result<RedisStore> {
        if self.prefix.is_empty() || self.prefix.contains(['{', '}']) {
            let message =
                "the prefix of the keys in Redis is empty or has a brace; choose another one";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let target = Target::new(
            self.kind,
            &self.urls,
            self.root_certificate,
            self.timeout,
            self.concurrency,
        )?;
        Ok(RedisStore {
            inner: Arc::new(Inner {
                connections: Connections::new(target, self.needed),
                prefix: self.prefix,
                keys: self.keys,
                first_lease: FIRST_LEASE.min(self.lease),
                lease: self.lease,
                wait: self.wait,
                queue: Queue::default(),
            }),
        })
    }

    /// The store of a server that can be reached and is good enough.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and [`ErrorKind::Store`] if the server cannot be reached, is a read-only
    /// replica, removes sessions when its memory is full, or promises less than
    /// [`accept`](Self::accept) allows.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run() -> llm_auth_store_redis::Result<()> {
    /// use llm_auth_store_redis::RedisStore;
    ///
    /// let store = RedisStore::builder("redis://127.0.0.1:6379").connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(self) -> Result<RedisStore> {
        let store = self.build()?;
        store.inner.connections.wire().await?;
        Ok(store)
    }
}

impl fmt::Debug for RedisStoreBuilder {
    /// Without the addresses, which may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("kind", &self.kind)
            .field("prefix", &self.prefix)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
