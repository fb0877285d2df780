//! What to do if an API refuses an access token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::AuthManager;
use crate::error::Result;
use crate::secret::Secret;
use crate::token::OAuthToken;

/// How long a fresh token that was refused is not refreshed again.
const PAUSE: Duration = Duration::from_secs(60);

/// The memory of a client for the access tokens that an API refuses. A refused token is refreshed
/// once; if the API refuses the fresh one too, the refusal has another reason, and for 60 seconds
/// no further request causes a refresh.
///
/// All requests of a client share one.
///
/// # Examples
///
/// ```no_run
/// # async fn call(_: &llm_auth_core::OAuthToken) -> u16 { 200 }
/// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
/// use llm_auth_core::Refusals;
///
/// let refusals = Refusals::default();
/// let token = manager.token().await?;
/// let mut status = call(&token).await;
/// if status == 401
///     && let Some(fresh) = refusals.retry_with(&manager, &token).await?
/// {
///     status = call(&fresh).await;
///     if status == 401 {
///         refusals.refused_again(&fresh);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Refusals {
    /// The fresh access token that the API refused last, and when it did so first.
    fresh: Mutex<Option<(Secret, Instant)>>,
}

impl Refusals {
    /// The token for a second attempt after the API has refused this one; `None` if a second attempt
    /// is not worth it, because this token was fresh and refused less than 60 seconds ago, and the
    /// store has no other one.
    ///
    /// # Errors
    ///
    /// As [`AuthManager::invalidate`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// # let refusals = llm_auth_core::Refusals::default();
    /// let token = manager.token().await?;
    /// // The API returned 401.
    /// let is_worth_it = refusals.retry_with(&manager, &token).await?.is_some();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retry_with(
        &self,
        manager: &AuthManager,
        refused: &OAuthToken,
    ) -> Result<Option<Arc<OAuthToken>>> {
        if !self.holds(refused) {
            return manager.invalidate(refused).await.map(Some);
        }
        // Only the store knows of a sign-in by another process.
        match manager.load().await {
            Ok(Some(stored)) if stored.access != refused.access => manager.token().await.map(Some),
            _ => Ok(None),
        }
    }

    /// Remembers that the API has refused the token of a second attempt too.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, Refusals};
    ///
    /// let refusals = Refusals::default();
    /// refusals.refused_again(&OAuthToken::new("made-up".into(), None));
    /// ```
    pub fn refused_again(&self, fresh: &OAuthToken) {
        if !self.holds(fresh) {
            *self.fresh() = Some((fresh.access.clone(), Instant::now()));
        }
    }

    fn holds(&self, token: &OAuthToken) -> bool {
        let fresh = self.fresh();
        let fresh = fresh.as_ref();
        fresh.is_some_and(|(access, since)| *access == token.access && since.elapsed() < PAUSE)
    }

    fn fresh(&self) -> MutexGuard<'_, Option<(Secret, Instant)>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
