//! Many sessions in one process.
//!
//! See decision 0066.

mod builder;
mod driver;
mod end;
mod forked;
mod inner;
mod live;
mod schedule;
mod stats;
mod telemetry;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::builder::SessionsBuilder;
use self::inner::Inner;
pub use self::stats::SessionsStats;
use crate::engine;
use crate::error::Result;
use crate::manager::{AuthManager, Logout};
use crate::prompt::UserPrompt;
use crate::session::SessionKey;
use crate::token::OAuthToken;

/// The sessions of many accounts in one process, over one store and one set of providers. Clones
/// share them.
///
/// A session is an [`AuthManager`], made when a caller looks it up for the first time. A session in
/// memory is refreshed in the background before its access token expires, by one schedule for all
/// of them. A session that no caller looks up or holds leaves memory after a while, and stays in
/// the store.
///
/// # Refreshes
///
/// Every refresh of these sessions, also one that a caller waits for, takes its turn: so many are in
/// progress at one server, of one provider, and together
/// ([`host_concurrency`](SessionsBuilder::host_concurrency),
/// [`provider_concurrency`](SessionsBuilder::provider_concurrency),
/// [`concurrency`](SessionsBuilder::concurrency)). A server that fails three times in a row, or asks
/// to wait (`Retry-After`), is left alone: first for 5 s, then for up to 5 minutes, or as long as it
/// asks. Callers receive a transient error meanwhile, or their token as long as it is valid. Then
/// one request at a time is tried, and after a success a few more at once. [`AuthManager::refresh`]
/// does not wait for that.
///
/// A session whose refresh token is rejected is not refreshed again until a new sign-in. One that
/// keeps failing while others at its server succeed does not count against the server.
///
/// Several processes and hosts that share a store share the work: under the store's lock, or its
/// [lease](crate::store::Lease), each session is refreshed once.
///
/// # Metrics
///
/// With the feature `metrics`, the [`metrics`](https://docs.rs/metrics) facade receives
/// `llm_auth_sessions` (gauge), `llm_auth_sessions_evicted_total`,
/// `llm_auth_refreshes_total` (`provider`), `llm_auth_refresh_failures_total` (`provider`, `kind`:
/// the name of an [`ErrorKind`](crate::ErrorKind)), and `llm_auth_refresh_lag_seconds` (histogram, `provider`: how
/// long after it was due a refresh began). [`stats`](Self::stats) needs no feature. A refresh in the
/// background is a `tracing` span `refresh_ahead` with `provider` and `account`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::provider::OAuthConfig;
/// use llm_auth_core::{OAuthToken, ProviderSpec as _, SecureUrl, SessionKey, Sessions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// let server = SecureUrl::known("https://auth.example/token");
/// let sessions = Sessions::builder()
///     .provider(OAuthConfig::new("example", server).provider())
///     .build()?;
/// let key = SessionKey::new("example", "customer-1");
/// # let token = OAuthToken::new("made-up".into(), None);
/// sessions.insert(&key, token).await?;
///
/// let token = sessions.get(&key)?.token().await?;
/// assert_eq!(token.access.expose(), "made-up");
///
/// sessions.shutdown(Duration::from_secs(30)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

