//! A session that could not be stored: it is kept in memory until it can be, and no caller sees it
//! before.
//!
//! See decision 0055.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::foreign::Guard;
use super::insert::is_same_sign_in;
use super::{AuthManager, SessionChange, Shared};
use crate::clock::Timestamp;
use crate::engine::Claim;
use crate::error::{ErrorKind, Result};
use crate::token::OAuthToken;

/// A session that could not be stored, or may get lost, and the one that it replaces.
#[derive(Debug)]
struct Waiting {
    session: OAuthToken,
    previous: Option<OAuthToken>,
    /// Whether the store had it once.
    is_saved: bool,
    /// Whether the user has approved it, in place of `previous` and of what that was refreshed to.
    is_sign_in: bool,
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
        self.set_unless_signed_in(Waiting {
            session,
            previous,
            is_saved: false,
            is_sign_in: false,
        });
    }

    /// Keeps a session of a sign-in that replaces `previous`.
    pub(super) fn keep_sign_in(&self, session: OAuthToken, previous: Option<OAuthToken>) {
        *self.place() = Some(Box::new(Waiting {
            session,
            previous,
            is_saved: false,
            is_sign_in: true,
        }));
    }

    /// Keeps a session that is stored in a place that may lose it.
    pub(super) fn keep_saved(&self, session: OAuthToken, previous: OAuthToken) {
        self.set_unless_signed_in(Waiting {
            session,
            previous: Some(previous),
            is_saved: true,
            is_sign_in: false,
        });
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
            (Some(previous), Some(stored)) => {
                let is_refreshed = waiting.is_sign_in && is_same_sign_in(previous, stored);
                previous.has_same_tokens(stored) || is_refreshed
            }
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

    /// The session if it waits to be stored.
    fn waiting(&self) -> Option<OAuthToken> {
        let waiting = self.place();
        let waiting = waiting.as_ref().filter(|waiting| !waiting.is_saved);
        waiting.map(|waiting| waiting.session.clone())
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
        *self.place() = None;
    }

    /// Drops it if it is this one.
    fn clear_if(&self, stored: &OAuthToken) {
        let mut place = self.place();
        let is_it = |waiting: &Waiting| waiting.session.has_same_tokens(stored);
        if place.as_deref().is_some_and(is_it) {
            *place = None;
        }
    }

    /// A sign-in goes before the end of a refresh that began earlier.
    fn set_unless_signed_in(&self, waiting: Waiting) {
        let mut place = self.place();
        let is_sign_in = |waiting: &Waiting| waiting.is_sign_in && !waiting.is_saved;
        if !place.as_deref().is_some_and(is_sign_in) {
            *place = Some(Box::new(waiting));
        }
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
        let waiting = self.unsaved.waiting();
        let stored = self.load_locked(guard).await?;
        let is_waiting = |stored: &OAuthToken| {
            let waiting = waiting.as_ref();
            waiting.is_some_and(|waiting| waiting.has_same_tokens(stored))
        };
        let before = stored.clone().filter(|stored| !is_waiting(stored));
        let saved = self.save_unsaved(guard, stored).await?;
        Ok(saved.filter(|saved| before.is_none_or(|before| !before.has_same_tokens(saved))))
    }

    /// What is stored. If that has become unreadable, and a session waits to be stored, it is that
    /// one: its refresh token is nowhere else, and the store keeps what is damaged aside, as at a
    /// sign-in.
    pub(super) async fn load_locked(&self, guard: &mut Guard<'_>) -> Result<Option<OAuthToken>> {
        match guard.load().await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let waiting = self.unsaved.waiting().ok_or(error)?;
                guard.save(&waiting).await?;
                self.unsaved.clear_if(&waiting);
                Ok(Some(waiting))
            }
            stored => self.check_usable(stored?),
        }
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
        self.unsaved.clear_if(&waiting);
        Ok(Some(waiting))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, OnceLock};

    use async_trait::async_trait;

    use super::*;
    use crate::error::Error;
    use crate::oauth::OAuthConfig;
    use crate::session::SessionKey;
    use crate::store::{MemoryTokenStore, StoreGuard, TokenStore};
    use crate::{FileTokenStore, ProviderSpec as _, SecureUrl};

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

    #[tokio::test]
    async fn what_waits_is_stored_over_a_session_that_has_become_unreadable_and_is_kept_aside() {
        for by_a_caller in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("session.json");
            let server = SecureUrl::known("https://auth.example/token");
            let manager = AuthManager::builder(OAuthConfig::new("example", server).provider())
                .store(FileTokenStore::file(&file))
                .build();
            let token = |access: &str| OAuthToken::new(access.into(), None);
            manager.insert_session(token("made-up-1")).await.unwrap();
            std::fs::write(&file, "made-up damage").unwrap();
            let mut watch = manager.watch();
            let unsaved = &manager.shared().unsaved;
            unsaved.keep(token("made-up-2"), Some(token("made-up-1")));
            if by_a_caller {
                manager.shared().snapshot.set(None);
                let token = manager.token().await.unwrap();
                assert_eq!(token.access.expose(), "made-up-2");
            } else {
                manager.shared().save_waiting().await.unwrap();
                let change = watch.changed().await;
                assert!(matches!(change, Some(SessionChange::Refreshed(_))));
            }
            assert!(!manager.has_unsaved());
            let stored = manager.load().await.unwrap().unwrap();
            assert_eq!(stored.access.expose(), "made-up-2");
            let files = std::fs::read_dir(directory.path()).unwrap().flatten();
            let damage = |file: std::fs::DirEntry| {
                std::fs::read(file.path()).is_ok_and(|content| content == b"made-up damage")
            };
            assert_eq!(files.map(damage).filter(|is_it| *is_it).count(), 1);
        }
    }
}
