//! Sign-outs.

use std::sync::Arc;

use super::foreign::Guard;
use super::{AuthManager, SessionChange, Shared};
use crate::auth_provider::Revocation;
use crate::engine;
use crate::error::Result;

/// The result of a [`logout`](AuthManager::logout).
///
/// # Examples
///
/// ```
/// use llm_auth_core::Revocation;
///
/// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
/// # use llm_auth_core::provider::OAuthConfig;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// # let server = SecureUrl::known("https://auth.example/token");
/// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
/// # manager.insert_session(OAuthToken::new("made-up".into(), None)).await?;
/// match manager.logout().await?.revocation {
///     Some(Ok(Revocation::Confirmed)) => println!("signed out everywhere"),
///     Some(Err(error)) => println!("signed out here only: {error}"),
///     _ => println!("signed out here only"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Logout {
    /// Whether there was a session to remove.
    pub was_signed_in: bool,
    /// The vendor's response; `None` if there was nothing to revoke.
    pub revocation: Option<Result<Revocation>>,
}

impl AuthManager {
    /// Revokes the session at the vendor, if the vendor supports it, and removes it here in any
    /// case.
    ///
    /// # Errors
    ///
    /// The store's error; [`ErrorKind::Config`](crate::ErrorKind::Config) if another process has stored
    /// a session of [another server](crate::AuthProvider::check_issued): then it stays, and
    /// [`forget`](Self::forget) removes it. A revocation that the vendor did not confirm is no error; it
    /// is in [`Logout`].
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
    /// assert!(manager.logout().await?.was_signed_in);
    /// assert!(manager.load().await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn logout(&self) -> Result<Logout> {
        self.remove(true).await
    }

    /// Removes the session here without revoking it, for a grant that another program goes on
    /// using. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// The store's error.
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
    /// assert!(manager.forget().await?);
    /// assert!(!manager.forget().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn forget(&self) -> Result<bool> {
        Ok(self.remove(false).await?.was_signed_in)
    }

    async fn remove(&self, revoke: bool) -> Result<Logout> {
        let owned = Arc::clone(&self.shared);
        let work = async move { owned.remove_session(revoke).await };
        self.run(work).await
    }
}

impl Shared {
    async fn remove_session(&self, revoke: bool) -> Result<Logout> {
        let mut guard = engine::unless_given_up(self.foreign.seize()).await?;
        let removed = self.remove_locked(&mut guard, revoke).await;
        guard.release().await;
        removed
    }

    async fn remove_locked(&self, guard: &mut Guard<'_>, revoke: bool) -> Result<Logout> {
        let stored = self.previous(guard).await?.session;
        // The newest session must be revoked, even if it is not stored yet.
        let unsaved = self.unsaved.take(stored.as_ref());
        let newest = unsaved.as_ref().or(stored.as_ref());
        let was_signed_in = newest.is_some();
        if let Some(token) = newest.filter(|token| revoke && !token.is_rejected())
            && let Err(error) = self.foreign.check_revocable(token)
        {
            // Another process may have stored a session of another server meanwhile.
            if let Some(unsaved) = unsaved {
                self.unsaved.keep(unsaved, stored);
            }
            return Err(error);
        }
        let revocation = match newest {
            Some(token) if revoke && !token.is_rejected() => Some(self.foreign.revoke(token).await),
            _ => None,
        };
        if let Err(error) = guard.remove().await {
            if let Some(unsaved) = unsaved {
                self.unsaved.keep(unsaved, stored);
            }
            return Err(error);
        }
        self.snapshot.set(None);
        self.changes.send(SessionChange::SignedOut);
        Ok(Logout {
            was_signed_in,
            revocation,
        })
    }
}