impl Sessions {
    /// Settings for sessions; see the builder for the defaults.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{ProviderSpec as _, SecureUrl, Sessions};
    /// use llm_auth_core::provider::OAuthConfig;
    ///
    /// let server = SecureUrl::known("https://auth.example/token");
    /// let provider = OAuthConfig::new("example", server).provider();
    /// let sessions = Sessions::builder().provider(provider).build()?;
    /// assert!(sessions.is_empty());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn builder() -> SessionsBuilder {
        SessionsBuilder::new()
    }

    /// The session of an account, whether or not it is signed in. It does not read the store; if no
    /// caller does, the schedule reads it within seconds. As long as the manager lives, the session
    /// stays in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is no such provider,
    /// [`ErrorKind::System`](crate::ErrorKind::System) after a [`shutdown`](Self::shutdown).
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl, SessionKey, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// # let sessions = Sessions::builder().provider(provider).build()?;
    /// let manager = sessions.get(&SessionKey::new("example", "customer-1"))?;
    /// assert_eq!(manager.key().account(), "customer-1");
    /// assert_eq!(sessions.len(), 1);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn get(&self, key: &SessionKey) -> Result<AuthManager> {
        self.inner.session(key.provider(), key.account())
    }

    /// As [`get`](Self::get), by names. An empty account means
    /// [`DEFAULT_ACCOUNT`](crate::DEFAULT_ACCOUNT).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// # let sessions = Sessions::builder().provider(provider).build()?;
    /// let manager = sessions.session("example", "customer-1")?;
    /// assert_eq!(manager.key().to_string(), "example (customer-1)");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn session(&self, provider: &str, account: &str) -> Result<AuthManager> {
        self.inner.session(provider, account)
    }

    /// Stores a session that was obtained elsewhere, as [`AuthManager::insert_session`].
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`AuthManager::insert_session`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{OAuthToken, ProviderSpec as _, SecureUrl, SessionKey, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// # let sessions = Sessions::builder().provider(provider).build()?;
    /// let key = SessionKey::new("example", "customer-1");
    /// sessions.insert(&key, OAuthToken::new("made-up".into(), None)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn insert(&self, key: &SessionKey, token: OAuthToken) -> Result<Arc<OAuthToken>> {
        self.get(key)?.insert_session(token).await
    }

    /// Signs a user in, as [`AuthManager::login`].
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`AuthManager::login`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(sessions: llm_auth_core::Sessions) -> llm_auth_core::Result<()> {
    /// use llm_auth_core::{LoginEvent, SessionKey};
    ///
    /// let key = SessionKey::new("example", "customer-1");
    /// sessions.login(&key, &|event: &LoginEvent<'_>| println!("{event}")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn login(
        &self,
        key: &SessionKey,
        prompt: &dyn UserPrompt,
    ) -> Result<Arc<OAuthToken>> {
        self.get(key)?.login(prompt).await
    }

    /// Signs an account out, as [`AuthManager::logout`], and removes its session from memory unless a
    /// caller holds it.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`AuthManager::logout`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{OAuthToken, ProviderSpec as _, SecureUrl, SessionKey, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// # let sessions = Sessions::builder().provider(provider).build()?;
    /// let key = SessionKey::new("example", "customer-1");
    /// # sessions.insert(&key, OAuthToken::new("made-up".into(), None)).await?;
    /// assert!(sessions.logout(&key).await?.was_signed_in);
    /// assert!(sessions.get(&key)?.token().await.unwrap_err().needs_login());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn logout(&self, key: &SessionKey) -> Result<Logout> {
        let outcome = self.get(key)?.logout().await?;
        self.remove(key);
        Ok(outcome)
    }

    /// Removes a session from memory now instead of after the idle time; the store keeps it. It
    /// returns `false`, and the session stays, if a caller holds it, something of it is in progress,
    /// or it is not stored yet.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl, SessionKey, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// # let sessions = Sessions::builder().provider(provider).build()?;
    /// let key = SessionKey::new("example", "customer-1");
    /// let manager = sessions.get(&key)?;
    /// assert!(!sessions.remove(&key), "it is in use");
    /// drop(manager);
    /// assert!(sessions.remove(&key));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[expect(clippy::must_use_candidate, reason = "it may be called for its effect")]
    pub fn remove(&self, key: &SessionKey) -> bool {
        let home = self.inner.home(key.provider());
        let removed = home.is_some_and(|home| home.live.remove(key.account()));
        if removed {
            telemetry::live(self.inner.len());
        }
        removed
    }

    /// How many sessions are in memory.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// # let sessions = Sessions::builder().provider(provider).build()?;
    /// sessions.session("example", "customer-1")?;
    /// assert_eq!(sessions.len(), 1);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether no session is in memory.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// let sessions = Sessions::builder().provider(provider).build()?;
    /// assert!(sessions.is_empty());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts for an overview or a health check.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// # let sessions = Sessions::builder().provider(provider).build()?;
    /// let stats = sessions.stats();
    /// println!("{} sessions, {} refreshes failed", stats.live, stats.failed);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> SessionsStats {
        SessionsStats::of(&self.inner)
    }

    /// Looks at the clock now. The schedule does so at least every 30 s: call it after the computer
    /// woke up, or after a [`ManualClock`](crate::ManualClock) was moved.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{sync::Arc, time::Duration};
    /// # use llm_auth_core::{ManualClock, ProviderSpec as _, SecureUrl, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// let clock = Arc::new(ManualClock::default());
    /// let sessions = Sessions::builder().provider(provider).clock(clock.clone()).build()?;
    /// clock.advance(Duration::from_secs(3600));
    /// sessions.check_clock();
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn check_clock(&self) {
        self.inner.wake.notify_one();
    }

    /// Ends the schedule and finishes what was begun: refreshes that have been sent, sign-ins and
    /// sign-outs. A session that is only in memory, because the store is away, is stored as soon as the
    /// store is back. Nothing new begins: look-ups and refreshes fail, while a manager still returns a
    /// token that is valid.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transient`](crate::ErrorKind::Transient) if something is still in progress after
    /// this time; it goes on, and another call waits for it.
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if a session could not be stored until then, and
    /// is only in memory; another call tries it again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use llm_auth_core::{ErrorKind, ProviderSpec as _, SecureUrl, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// # let sessions = Sessions::builder().provider(provider).build()?;
    /// sessions.shutdown(Duration::from_secs(30)).await?;
    /// let error = sessions.session("example", "customer-1").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::System);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self, deadline: Duration) -> Result<()> {
        engine::inside(Arc::clone(&self.inner).end(deadline)).await
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.inner.homes.iter().map(|home| &*home.name).collect();
        f.debug_struct("Sessions")
            .field("providers", &names)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
