//! The manager for synchronous programs.

use std::sync::Arc;
use std::time::Duration;

use super::{AuthManager, Insertion, Logout};
use crate::engine::block_on;
use crate::error::Result;
use crate::prompt::UserPrompt;
use crate::token::OAuthToken;

/// An [`AuthManager`] whose calls block the calling thread. They need no runtime, because the work
/// runs on the library's own threads.
///
/// In asynchronous code, use the manager itself: a blocked runtime thread cannot run other tasks.
///
/// # Examples
///
/// ```no_run
/// # fn run(provider: impl llm_auth_core::AuthProvider + 'static) -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::{AuthManager, FileTokenStore, Silent};
///
/// let manager = AuthManager::builder(provider)
///     .store(FileTokenStore::file("session.json"))
///     .build();
/// let token = manager.blocking().token_or_login(&Silent)?;
/// println!("{} characters", token.access.expose().len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BlockingAuthManager(AuthManager);

impl AuthManager {
    /// The same manager for a synchronous program.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// let manager = AuthManager::builder(provider).build().blocking();
    /// assert!(manager.load()?.is_none());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn blocking(&self) -> BlockingAuthManager {
        BlockingAuthManager(self.clone())
    }
}

impl BlockingAuthManager {
    /// [`AuthManager::token`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # let setup = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # setup.block_on(manager.insert_session(OAuthToken::new("made-up".into(), None)))?;
    /// let manager = manager.blocking();
    /// assert_eq!(manager.token()?.access.expose(), "made-up");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn token(&self) -> Result<Arc<OAuthToken>> {
        block_on(self.0.token())
    }

    /// [`AuthManager::token_valid_for`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # let setup = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # setup.block_on(manager.insert_session(OAuthToken::new("made-up".into(), None)))?;
    /// let session = manager.blocking().token_valid_for(Duration::from_secs(1800))?;
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn token_valid_for(&self, minimum: Duration) -> Result<Arc<OAuthToken>> {
        block_on(self.0.token_valid_for(minimum))
    }

    /// [`AuthManager::token_or_login`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::Silent;
    ///
    /// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # let setup = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # setup.block_on(manager.insert_session(OAuthToken::new("made-up".into(), None)))?;
    /// // There is a session, so the user is not asked.
    /// let session = manager.blocking().token_or_login(&Silent)?;
    /// assert_eq!(session.access.expose(), "made-up");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn token_or_login(&self, prompt: &dyn UserPrompt) -> Result<Arc<OAuthToken>> {
        block_on(self.0.token_or_login(prompt))
    }

    /// [`AuthManager::login`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::LoginEvent;
    ///
    /// # fn run(manager: llm_auth_core::BlockingAuthManager) -> llm_auth_core::Result<()> {
    /// // Asks the server and the user.
    /// let session = manager.login(&|event: &LoginEvent<'_>| eprintln!("{event}"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn login(&self, prompt: &dyn UserPrompt) -> Result<Arc<OAuthToken>> {
        block_on(self.0.login(prompt))
    }

    /// [`AuthManager::login_with`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::{Insertion, LoginEvent};
    ///
    /// # fn run(manager: llm_auth_core::BlockingAuthManager) -> llm_auth_core::Result<()> {
    /// let prompt = |event: &LoginEvent<'_>| eprintln!("{event}");
    /// // Asks the server and the user; stores the session only if there was none.
    /// if let Insertion::Refused(refused) = manager.login_with(&prompt, |_, stored| stored.is_none())? {
    ///     println!("kept the session of {:?}", refused.stored);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn login_with(
        &self,
        prompt: &dyn UserPrompt,
        may_replace: impl FnMut(&OAuthToken, Option<&OAuthToken>) -> bool + Send + 'static,
    ) -> Result<Insertion> {
        block_on(self.0.login_with(prompt, may_replace))
    }

    /// [`AuthManager::load`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # let setup = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # setup.block_on(manager.insert_session(OAuthToken::new("made-up".into(), None)))?;
    /// assert!(manager.blocking().load()?.is_some());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn load(&self) -> Result<Option<Arc<OAuthToken>>> {
        block_on(self.0.load())
    }

    /// [`AuthManager::invalidate`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn run(manager: llm_auth_core::BlockingAuthManager) -> llm_auth_core::Result<()> {
    /// let session = manager.token()?;
    /// // An API returned 401: asks the server for another access token.
    /// let session = manager.invalidate(&session)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn invalidate(&self, rejected: &OAuthToken) -> Result<Arc<OAuthToken>> {
        block_on(self.0.invalidate(rejected))
    }

    /// [`AuthManager::refresh`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn run(manager: llm_auth_core::BlockingAuthManager) -> llm_auth_core::Result<()> {
    /// // Asks the server, even if the access token is still valid.
    /// let session = manager.refresh()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn refresh(&self) -> Result<Arc<OAuthToken>> {
        block_on(self.0.refresh())
    }

    /// [`AuthManager::logout`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # let setup = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # setup.block_on(manager.insert_session(OAuthToken::new("made-up".into(), None)))?;
    /// let logout = manager.blocking().logout()?;
    /// assert!(logout.was_signed_in);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn logout(&self) -> Result<Logout> {
        block_on(self.0.logout())
    }

    /// The manager itself, for its other methods.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # let setup = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # setup.block_on(manager.insert_session(OAuthToken::new("made-up".into(), None)))?;
    /// let manager = manager.blocking();
    /// assert_eq!(manager.asynchronous().key().provider(), "example");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn asynchronous(&self) -> &AuthManager {
        &self.0
    }
}
