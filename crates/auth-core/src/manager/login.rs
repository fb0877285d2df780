//! Sign-ins.

use std::sync::Arc;

use super::AuthManager;
use super::insert::Insertion;
use crate::engine;
use crate::error::Result;
use crate::prompt::UserPrompt;
use crate::token::OAuthToken;

/// A sign-in that can be stored: the store is ready for it, and the user has not been asked yet.
///
/// It comes from [`AuthManager::begin_login`], for programs that announce what a sign-in replaces.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_core::LoginEvent;
///
/// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
/// let pending = manager.begin_login().await?;
/// if pending.stored().is_some() {
///     println!("this sign-in replaces a session");
/// }
/// // Asks the server and the user.
/// let prompt = |event: &LoginEvent<'_>| eprintln!("{event}");
/// let inserted = pending.authenticate(&prompt, |_, _| true).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing happens until the user is asked"]
pub struct PendingLogin {
    manager: AuthManager,
    stored: Option<OAuthToken>,
}

impl AuthManager {
    /// Signs a user in and stores the session, in place of any other. No lock is held while the
    /// user thinks.
    ///
    /// It verifies that the store is writable before prompting. If the session cannot be stored in
    /// the end, it is kept in memory, and the next call tries to store it first.
    /// [`AuthProvider::authenticate`](crate::AuthProvider::authenticate) is polled in the calling
    /// task, inside the library's own runtime.
    ///
    /// # Errors
    ///
    /// The errors of [`AuthProvider::authenticate`](crate::AuthProvider::authenticate) and of the
    /// store; [`ErrorKind::Config`](crate::ErrorKind::Config) if the stored session belongs to
    /// another provider or account.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::LoginEvent;
    ///
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// // Asks the server and the user.
    /// let session = manager.login(&|event: &LoginEvent<'_>| eprintln!("{event}")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn login(&self, prompt: &dyn UserPrompt) -> Result<Arc<OAuthToken>> {
        let pending = self.begin_login().await?;
        let token = pending.ask(prompt).await?;
        self.insert_session(token).await
    }

    /// As [`login`](Self::login), but the session is stored only if `may_replace` accepts it. That
    /// is called under the store's lock, with the new session and with the one that is stored by
    /// then: `None` if there is none, or none that can be read.
    ///
    /// If it returns `false`, nothing changes, and the caller receives the new session: to store it
    /// under another account, for example.
    ///
    /// # Errors
    ///
    /// As [`login`](Self::login).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// use llm_auth_core::{Insertion, OAuthToken, Silent};
    ///
    /// // Only the same user may replace a session.
    /// let same_user = |new: &OAuthToken, stored: Option<&OAuthToken>| {
    ///     stored.is_none_or(|stored| stored.metadata.identity == new.metadata.identity)
    /// };
    /// match manager.login_with(&Silent, same_user).await? {
    ///     Insertion::Stored(stored) => println!("signed in to {:?}", stored.token.metadata.account),
    ///     Insertion::Refused(refused) => {
    ///         println!("this account is not of {:?}", refused.new.metadata.identity);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn login_with(
        &self,
        prompt: &dyn UserPrompt,
        may_replace: impl FnMut(&OAuthToken, Option<&OAuthToken>) -> bool + Send + 'static,
    ) -> Result<Insertion> {
        let pending = self.begin_login().await?;
        pending.authenticate(prompt, may_replace).await
    }

    /// The first half of [`login_with`](Self::login_with): it verifies that the store is writable
    /// and returns what is stored, before the user is asked.
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
    /// let pending = manager.begin_login().await?;
    /// assert!(pending.stored().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn begin_login(&self) -> Result<PendingLogin> {
        Ok(PendingLogin {
            manager: self.clone(),
            stored: self.prepare_store().await?,
        })
    }

    /// [`token`](Self::token), with a sign-in if only that helps. If several callers need one, the
    /// first signs in, and the others receive its session.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token) and [`login`](Self::login).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// use llm_auth_core::Silent;
    ///
    /// let token = manager.token_or_login(&Silent).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn token_or_login(&self, prompt: &dyn UserPrompt) -> Result<Arc<OAuthToken>> {
        match self.token().await {
            Err(error) if error.needs_login() => {}
            outcome => return outcome,
        }
        let gate = self.shared.sign_in.get_or_init(Box::default);
        let _one_at_a_time = gate.lock().await;
        match self.token().await {
            Err(error) if error.needs_login() => self.login(prompt).await,
            outcome => outcome,
        }
    }
}

impl PendingLogin {
    /// The session that was stored a moment ago, if any: this sign-in may replace it.
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
    /// let pending = manager.begin_login().await?;
    /// let stored = pending.stored().expect("signed in before");
    /// assert_eq!(stored.access.expose(), "made-up");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stored(&self) -> Option<&OAuthToken> {
        self.stored.as_ref()
    }

    /// Signs the user in; the rest of [`AuthManager::login_with`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::Silent;
    ///
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// let pending = manager.begin_login().await?;
    /// // Asks the server and the user.
    /// let inserted = pending.authenticate(&Silent, |_, stored| stored.is_none()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn authenticate(
        self,
        prompt: &dyn UserPrompt,
        may_replace: impl FnMut(&OAuthToken, Option<&OAuthToken>) -> bool + Send + 'static,
    ) -> Result<Insertion> {
        let token = self.ask(prompt).await?;
        self.manager.insert_session_if(token, may_replace).await
    }

    /// Asks the server and the user, and stores nothing: give the session to
    /// [`AuthManager::insert_session_if`], for a program that needs a moment before it is stored.
    ///
    /// # Errors
    ///
    /// As [`AuthManager::login`], without those of the store.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::Silent;
    ///
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// let session = manager.begin_login().await?.ask(&Silent).await?;
    /// manager.insert_session(session).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ask(&self, prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        let shared = &self.manager.shared;
        let token = engine::inside(shared.foreign.common.provider.authenticate(prompt)).await;
        token.map_err(|error| shared.with_session(error))
    }
}
