//! The life of a session: sign-in, refresh, sign-out. This module does not talk to a server or a
//! disk.

mod background;
mod blocking;
mod builder;
mod change;
mod common;
mod cool_down;
mod foreign;
mod insert;
mod login;
mod logout;
mod member;
#[cfg(all(test, shuttle))]
mod model;
mod refresh;
mod refusals;
mod requirement;
mod retry;
mod save;
mod shared;
mod single_flight;
mod snapshot;
mod sync;
mod unsaved;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::background::{DEFAULT_EARLY_REFRESH_WINDOW, SessionKeeper};
pub use self::blocking::BlockingAuthManager;
pub use self::builder::{AuthManagerBuilder, DEFAULT_EXPIRY_MARGIN};
pub use self::change::{SessionChange, SessionWatch};
pub(crate) use self::common::{Common, Membership, Observer};
pub use self::foreign::DEFAULT_CALL_LIMIT;
pub use self::insert::{Insertion, RefusedSession, StoredSession};
pub use self::login::PendingLogin;
pub use self::logout::Logout;
pub use self::refusals::Refusals;
use self::requirement::Requirement;
pub(crate) use self::shared::Shared;
use crate::auth_provider::AuthProvider;
use crate::error::Result;
use crate::session::SessionKey;
use crate::token::OAuthToken;

/// Signs in, keeps the session, refreshes it and hands out its access token.
///
/// One expiry causes one refresh, no matter how many tasks and processes ask. A refreshed session
/// is durable in the store before any caller receives its access token. Clones share one session.
///
/// # Runtimes
///
/// A refresh, and everything else that spends or stores a credential, runs on the library's own
/// threads, which live as long as the process. It depends on no caller: dropping a future, a
/// runtime or the manager, or blocking a thread, only ends the waiting. If the process ends
/// normally (`main` returns, or [`std::process::exit`]) while a refresh token is spent and its
/// successor not stored, the end waits for that, at most 25 s. A refresh that has sent nothing is
/// abandoned.
///
/// So no call needs a runtime, and any executor can poll them; [`blocking`](Self::blocking) is
/// for programs without one. Methods of a provider or a store run on those threads too, in the
/// context of a tokio runtime: as in any asynchronous code, they must not block the thread. Each
/// call of them is bounded ([`AuthManagerBuilder::call_limit`]). What takes longer, or panics, is
/// an error like any other.
///
/// # Examples
///
/// ```no_run
/// # async fn run(provider: impl llm_auth_core::AuthProvider + 'static) -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::{AuthManager, FileTokenStore, Silent};
///
/// let manager = AuthManager::builder(provider)
///     .store(FileTokenStore::file("session.json"))
///     .build();
/// let token = manager.token_or_login(&Silent).await?;
/// println!("{} characters", token.access.expose().len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AuthManager {
    shared: Arc<Shared>,
}

impl AuthManager {
    /// A manager for sessions of this provider; see the builder for the defaults. Managers of many
    /// accounts share a provider in an [`Arc`].
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// use llm_auth_core::provider::OAuthConfig;
    ///
    /// let server = SecureUrl::known("https://auth.example/token");
    /// let provider = OAuthConfig::new("example", server).provider();
    /// let manager = AuthManager::builder(provider).account("work").build();
    /// assert_eq!(manager.key().to_string(), "example (work)");
    /// ```
    pub fn builder(provider: impl AuthProvider + 'static) -> AuthManagerBuilder {
        AuthManagerBuilder::new(Arc::new(provider))
    }

