//! Sign-ins, sessions from elsewhere, and sign-outs.

use std::sync::Arc;

use super::foreign::Guard;
use super::refresh::save_with_retries;
use super::{AuthManager, Logout, SessionChange, Shared};
use crate::engine;
use crate::error::{ErrorKind, Result};
use crate::prompt::UserPrompt;
use crate::token::OAuthToken;

impl AuthManager {
    /// Signs a user in and stores the session. No lock is held while the user thinks.
    ///
    /// It verifies that the store is writable before prompting. If the session cannot be stored in
    /// the end, it is kept in memory, and the next call tries to store it first.
    /// [`AuthProvider::authenticate`](crate::AuthProvider::authenticate) is polled in the calling
    /// task, inside the library's own runtime.
    ///
    /// # Errors
    ///
    /// The errors of [`AuthProvider::authenticate`](crate::AuthProvider::authenticate) and of the
    /// store; [`ErrorKind::Config`] if the stored session belongs to another provider or account.
    pub async fn login(&self, prompt: &dyn UserPrompt) -> Result<Arc<OAuthToken>> {
        self.check_store().await?;
        let shared = &self.shared;
        let token = engine::inside(shared.foreign.provider.authenticate(prompt)).await;
        self.insert_session(token.map_err(|error| shared.with_session(error))?)
            .await
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

    /// Verifies that a sign-in could be stored, as [`login`](Self::login) does before prompting.
    ///
    /// # Errors
    ///
    /// The store's error; [`ErrorKind::Config`] if the stored session belongs to another provider
    /// or account.
    pub async fn check_store(&self) -> Result<()> {
        let owned = Arc::clone(&self.shared);
        let work = async move {
            let (mut guard, stored) = owned.lock_for_login().await?;
            let ready = guard.prepare(stored.as_ref()).await;
            guard.release().await;
            ready
        };
        self.run(work).await
    }

    /// Stores a session that a program obtained without [`login`](Self::login), by driving the
    /// steps of a provider itself.
    ///
    /// # Errors
    ///
    /// The store's error; [`ErrorKind::Config`] if the stored session belongs to another provider
    /// or account.
    pub async fn insert_session(&self, token: OAuthToken) -> Result<Arc<OAuthToken>> {
        let owned = Arc::clone(&self.shared);
        let work = async move {
            let (guard, previous) = owned.lock_for_login().await?;
            let stored = owned.store_login(guard, previous, token).await;
            owned.save_later();
            stored
        };
        self.run(work).await
    }

    /// As [`insert_session`](Self::insert_session), but only if `fits` accepts what is stored by
    /// then. It is called under the store's lock, with `None` if no readable session is stored. If
    /// it refuses, nothing changes, `token` is dropped and the result is `None`.
    ///
    /// # Errors
    ///
    /// As [`insert_session`](Self::insert_session).
    pub async fn insert_session_if(
        &self,
        token: OAuthToken,
        fits: impl FnOnce(Option<&OAuthToken>) -> bool + Send + 'static,
    ) -> Result<Option<Arc<OAuthToken>>> {
        let owned = Arc::clone(&self.shared);
        let work = async move {
            let (guard, previous) = owned.lock_for_login().await?;
            if !fits(previous.as_ref()) {
                guard.release().await;
                return Ok(None);
            }
            let stored = owned.store_login(guard, previous, token).await;
            owned.save_later();
            stored.map(Some)
        };
        self.run(work).await
    }

    /// Revokes the session at the vendor, if the vendor supports it, and removes it here in any
    /// case.
    ///
    /// # Errors
    ///
    /// The store's error. A revocation that the vendor did not confirm is no error; it is in
    /// [`Logout`].
    pub async fn logout(&self) -> Result<Logout> {
        self.remove(true).await
    }

    /// Removes the session here without revoking it, for a grant that another program goes on
    /// using. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// The store's error.
    pub async fn forget(&self) -> Result<bool> {
        Ok(self.remove(false).await?.was_signed_in)
    }

    async fn remove(&self, revoke: bool) -> Result<Logout> {
        let owned = Arc::clone(&self.shared);
        let work = async move { owned.remove_session(revoke).await };
        self.run(work).await
    }

    /// Runs a transaction to its end, even if this future is dropped.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let shared = &self.shared;
        let task = shared.tasks.spawn(work);
        let task = task.map_err(|error| shared.with_session(error))?;
        task.await.map_err(|error| shared.with_session(error))
    }
}

impl Shared {
    /// The lock, and the session that a sign-in would replace.
    async fn lock_for_login(&self) -> Result<(Guard<'_>, Option<OAuthToken>)> {
        let mut guard = self.foreign.lock().await?;
        let previous = self.replaceable(&mut guard).await?;
        Ok((guard, previous))
    }

    /// What a new sign-in would replace: nothing, something unreadable (the store moves that
    /// aside), or a session of this provider and account.
    async fn replaceable(&self, guard: &mut Guard<'_>) -> Result<Option<OAuthToken>> {
        match guard.load().await {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            stored => self.check_owner(stored?),
        }
    }

    async fn store_login(
        &self,
        mut guard: Guard<'_>,
        previous: Option<OAuthToken>,
        mut token: OAuthToken,
    ) -> Result<Arc<OAuthToken>> {
        // The end of the process waits for the session that the user has just approved.
        let _critical = engine::critical();
        if let Some(previous) = &previous {
            token.extra = previous.extra.clone();
        }
        token.metadata.provider = Some(self.key().provider().to_owned());
        token.metadata.account = Some(self.key().account().to_owned());
        token.metadata.signed_in_at = Some(self.clock.now());
        let saved = save_with_retries(&mut guard, &token).await;
        guard.release().await;
        if let Err(error) = saved {
            self.unsaved.keep(token, previous);
            self.changes.send(SessionChange::SaveFailed(error.clone()));
            return Err(error);
        }
        self.unsaved.clear();
        let token = self.publish(token);
        self.changes
            .send(SessionChange::SignedIn(Arc::clone(&token)));
        Ok(token)
    }

    async fn remove_session(&self, revoke: bool) -> Result<Logout> {
        let mut guard = self.foreign.lock().await?;
        let removed = self.remove_locked(&mut guard, revoke).await;
        guard.release().await;
        removed
    }

    async fn remove_locked(&self, guard: &mut Guard<'_>, revoke: bool) -> Result<Logout> {
        let stored = self.replaceable(guard).await?;
        // The newest session must be revoked, even if it is not stored yet.
        let unsaved = self.unsaved.take(stored.as_ref());
        let newest = unsaved.as_ref().or(stored.as_ref());
        let was_signed_in = newest.is_some();
        let revocation = match newest {
            Some(token) if revoke && !token.is_refused() => Some(self.foreign.revoke(token).await),
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
