//! The store: reads, takes leases, and lists.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use llm_auth_core::store::{LeaseRequest, StoreGuard};
use llm_auth_core::{OAuthToken, Result, SessionKey, TokenStore};
use llm_auth_sealing::SealingKeys;

use crate::builder::RedisStoreBuilder;
use crate::connection::Connections;
use crate::guard::{Hold, RedisGuard};
use crate::names;
use crate::queue::{Pauses, Queue};
use crate::row::Row;
use crate::scripts::{self, Call, NO_FENCE, Outcome, Reply};
use crate::server::ServerReport;

/// Sessions in Redis, for many hosts: a refresh is sent once for all of them.
///
/// Clones share their connections. See the [crate](crate) for what Redis can promise.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> llm_auth_store_redis::Result<()> {
/// use llm_auth_store_redis::{RedisStore, SessionKey, TokenStore as _};
///
/// let store = RedisStore::builder("redis://127.0.0.1:6379").connect().await?;
/// let session = store.load(&SessionKey::new("qwen", "work")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RedisStore {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) connections: Connections,
    pub(crate) prefix: String,
    pub(crate) keys: Option<SealingKeys>,
    /// From the lock to `prepare`.
    pub(crate) first_lease: Duration,
    pub(crate) lease: Duration,
    pub(crate) wait: Duration,
    pub(crate) queue: Queue,
}

impl RedisStore {
    /// Of the server at this address: `redis://[user:password@]host[:port][/database]`, or `rediss://`
    /// for TLS. More addresses make it a [cluster](RedisStoreBuilder::cluster) or are
    /// [sentinels](RedisStoreBuilder::sentinel).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_redis::RedisStore;
    ///
    /// let store = RedisStore::builder("rediss://agents:made-up@redis.example:6379/2").build()?;
    /// assert_eq!(store.describe(), "the Redis server redis.example:6379 (database 2)");
    /// # Ok::<(), llm_auth_store_redis::Error>(())
    /// ```
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url.into())
    }

    /// The server in words, without the user and the password.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_redis::RedisStore;
    ///
    /// let store = RedisStore::builder("redis://:made-up@localhost:7000").build()?;
    /// assert_eq!(store.describe(), "the Redis server localhost:7000");
    /// # Ok::<(), llm_auth_store_redis::Error>(())
    /// ```
    #[must_use]
    pub fn describe(&self) -> String {
        self.inner.connections.site.to_string()
    }

    /// Whether no other computer can read on the way to the server: it is this one, or TLS is used and
    /// the certificate checked. The nodes of a cluster and the primary of sentinels are reached as the
    /// addresses here are.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_redis::RedisStore;
    ///
    /// assert!(RedisStore::builder("redis://127.0.0.1").build()?.is_private());
    /// assert!(RedisStore::builder("rediss://redis.example").build()?.is_private());
    /// assert!(!RedisStore::builder("redis://redis.example").build()?.is_private());
    /// # Ok::<(), llm_auth_store_redis::Error>(())
    /// ```
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.inner.connections.is_private()
    }

    /// Where copies of what was damaged are: [the crate](crate#what-is-damaged) describes them.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_redis::{RedisStore, SessionKey};
    ///
    /// let store = RedisStore::builder("redis://:made-up@localhost:7000").build()?;
    /// let place = "the Redis server localhost:7000 (llm-auth:{qwen/work}:damaged)";
    /// assert_eq!(store.location_of_copies(&SessionKey::new("qwen", "work")), place);
    /// # Ok::<(), llm_auth_store_redis::Error>(())
    /// ```
    #[must_use]
    pub fn location_of_copies(&self, key: &SessionKey) -> String {
        let copies = names::copies(&self.inner.name(key));
        format!("{} ({copies})", self.inner.connections.site)
    }

    /// What the server reports of itself now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if it cannot be reached, or is refused.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run() -> llm_auth_store_redis::Result<()> {
    /// use llm_auth_store_redis::{Durability, RedisStore};
    ///
    /// let store = RedisStore::builder("redis://127.0.0.1:6379").connect().await?;
    /// assert_eq!(store.server().await?.durability, Durability::PowerCut);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn server(&self) -> Result<ServerReport> {
        self.inner.connections.report().await
    }
}