    /// The session that this manager keeps.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// assert_eq!(manager.key().provider(), "example");
    /// assert_eq!(manager.key().account(), "default");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        self.shared.key()
    }

    /// The provider.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ApiResponse;
    ///
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// let response = ApiResponse::new(401, b"");
    /// println!("{:?}", manager.provider().classify_api_response(&response));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn provider(&self) -> &dyn AuthProvider {
        self.shared.foreign.common.provider.as_ref()
    }

    /// The session as it is stored, without refreshing it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The store's error; [`ErrorKind::Config`](crate::ErrorKind::Config) if the stored session
    /// belongs to another provider or account.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// match manager.load().await? {
    ///     Some(session) => println!("signed in as {:?}", session.metadata.identity),
    ///     None => println!("not signed in"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn load(&self) -> Result<Option<Arc<OAuthToken>>> {
        let owned = Arc::clone(&self.shared);
        let work = self.shared.tasks.spawn(async move {
            let read = owned.read().await;
            owned.tell_observer();
            read
        });
        work.map_err(|error| self.shared.with_session(error))?.await
    }

    /// A session whose access token is valid for at least the expiry margin, refreshed if
    /// necessary.
    ///
    /// In the advisory window before that, it returns the current token and starts a refresh in the
    /// background. A failure of that refresh is reported only through [`watch`](Self::watch) and
    /// [`SessionMetadata::last_failure`](crate::SessionMetadata).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSignedIn`](crate::ErrorKind::NotSignedIn) or
    /// [`ErrorKind::RefreshRejected`](crate::ErrorKind::RefreshRejected) if only a new sign-in
    /// helps, a transient kind if a later call may succeed, a store error otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # manager.insert_session(OAuthToken::new("made-up".into(), None)).await?;
    /// let session = manager.token().await?;
    /// assert_eq!(format!("Bearer {}", session.bearer()?.expose()), "Bearer made-up");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn token(&self) -> Result<Arc<OAuthToken>> {
        let shared = &self.shared;
        let now = shared.now();
        if let Some(token) = shared
            .snapshot
            .fresh_for(shared.early_refresh.window(), now)
        {
            return Ok(token);
        }
        let requirement = Requirement::fresh_for(shared.foreign.common.expiry_margin, now);
        match shared.obtain(requirement).await {
            Ok(token) => {
                if !token.is_fresh_for(shared.early_refresh.window(), shared.now()) {
                    shared.refresh_in_background();
                }
                Ok(token)
            }
            // The margin covers the way to the API: a token that is still good is better than an
            // error. Neither is the end of many sessions, nor that a copy is not refreshed, an error of
            // this one.
            Err(error)
                if error.is_transient() || error.is_about_copy() || shared.is_shut_down() =>
            {
                shared.still_good().ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Borrows the session, if its access token is valid for the expiry margin, without counting or
    /// allocating. In the advisory window it starts a refresh in the background, as
    /// [`token`](Self::token) does. Use it on the path of every request; if it returns `None`, call
    /// [`token`](Self::token).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// let header = match manager.with_fresh(|token| format!("Bearer {}", token.access.expose())) {
    ///     Some(header) => header,
    ///     None => format!("Bearer {}", manager.token().await?.access.expose()),
    /// };
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_fresh<T>(&self, look: impl FnOnce(&OAuthToken) -> T) -> Option<T> {
        let shared = &self.shared;
        let now = shared.now();
        shared.snapshot.lend(|token| {
            // Most tokens are valid for longer, and one check is enough.
            if token.is_fresh_for(shared.early_refresh.window(), now) {
                return Some(look(token));
            }
            if !token.is_fresh_for(shared.foreign.common.expiry_margin, now) {
                return None;
            }
            shared.refresh_in_background();
            Some(look(token))
        })
    }

    /// Reports what happens to the session from now on: sign-ins, refreshes, their failures.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SessionChange;
    ///
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// let mut watch = manager.watch();
    /// manager.forget().await?;
    /// assert!(matches!(watch.changed().await, Some(SessionChange::SignedOut)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn watch(&self) -> SessionWatch {
        self.shared.changes.watch()
    }

    /// A session whose access token is valid for at least `minimum`, refreshed if necessary. If the
    /// vendor's tokens do not live that long, it returns a fresh one.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # manager.insert_session(OAuthToken::new("made-up".into(), None)).await?;
    /// // For a batch that takes half an hour.
    /// let session = manager.token_valid_for(Duration::from_secs(1800)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn token_valid_for(&self, minimum: Duration) -> Result<Arc<OAuthToken>> {
        let requirement = Requirement::valid_for(minimum, self.shared.now());
        self.shared.obtain(requirement).await
    }

    /// A session in place of this one, whose access token an API rejected. It refreshes only if
    /// this session is still the current one. If the server issues the same access token again, it
    /// returns that, and does not ask again for a few seconds.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn call(_: &llm_auth_core::OAuthToken) -> u16 { 200 }
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// let mut session = manager.token().await?;
    /// let mut status = call(&session).await;
    /// if status == 401 {
    ///     // Asks the server for another access token.
    ///     session = manager.invalidate(&session).await?;
    ///     status = call(&session).await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn invalidate(&self, rejected: &OAuthToken) -> Result<Arc<OAuthToken>> {
        let shared = &self.shared;
        if let Some(token) = shared.just_confirmed(&rejected.access) {
            return Ok(token);
        }
        let requirement = Requirement::other_than(rejected, shared.now());
        shared.obtain(requirement).await
    }

    /// Refreshes the session now, even if its access token is still valid, and even if the server
    /// asked to wait (`Retry-After`): for a user who demands it, because an API has rejected the
    /// access token. If the server rejects the refresh token too, neither is handed out again.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// // Asks the server, even if the access token is still valid.
    /// let session = manager.refresh().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn refresh(&self) -> Result<Arc<OAuthToken>> {
        let requirement = Requirement::refreshed(self.shared.now());
        self.shared.obtain(requirement).await
    }

    /// Waits until all work that has begun is finished and stored. A session that cannot be stored
    /// is retried for about 15 s. Call it before the program becomes another one (`exec`), since
    /// nothing can wait then. A normal end of the process waits by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// manager.wait_idle().await;
    /// // Nothing of this session is in progress now.
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_idle(&self) {
        self.shared.tasks.idle().await;
    }
}

impl fmt::Debug for AuthManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = &self.shared;
        f.debug_struct("AuthManager")
            .field("key", shared.key())
            .field("provider", &shared.foreign.common.provider)
            .field("store", &shared.foreign.common.store)
            .field("expiry_margin", &shared.foreign.common.expiry_margin)
            .finish_non_exhaustive()
    }
}
