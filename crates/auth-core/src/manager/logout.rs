//! Sign-outs.

use std::sync::Arc;

use super::foreign::Guard;
use super::insert::{Changes, is_same_sign_in};
use super::{AuthManager, SessionChange, Shared};
use crate::auth_provider::Revocation;
use crate::clock::Timestamp;
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::token::OAuthToken;

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
    /// a session of [another server](crate::AuthProvider::check_issued), and
    /// [`ErrorKind::StoreBusy`](crate::ErrorKind::StoreBusy) if it did so, or signed in, while this call
    /// waited: then it stays. A revocation that the vendor did not confirm is no error; it
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

/// The session that a caller means who signs out: one of this server, however often it is refreshed
/// meanwhile.
struct Meant {
    is_there: bool,
    server: Option<String>,
    signed_in_at: Option<Timestamp>,
}

impl Meant {
    fn of(stored: Option<OAuthToken>) -> Self {
        let is_there = stored.is_some();
        let metadata = stored.map(|stored| stored.metadata).unwrap_or_default();
        Self {
            is_there,
            server: metadata.server,
            signed_in_at: metadata.signed_in_at,
        }
    }

    fn is(&self, stored: &OAuthToken) -> bool {
        let now = &stored.metadata;
        // A refresh records the server of a session that had none, and keeps the time of the sign-in.
        let is_refreshed = self.server.is_none() && self.signed_in_at == now.signed_in_at;
        self.is_there && (self.server == now.server || is_refreshed)
    }
}

/// A sign-out, and what it has done so far.
struct Leaving {
    revoke: bool,
    meant: Option<Meant>,
    revocation: Option<Result<Revocation>>,
    /// The session of the first round.
    seen: Option<OAuthToken>,
}

impl Leaving {
    /// Whether it is that of the first round, or one that it was refreshed to, and no new sign-in.
    fn is_the_one(&self, stored: &OAuthToken) -> bool {
        let is_it =
            |seen: &OAuthToken| seen.has_same_tokens(stored) || is_same_sign_in(seen, stored);
        self.seen.as_ref().is_none_or(is_it)
    }
}

impl Shared {
    async fn remove_session(&self, revoke: bool) -> Result<Logout> {
        // What cannot be read now is judged under the lock.
        let meant = self.foreign.load().await.ok().map(Meant::of);
        let mut changes = Changes::default();
        let mut leaving = Leaving {
            revoke,
            meant,
            revocation: None,
            seen: None,
        };
        loop {
            let mut guard = engine::unless_given_up(self.foreign.lock_optimistically()).await?;
            let removed = self.remove_locked(&mut guard, &mut leaving).await;
            guard.release().await;
            match removed {
                // The successor of a refresh that was in flight: it is revoked, too.
                Err(error) if changes.allow_another(&error) => {}
                removed => {
                    return removed.map(|was_signed_in| Logout {
                        was_signed_in: was_signed_in || leaving.seen.is_some(),
                        revocation: leaving.revocation,
                    });
                }
            }
        }
    }

    /// Whether callers of this process see this session: then they mean it.
    fn is_known(&self, stored: &OAuthToken) -> bool {
        let known = self.snapshot.get();
        known.is_some_and(|known| known.has_same_tokens(stored))
    }

    fn came_meanwhile(&self, meant: &Meant, stored: &OAuthToken, revoke: bool) -> Error {
        let what = match meant.is_there {
            true => "another session",
            false => "a session",
        };
        let advice = match revoke && self.foreign.check_revocable(stored).is_err() {
            true => "`forget` it to remove it without revoking it",
            false => "try again to end that one",
        };
        let message =
            format!("another process has stored {what} meanwhile: it was left as it is; {advice}");
        self.with_session(Error::new(ErrorKind::StoreBusy, message))
    }