impl Inner {
    pub(crate) fn name(&self, session: &SessionKey) -> String {
        names::key(&self.prefix, session)
    }

    pub(crate) async fn call(&self, name: &str, call: &Call) -> Result<Reply> {
        let value = self.connections.call(name, call).await?;
        Reply::read(value, &self.connections.site, name)
    }

    /// The row, without its lease.
    pub(crate) async fn row(&self, name: &str) -> Result<Row> {
        let value = self.connections.command(name, &Row::command(name)).await?;
        Row::read(value, &self.connections.site, name)
    }

    pub(crate) fn session(
        &self,
        row: &Row,
        session: &SessionKey,
        name: &str,
    ) -> Result<Option<OAuthToken>> {
        row.session(self.keys.as_ref(), session, &self.connections.site, name)
    }

    /// The lease; `None` once other tokens than `seen` are stored.
    async fn lease(
        self: &Arc<Self>,
        session: &SessionKey,
        seen: Option<&OAuthToken>,
    ) -> Result<Option<RedisGuard>> {
        let (name, began) = (self.name(session), Instant::now());
        let site = &self.connections.site;
        let busy = |left| site.busy(&name, self.wait, left);
        let turn = tokio::time::timeout(self.wait, self.queue.turn(&name)).await;
        let _turn = turn.map_err(|_elapsed| busy(Duration::ZERO).with_session(session))?;
        let length = self.first_lease;
        let (mut hold, mut pauses) = (Hold::new(self, &name)?, Pauses::default());
        let mut known: Option<String> = None;
        loop {
            let call = scripts::take(&name, hold.holder(), length, known.as_deref());
            let request = LeaseRequest::now();
            hold.asks();
            let reply = self.call(&name, &call).await?;
            let is_other = || {
                seen.is_some_and(|seen| match self.session(&reply.row, session, &name) {
                    Ok(stored) => stored.is_none_or(|stored| !stored.has_same_tokens(seen)),
                    // The caller sees it under the lock.
                    Err(_unreadable) => false,
                })
            };
            match reply.outcome {
                Outcome::Taken if is_other() => {
                    hold.release().await;
                    return Ok(None);
                }
                Outcome::Taken => {
                    let lease = Some(request.granted(length));
                    let (row, fence) = (reply.row, reply.fence);
                    return Ok(Some(RedisGuard::new(hold, session, row, fence, lease)));
                }
                Outcome::Changed => {
                    hold.has_nothing();
                    return Ok(None);
                }
                _ => hold.has_nothing(),
            }
            if is_other() {
                return Ok(None);
            }
            if seen.is_some() {
                known = Some(reply.row.revision.clone());
            }
            if began.elapsed() >= self.wait {
                return Err(busy(reply.left).with_session(session));
            }
            tokio::time::sleep(pauses.next(reply.left)).await;
        }
    }
}

#[async_trait]
impl TokenStore for RedisStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        let name = self.inner.name(key);
        let row = self.inner.row(&name).await?;
        self.inner.session(&row, key, &name)
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        given(self.inner.lease(key, None).await, self, key)
    }

    async fn lock_unless_changed(
        &self,
        key: &SessionKey,
        known: &OAuthToken,
    ) -> Result<Option<Box<dyn StoreGuard>>> {
        let leased = self.inner.lease(key, Some(known)).await?;
        Ok(leased.map(|guard| Box::new(guard) as Box<dyn StoreGuard>))
    }

    async fn lock_optimistically(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let name = self.inner.name(key);
        let row = self.inner.row(&name).await?;
        let hold = Hold::new(&self.inner, &name)?;
        Ok(Box::new(RedisGuard::new(hold, key, row, NO_FENCE, None)))
    }

    /// True: a replica that is promoted may not have the last writes.
    fn may_lose_saves(&self) -> bool {
        true
    }

    fn location(&self, key: &SessionKey) -> String {
        let name = self.inner.name(key);
        format!("{} ({name})", self.inner.connections.site)
    }
}

fn given(
    leased: Result<Option<RedisGuard>>,
    store: &RedisStore,
    key: &SessionKey,
) -> Result<Box<dyn StoreGuard>> {
    match leased? {
        Some(guard) => Ok(Box::new(guard)),
        // Only a caller that waits for other tokens gets nothing.
        None => Err(store.inner.connections.site.lost(&store.inner.name(key))),
    }
}
