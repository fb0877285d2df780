//! A session that could not be stored: it is kept in memory until it can be, and no caller sees it
//! before.
//!
//! See decision 0055.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::foreign::Guard;
use super::{AuthManager, SessionChange, Shared};
use crate::clock::Timestamp;
use crate::engine::Claim;
use crate::error::Result;
use crate::token::OAuthToken;

/// A session that could not be stored, or may get lost, and the one that it replaces.
#[derive(Debug)]
struct Waiting {
    session: OAuthToken,
    previous: Option<OAuthToken>,
    /// Whether the store had it once.
    is_saved: bool,
}

/// What became of a session that waits.
enum Kept {
    /// It replaces the stored one.
    Successor(OAuthToken),
    /// It was never stored, and the session was signed out meanwhile.
    SignedOut(OAuthToken),
    /// There is none, or it is outdated.
    Nothing,
}

/// The unsaved session, if any.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    waiting: Mutex<Option<Box<Waiting>>>,
    /// Whether a task is trying to store it.
    pub(super) is_tried: Claim,
    /// Whether a task tries again at long intervals.
    pub(super) is_tried_again: Claim,
}

impl Unsaved {
    /// Keeps a session that replaces `previous`.
    pub(super) fn keep(&self, session: OAuthToken, previous: Option<OAuthToken>) {
        self.set(Some(Box::new(Waiting {
            session,
            previous,
            is_saved: false,
        })));
    }

    /// Keeps a session that is stored in a place that may lose it.
    pub(super) fn keep_saved(&self, session: OAuthToken, previous: OAuthToken) {
        self.set(Some(Box::new(Waiting {
            session,
            previous: Some(previous),
            is_saved: true,
        })));
    }

    /// The session if it replaces the stored one; it stays until it is stored or removed. Another one
    /// is dropped. The caller has the lock of the session.
    pub(super) fn successor(&self, stored: Option<&OAuthToken>) -> Option<OAuthToken> {
        match self.judge(stored) {
            Kept::Successor(session) => Some(session),
            Kept::SignedOut(_) | Kept::Nothing => None,
        }
    }

    fn judge(&self, stored: Option<&OAuthToken>) -> Kept {
        let mut place = self.place();
        let Some(waiting) = place.as_mut() else {
            return Kept::Nothing;
        };
        let is_successor = match (&waiting.previous, stored) {
            (None, None) => true,
            (Some(previous), Some(stored)) => previous.has_same_tokens(stored),
            _ => false,
        };
        if is_successor {
            // The store has lost it, if it ever had it.
            waiting.is_saved = false;
            return Kept::Successor(waiting.session.clone());
        }
        match place.take() {
            Some(waiting)
                if waiting.previous.is_some() && stored.is_none() && !waiting.is_saved =>
            {
                Kept::SignedOut(waiting.session)
            }
            _ => Kept::Nothing,
        }
    }

    /// Whether a session waits to be stored.
    pub(super) fn is_waiting(&self) -> bool {
        let waiting = self.place();
        waiting.as_ref().is_some_and(|waiting| !waiting.is_saved)
    }

    /// Whether a session is kept, stored or not, that a caller could use.
    pub(super) fn is_kept_at(&self, now: Timestamp) -> bool {
        let waiting = self.place();
        waiting
            .as_ref()
            .is_some_and(|waiting| waiting.session.is_valid_for(Duration::ZERO, now))
    }

    /// Drops it: it, or a newer session, was stored or removed. The caller has the lock of the session.
    pub(super) fn clear(&self) {
        self.set(None);
    }

    fn set(&self, waiting: Option<Box<Waiting>>) {
        *self.place() = waiting;
    }

    fn place(&self) -> MutexGuard<'_, Option<Box<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuthManager {
    /// Whether a session that could not be stored waits in memory: it is lost with this process. Until
    /// it is stored, the library tries that once a minute, and each call that needs the store tries it
    /// first.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// assert!(!manager.has_unsaved());
    /// ```
    #[must_use]
    pub fn has_unsaved(&self) -> bool {
        self.shared.unsaved.is_waiting()
    }
}

impl Shared {
    pub(super) async fn save_waiting(&self) -> Result<()> {
        let mut guard = self.foreign.lock_patiently().await?;
        let saved = self.save_waiting_locked(&mut guard).await;
        // Under the lock, so that its next holder knows whose session that is.
        let saved = saved.map(|saved| saved.map(|token| self.publish(token)));
        guard.release().await;
        if let Some(token) = saved? {
            self.changes.send(SessionChange::Refreshed(token));
        }
        Ok(())
    }

    /// Ends a session at the vendor that was signed out before it could be stored.
    pub(super) async fn revoke_unstored(&self, session: &OAuthToken) {
        if let Err(error) = self.foreign.revoke(session).await {
            tracing::warn!(%error, "a session was signed out here only");
        }
    }

