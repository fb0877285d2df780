//! The attempts to store a session that waits in memory, which no caller waits for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Shared;
use crate::engine;
use crate::random;

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

/// The pause between the attempts after that.
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// The pause after an attempt of the end of all sessions; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Shared {
    /// Tries to store the unsaved session repeatedly for a while, in a task that a normal end of
    /// the process and `wait_idle` wait for. If that fails, each call of a caller tries it first, and
    /// returns the error, and another task tries it once a minute.
    pub(super) fn save_later(self: &Arc<Self>) {
        let owned = Arc::clone(self);
        self.save_in_task(async move {
            for pause in PAUSES {
                sleep(in_tests(pause)).await;
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
        if !self.unsaved.is_waiting() || !self.unsaved.is_tried.take() {
            return;
        }
        let owned = Arc::clone(self);
        let critical = engine::critical();
        let task = self.tasks.spawn(async move {
            saving.await;
            owned.unsaved.is_tried.give_back();
            if owned.unsaved.is_waiting() {
                // From now on callers reach the store, and receive its error.
                owned.snapshot.set(None);
                owned.save_once_a_minute();
            }
            drop(critical);
            Ok(())
        });
        if task.is_err() {
            self.unsaved.is_tried.give_back();
        }
        // The task goes on without its handle.
        drop(task);
    }

    /// Tries to store the unsaved session for as long as the process lives, even if no caller has the
    /// manager any more.
    fn save_once_a_minute(self: &Arc<Self>) {
        if !self.unsaved.is_tried_again.take() {
            return;
        }
        let owned = Arc::clone(self);
        let task = async move {
            while owned.unsaved.is_waiting() {
                let pause = LONG_PAUSE.mul_f64(1.0 + random::fraction() / 4.0);
                sleep(in_tests(pause)).await;
                let shared = Arc::clone(&owned);
                // One attempt, which the end of the process waits for.
                let attempt = owned.tasks.spawn(async move {
                    let critical = engine::critical();
                    shared.is_saved_now().await;
                    drop(critical);
                    Ok(())
                });
                if let Ok(attempt) = attempt {
                    drop(attempt.await);
                }
            }
            owned.unsaved.is_tried_again.give_back();
        };
        match engine::work() {
            Ok(engine) => drop(engine.spawn(task)),
            Err(error) => {
                tracing::debug!(%error, "a session is stored only when callers ask");
                self.unsaved.is_tried_again.give_back();
            }
        }
    }

    /// Tries once to store the unsaved session, and returns whether none waits any more.
    async fn is_saved_now(self: &Arc<Self>) -> bool {
        if self.unsaved.is_waiting()
            && let Err(error) = self.save_waiting().await
        {
            tracing::debug!(%error, "a session still cannot be stored");
        }
        self.tell_observer();
        !self.unsaved.is_waiting()
    }
}

/// The tests of this module do not wait for a minute.
fn in_tests(pause: Duration) -> Duration {
    if cfg!(test) { pause / 1000 } else { pause }
}

#[cfg(test)]
mod tests {
    use crate::oauth::OAuthConfig;
    use crate::session::SessionKey;
    use crate::store::away::Away;
    use crate::store::{MemoryTokenStore, TokenStore as _};
    use crate::token::OAuthToken;
    use crate::{AuthManager, ProviderSpec as _, SecureUrl, SessionChange};

    /// A manager with a stored session, and its successor in memory because the store is away for so
    /// many locks.
    async fn unsaved(locks: u32) -> (AuthManager, MemoryTokenStore) {
        let key = SessionKey::new("example", "default");
        let memory = MemoryTokenStore::new();
        let token = |access: &str| OAuthToken::new(access.into(), None);
        let mut guard = memory.lock(&key).await.unwrap();
        guard.save(&token("made-up-1")).await.unwrap();
        guard.release().await;
        let server = SecureUrl::known("https://auth.example/token");
        let manager = AuthManager::builder(OAuthConfig::new("example", server).provider())
            .store(Away::new(locks, memory.clone()))
            .build();
        let unsaved = &manager.shared().unsaved;
        unsaved.keep(token("made-up-2"), Some(token("made-up-1")));
        (manager, memory)
    }

    #[tokio::test]
    async fn a_session_is_stored_by_itself_however_long_the_store_was_away() {
        let (manager, memory) = unsaved(12).await;
        let mut watch = manager.watch();
        manager.shared().save_later();
        // No caller has it any more.
        drop(manager);
        let change = watch.changed().await;
        assert!(
            matches!(change, Some(SessionChange::Refreshed(_))),
            "{change:?}"
        );
        let stored = memory.load(&SessionKey::new("example", "default")).await;
        assert_eq!(stored.unwrap().unwrap().access.expose(), "made-up-2");
    }

    #[tokio::test]
    async fn a_look_at_the_store_does_not_bring_back_a_session_whose_successor_waits() {
        let (manager, _) = unsaved(0).await;
        let stored = manager.load().await.unwrap().unwrap();
        assert_eq!(stored.access.expose(), "made-up-1");
        assert_eq!(manager.with_fresh(|_| ()), None);
        let token = manager.token().await.unwrap();
        assert_eq!(token.access.expose(), "made-up-2");
        assert!(!manager.has_unsaved());
    }
}
