//! A session that could not be stored: it is kept in memory until it can be, and no caller sees it
//! before.
//!
//! See decision 0055.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::foreign::Guard;
use super::{AuthManager, SessionChange, Shared};
use crate::clock::Timestamp;
use crate::engine;
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
enum Taken {
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
    is_tried: AtomicBool,
}

/// The pauses of the task that stores an unsaved session: about 15 s, less than the end of the
/// process waits.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(7),
];

/// The pause after an attempt of the end of all sessions; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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

    /// Takes out the session if it replaces the stored one, and drops it otherwise.
    pub(super) fn take(&self, stored: Option<&OAuthToken>) -> Option<OAuthToken> {
        match self.take_out(stored) {
            Taken::Successor(session) => Some(session),
            Taken::SignedOut(_) | Taken::Nothing => None,
        }
    }

    fn take_out(&self, stored: Option<&OAuthToken>) -> Taken {
        let Some(waiting) = self.set(None) else {
            return Taken::Nothing;
        };
        match (&waiting.previous, stored) {
            (None, None) => Taken::Successor(waiting.session),
            (Some(previous), Some(stored)) if previous.has_same_tokens(stored) => {
                Taken::Successor(waiting.session)
            }
            (Some(_), None) if !waiting.is_saved => Taken::SignedOut(waiting.session),
            _ => Taken::Nothing,
        }
    }

    /// Whether a session waits to be stored.
    pub(super) fn is_waiting(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.as_ref().is_some_and(|waiting| !waiting.is_saved)
    }

    /// Whether a session is kept, stored or not, that a caller could use.
    pub(super) fn is_kept_at(&self, now: Timestamp) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting
            .as_ref()
            .is_some_and(|waiting| waiting.session.is_valid_for(Duration::ZERO, now))
    }

    /// Drops it, because a newer session was stored.
    pub(super) fn clear(&self) {
        drop(self.set(None));
    }

    fn set(&self, waiting: Option<Box<Waiting>>) -> Option<Box<Waiting>> {
        let mut place = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut place, waiting)
    }
}

impl AuthManager {
    /// Whether a session that could not be stored waits in memory: it is lost with this process.
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
    /// Tries to store the unsaved session repeatedly for a while, in a task that a normal end of
    /// the process and `wait_idle` wait for. If that fails, each call of a caller tries it first, and
    /// returns the error.
    pub(super) fn save_later(self: &Arc<Self>) {
        let owned = Arc::clone(self);
        self.save_in_task(async move {
            for pause in PAUSES {
                sleep(pause).await;
                if owned.is_saved_now().await {
                    return;
                }
            }
        });
    }

    /// Tries to store the unsaved session until then, in such a task. An attempt that has begun by then
    /// goes on. Without such a session, or if a task tries already, it does nothing.
    pub(crate) fn save_until(self: &Arc<Self>, deadline: Instant) {
        let owned = Arc::clone(self);
        self.save_in_task(async move {
            let mut pause = FIRST_PAUSE;
            while !owned.is_saved_now().await && Instant::now() < deadline {
                sleep_until(deadline.min(Instant::now() + pause)).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        });
    }

    fn save_in_task(self: &Arc<Self>, saving: impl Future<Output = ()> + Send + 'static) {
        if !self.unsaved.is_waiting() || self.unsaved.is_tried.swap(true, Ordering::AcqRel) {
            return;
        }
        let owned = Arc::clone(self);
        let critical = engine::critical();
        let task = self.tasks.spawn(async move {
            saving.await;
            if owned.unsaved.is_waiting() {
                // From now on callers reach the store, and receive its error.
                owned.snapshot.set(None);
            }
            owned.unsaved.is_tried.store(false, Ordering::Release);
            drop(critical);
            Ok(())
        });
        if task.is_err() {
            self.unsaved.is_tried.store(false, Ordering::Release);
        }
        // The task goes on without its handle.
        drop(task);
    }

    /// Tries once to store the unsaved session, and returns whether none waits any more.
    async fn is_saved_now(self: &Arc<Self>) -> bool {
        if let Err(error) = self.save_waiting().await {
            tracing::debug!(%error, "a session still cannot be stored");
        }
        self.tell_observer();
        !self.unsaved.is_waiting()
    }

    async fn save_waiting(&self) -> Result<()> {
        let mut guard = self.foreign.lock_patiently().await?;
        let saved = self.save_waiting_locked(&mut guard).await;
        guard.release().await;
        if let Some(token) = saved? {
            let token = self.publish(token);
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
        let waiting = match self.unsaved.take_out(stored.as_ref()) {
            Taken::Successor(waiting) => waiting,
            Taken::SignedOut(waiting) => {
                self.revoke_unstored(&waiting).await;
                return Ok(stored);
            }
            Taken::Nothing => return Ok(stored),
        };
        if let Err(error) = guard.save(&waiting).await {
            self.unsaved.keep(waiting, stored);
            return Err(error);
        }
        Ok(Some(waiting))
    }
}