    /// Stores the unsaved session, and returns it; `None` without one.
    async fn save_waiting_locked(&self, guard: &mut Guard<'_>) -> Result<Option<OAuthToken>> {
        let stored = self.check_usable(guard.load().await?)?;
        let before = stored.clone();
        let saved = self.save_unsaved(guard, stored).await?;
        Ok(saved.filter(|saved| before.is_none_or(|before| !before.has_same_tokens(saved))))
    }

    /// Stores the unsaved session, if it is still the successor of the stored one, and returns
    /// what is stored then.
    pub(super) async fn save_unsaved(
        &self,
        guard: &mut Guard<'_>,
        stored: Option<OAuthToken>,
    ) -> Result<Option<OAuthToken>> {
        let waiting = match self.unsaved.judge(stored.as_ref()) {
            Kept::Successor(waiting) => waiting,
            Kept::SignedOut(waiting) => {
                self.revoke_unstored(&waiting).await;
                return Ok(stored);
            }
            Kept::Nothing => return Ok(stored),
        };
        guard.save(&waiting).await?;
        self.unsaved.clear();
        Ok(Some(waiting))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, OnceLock};

    use async_trait::async_trait;

    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::oauth::OAuthConfig;
    use crate::session::SessionKey;
    use crate::store::{MemoryTokenStore, StoreGuard, TokenStore};
    use crate::{ProviderSpec as _, SecureUrl};

    /// A store that looks, in the middle of a save or a removal, whether its manager has an unsaved
    /// session.
    #[derive(Clone, Debug, Default)]
    struct Looking {
        inner: MemoryTokenStore,
        manager: Arc<OnceLock<AuthManager>>,
        seen: Arc<Mutex<Vec<bool>>>,
        is_full: Arc<AtomicBool>,
        at_release: Arc<Mutex<Vec<bool>>>,
    }

    #[derive(Debug)]
    struct LookingGuard(Looking, Box<dyn StoreGuard>);

    impl LookingGuard {
        fn look(&self, seen: &Mutex<Vec<bool>>) {
            let is_unsaved = self.0.manager.get().unwrap().has_unsaved();
            seen.lock().unwrap().push(is_unsaved);
        }
    }

    #[async_trait]
    impl TokenStore for Looking {
        async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
            self.inner.load(key).await
        }

        async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
            let guard = self.inner.lock(key).await?;
            Ok(Box::new(LookingGuard(self.clone(), guard)))
        }

        fn location(&self, key: &SessionKey) -> String {
            self.inner.location(key)
        }
    }

    #[async_trait]
    impl StoreGuard for LookingGuard {
        async fn load(&mut self) -> Result<Option<OAuthToken>> {
            self.1.load().await
        }

        async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
            self.1.prepare(stored).await
        }

        async fn save(&mut self, token: &OAuthToken) -> Result<()> {
            self.look(&self.0.seen);
            if self.0.is_full.load(Ordering::SeqCst) {
                return Err(Error::new(ErrorKind::Store, "no space"));
            }
            self.1.save(token).await
        }

        async fn remove(&mut self) -> Result<()> {
            self.look(&self.0.seen);
            self.1.remove().await
        }

        async fn release(self: Box<Self>) {
            self.look(&self.0.at_release);
            self.1.release().await;
        }
    }

    fn manager(store: &Looking) -> AuthManager {
        let server = SecureUrl::known("https://auth.example/token");
        let builder = AuthManager::builder(OAuthConfig::new("example", server).provider());
        let manager = builder.store(store.clone()).build();
        store.manager.set(manager.clone()).unwrap();
        manager
    }

    #[tokio::test]
    async fn a_session_is_unsaved_until_it_is_stored_or_signed_out() {
        let store = Looking::default();
        let manager = manager(&store);
        let first = OAuthToken::new("made-up-1".into(), None);
        let second = OAuthToken::new("made-up-2".into(), None);
        let unsaved = &manager.shared().unsaved;
        unsaved.keep(first.clone(), None);
        assert_eq!(manager.token().await.unwrap().access.expose(), "made-up-1");
        assert!(!manager.has_unsaved());
        // A store that may lose sessions has lost this one.
        unsaved.keep_saved(second.clone(), first);
        assert!(!manager.has_unsaved());
        manager.shared().save_waiting().await.unwrap();
        assert_eq!(manager.token().await.unwrap().access.expose(), "made-up-2");
        unsaved.keep(OAuthToken::new("made-up-3".into(), None), Some(second));
        assert!(manager.forget().await.unwrap());
        assert!(!manager.has_unsaved());
        assert_eq!(*store.seen.lock().unwrap(), [true, true, true]);
    }

    #[tokio::test]
    async fn a_sign_in_is_unsaved_before_another_holder_of_the_lock_can_come() {
        let store = Looking::default();
        let manager = manager(&store);
        store.is_full.store(true, Ordering::SeqCst);
        let session = OAuthToken::new("made-up".into(), None);
        manager.insert_session(session.clone()).await.unwrap_err();
        store.is_full.store(false, Ordering::SeqCst);
        manager.insert_session(session).await.unwrap();
        // The attempts of its task come in between.
        let seen = store.at_release.lock().unwrap();
        assert_eq!((seen.first(), seen.last()), (Some(&true), Some(&false)));
    }
}