    async fn remove_locked(&self, guard: &mut Guard<'_>, leaving: &mut Leaving) -> Result<bool> {
        let revoke = leaving.revoke;
        let stored = self.previous(guard).await?.session;
        if let (Some(meant), Some(stored)) = (&leaving.meant, &stored)
            && !(meant.is(stored) && leaving.is_the_one(stored))
            && !self.is_known(stored)
        {
            return Err(self.came_meanwhile(meant, stored, revoke));
        }
        leaving.seen = leaving.seen.take().or_else(|| stored.clone());
        // The newest session must be revoked, even if it is not stored yet.
        let unsaved = self.unsaved.successor(stored.as_ref());
        let newest = unsaved.as_ref().or(stored.as_ref());
        let was_signed_in = newest.is_some();
        if let Some(token) = newest.filter(|token| revoke && !token.is_rejected())
            && let Err(error) = self.foreign.check_revocable(token)
        {
            return Err(error);
        }
        if let Some(token) = newest.filter(|token| revoke && !token.is_rejected()) {
            leaving.revocation = Some(self.foreign.revoke(token).await);
        }
        guard.remove().await?;
        self.unsaved.clear();
        self.cool_down.succeeded();
        self.snapshot.set(None);
        self.changes.send(SessionChange::SignedOut);
        Ok(was_signed_in)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, OnceLock};

    use async_trait::async_trait;

    use super::*;
    use crate::auth_provider::AuthProvider;
    use crate::grant::Operation;
    use crate::prompt::UserPrompt;
    use crate::secure_url::SecureUrl;
    use crate::session::SessionKey;
    use crate::store::{MemoryTokenStore, StoreGuard, TokenStore};

    /// A store in which something happens while a sign-out waits for the lock.
    #[derive(Clone, Debug, Default)]
    struct Busy {
        inner: MemoryTokenStore,
        manager: Arc<OnceLock<AuthManager>>,
        /// What another process stores; otherwise this one stores what waits.
        other: Arc<Mutex<Option<OAuthToken>>>,
    }

    #[async_trait]
    impl TokenStore for Busy {
        async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
            self.inner.load(key).await
        }

        async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
            self.inner.lock(key).await
        }

        async fn lock_optimistically(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
            let other = self.other.lock().unwrap().take();
            match other {
                Some(other) => self.inner.lock(key).await?.save(&other).await?,
                None => {
                    let manager = self.manager.get().unwrap();
                    if manager.has_unsaved() {
                        manager.shared().save_waiting().await?;
                    }
                }
            }
            self.inner.lock(key).await
        }

        fn location(&self, key: &SessionKey) -> String {
            self.inner.location(key)
        }
    }

    /// Knows the sessions of one server only.
    #[derive(Debug)]
    struct OfOneServer;

    #[async_trait]
    impl AuthProvider for OfOneServer {
        fn name(&self) -> &str {
            "example"
        }

        async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
            Ok(OAuthToken::new("made-up".into(), None))
        }

        async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
            Ok(current.clone())
        }

        fn check_issued(&self, session: &OAuthToken) -> Result<()> {
            match session.metadata.server.as_deref() {
                Some("https://two.example") => {
                    Err(Error::new(ErrorKind::Config, "of another server"))
                }
                _ => Ok(()),
            }
        }

        fn recipient(&self, _: Operation, session: &OAuthToken) -> Result<Option<SecureUrl>> {
            self.check_issued(session).map(|()| None)
        }
    }

    fn manager() -> (AuthManager, Busy) {
        let store = Busy::default();
        let manager = AuthManager::builder(OfOneServer).store(store.clone());
        let manager = manager.build();
        store.manager.set(manager.clone()).unwrap();
        (manager, store)
    }

    #[tokio::test]
    async fn a_sign_in_that_is_stored_while_its_sign_out_waits_is_signed_out() {
        let (manager, store) = manager();
        let session = OAuthToken::new("made-up".into(), None);
        manager.shared().keep_unsaved(Some(session));
        assert!(manager.forget().await.unwrap());
        assert!(store.load(manager.key()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_advice_about_a_session_that_cannot_be_revoked_here_is_to_forget_it() {
        let (manager, store) = manager();
        let of = |server: &str| {
            let mut session = OAuthToken::new("made-up".into(), None);
            session.metadata.server = Some(server.into());
            session
        };
        for (server, advice) in [
            ("https://two.example", "`forget` it"),
            ("https://one.example", "try again"),
        ] {
            *store.other.lock().unwrap() = Some(of(server));
            let error = manager.logout().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreBusy);
            assert!(error.to_string().contains(advice), "{error}");
            assert!(!error.to_string().contains("another server"), "{error}");
            assert!(manager.forget().await.unwrap());
        }
    }
}
