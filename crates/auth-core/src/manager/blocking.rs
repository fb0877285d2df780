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
    pub fn token(&self) -> Result<Arc<OAuthToken>> {
        block_on(self.0.token())
    }

    /// [`AuthManager::token_valid_for`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn token_valid_for(&self, minimum: Duration) -> Result<Arc<OAuthToken>> {
        block_on(self.0.token_valid_for(minimum))
    }

    /// [`AuthManager::token_or_login`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn token_or_login(&self, prompt: &dyn UserPrompt) -> Result<Arc<OAuthToken>> {
        block_on(self.0.token_or_login(prompt))
    }

    /// [`AuthManager::login`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn login(&self, prompt: &dyn UserPrompt) -> Result<Arc<OAuthToken>> {
        block_on(self.0.login(prompt))
    }

    /// [`AuthManager::login_with`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn login_with(
        &self,
        prompt: &dyn UserPrompt,
        may_replace: impl FnOnce(&OAuthToken, Option<&OAuthToken>) -> bool + Send + 'static,
    ) -> Result<Insertion> {
        block_on(self.0.login_with(prompt, may_replace))
    }

    /// [`AuthManager::load`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn load(&self) -> Result<Option<Arc<OAuthToken>>> {
        block_on(self.0.load())
    }

    /// [`AuthManager::invalidate`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn invalidate(&self, rejected: &OAuthToken) -> Result<Arc<OAuthToken>> {
        block_on(self.0.invalidate(rejected))
    }

    /// [`AuthManager::refresh`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn refresh(&self) -> Result<Arc<OAuthToken>> {
        block_on(self.0.refresh())
    }

    /// [`AuthManager::logout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn logout(&self) -> Result<Logout> {
        block_on(self.0.logout())
    }

    /// The manager itself, for its other methods.
    #[must_use]
    pub fn asynchronous(&self) -> &AuthManager {
        &self.0
    }
}
