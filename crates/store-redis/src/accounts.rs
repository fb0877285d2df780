//! All sessions of the store: the list, and the change of their key.

use futures_util::future::try_join_all;
use llm_auth_core::{Error, ErrorKind, Result, SessionKey, TokenStore as _};
use llm_auth_sealing::SealingKeys;
use redis::{Cmd, FromRedisValue as _};

use crate::names;
use crate::store::RedisStore;

/// How many commands are under way at once.
const AT_ONCE: usize = 200;

/// What [`RedisStore::reseal`] has done.
///
/// # Examples
///
/// ```no_run
/// # async fn run(store: llm_auth_store_redis::RedisStore) -> llm_auth_store_redis::Result<()> {
/// let resealed = store.reseal().await?;
/// for (session, error) in resealed.failed {
///     eprintln!("{session} keeps its key: {error}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Resealed {
    /// How many sessions are sealed with the current key now, and were not before.
    pub changed: usize,
    /// The sessions that are as they were, and why.
    pub failed: Vec<(SessionKey, Error)>,
}

impl RedisStore {
    /// All sessions with this prefix, in order. It goes through all keys of the server in steps, so it
    /// takes longer the more other keys there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if they cannot be read.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(store: llm_auth_store_redis::RedisStore) -> llm_auth_store_redis::Result<()> {
    /// for session in store.accounts().await? {
    ///     println!("{session}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn accounts(&self) -> Result<Vec<SessionKey>> {
        let (connections, prefix) = (&self.inner.connections, &self.inner.prefix);
        let wire = connections.wire().await?;
        let scanned = wire.scan(&names::pattern(prefix)).await;
        let mut keys = scanned.map_err(|error| connections.site.unreachable(error))?;
        // A scan may return a key twice.
        keys.sort();
        keys.dedup();
        let mut sessions = Vec::new();
        for some in keys.chunks(AT_ONCE) {
            let stored = some.iter().map(|key| self.stored(key));
            sessions.extend(try_join_all(stored).await?.into_iter().flatten());
        }
        sessions.sort();
        Ok(sessions)
    }

    /// The session of a key; `None` if it is signed out, or the key of something else.
    async fn stored(&self, key: &str) -> Result<Option<SessionKey>> {
        let inner = &self.inner;
        let Some(session) = names::session(&inner.prefix, key) else {
            return Ok(None);
        };
        let mut exists = Cmd::new();
        exists.arg("HEXISTS").arg(key).arg("data");
        let is_stored = match inner.connections.command(key, &exists).await {
            Ok(value) => bool::from_redis_value(value).unwrap_or(true),
            // A key of another type is listed: it is an error of that session.
            Err(error) if error.kind() == ErrorKind::Corrupt => true,
            Err(error) => return Err(error),
        };
        Ok(is_stored.then_some(session))
    }

    /// Seals all sessions with the current key of [`SealingKeys`](crate::SealingKeys), those in clear text
    /// too if these are accepted. Sessions that are refreshed meanwhile are waited for.
    ///
    /// # Errors
    ///
    /// As [`accounts`](Self::accounts).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(store: llm_auth_store_redis::RedisStore) -> llm_auth_store_redis::Result<()> {
    /// println!("{} sessions have the new key", store.reseal().await?.changed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reseal(&self) -> Result<Resealed> {
        let mut resealed = Resealed::default();
        for session in self.accounts().await? {
            match self.reseal_one(&session).await {
                Ok(is_changed) => resealed.changed += usize::from(is_changed),
                Err(error) => resealed.failed.push((session, error)),
            }
        }
        Ok(resealed)
    }

    async fn reseal_one(&self, session: &SessionKey) -> Result<bool> {
        let (inner, name) = (&self.inner, self.inner.name(session));
        let row = inner.row(&name).await?;
        let current = inner.keys.as_ref().map(SealingKeys::current_id);
        if row
            .sealed
            .is_none_or(|sealed| sealed.key.as_deref() == current)
        {
            return Ok(false);
        }
        let mut guard = self.lock(session).await?;
        let outcome = match guard.load().await {
            // The same tokens, so the same revision: a response that is under way still fits.
            Ok(Some(stored)) => guard.finish(&stored).await.map(|()| true),
            Ok(None) => Ok(false),
            Err(error) => Err(error),
        };
        guard.release().await;
        outcome
    }
}
