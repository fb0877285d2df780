//! The end of many sessions: what was begun is finished, and what waits in memory is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::inner::Inner;
use super::live::SHARDS;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::manager::Shared;

/// The pause between two looks at what waits in memory; it is stored meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

impl Inner {
    /// Lets nothing begin any more, and waits until everything has ended and is stored.
    pub(super) async fn end(self: Arc<Self>, within: Duration) -> Result<()> {
        self.is_closed.store(true, Ordering::Release);
        self.gate.close();
        self.wake.notify_one();
        let deadline = clock::deadline(within);
        let ended = timeout_at(deadline, self.all_stored(deadline))
            .await
            .is_ok();
        match self.unsaved().len() {
            _ if self.gate.running() > 0 => Err(self.in_progress()),
            0 if ended => Ok(()),
            0 => Err(self.in_progress()),
            unsaved => Err(not_stored(unsaved)),
        }
    }

    fn in_progress(&self) -> Error {
        let message = format!(
            "{} refreshes are still in progress; wait longer",
            self.gate.running().max(1)
        );
        Error::new(ErrorKind::Transient, message)
    }

    /// Waits until everything has ended and is stored. What waits in memory is tried until the
    /// deadline, whether or not something else hangs.
    async fn all_stored(&self, deadline: Instant) {
        loop {
            for member in self.unsaved() {
                member.save_until(deadline);
            }
            self.gate.idle().await;
            self.finished().await;
            for member in self.members() {
                member.idle().await;
            }
            if self.unsaved().is_empty() {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    fn unsaved(&self) -> Vec<Arc<Shared>> {
        let members = self.members();
        members.filter(|member| member.is_unsaved()).collect()
    }

    fn members(&self) -> impl Iterator<Item = Arc<Shared>> {
        let homes = self.homes.iter();
        homes.flat_map(|home| (0..SHARDS).flat_map(|shard| home.live.members(shard)))
    }
}

fn not_stored(count: usize) -> Error {
    let which = match count {
        1 => "1 session could not be stored, and is".to_owned(),
        count => format!("{count} sessions could not be stored, and are"),
    };
    let message = format!("{which} only in memory: call `shutdown` again once the store is back");
    Error::new(ErrorKind::Store, message)
}

#[cfg(test)]
mod tests {
    use super::super::Sessions;
    use super::*;
    use crate::oauth::OAuthConfig;
    use crate::session::SessionKey;
    use crate::store::away::Away;
    use crate::store::{MemoryTokenStore, TokenStore as _};
    use crate::token::OAuthToken;
    use crate::{ProviderSpec as _, SecureUrl};

    /// Sessions of which one waits in memory because the store is away for so many locks, and its
    /// repeated attempts have ended.
    fn unsaved(locks: u32) -> (Sessions, Away, SessionKey) {
        let store = Away::new(locks, MemoryTokenStore::new());
        let server = SecureUrl::known("https://auth.example/token");
        let sessions = Sessions::builder()
            .provider(OAuthConfig::new("example", server).provider())
            .store(store.clone())
            .build()
            .unwrap();
        let key = SessionKey::new("example", "one");
        let manager = sessions.get(&key).unwrap();
        let token = OAuthToken::new("made-up".into(), None);
        manager.shared().keep_unsaved(Some(token));
        (sessions, store, key)
    }

    #[tokio::test]
    async fn a_shutdown_stores_what_waits_in_memory_once_the_store_is_back() {
        let (sessions, store, key) = unsaved(2);
        sessions.shutdown(Duration::from_secs(60)).await.unwrap();
        let stored = store.load(&key).await.unwrap().unwrap();
        assert_eq!(stored.access.expose(), "made-up");
    }

    #[tokio::test]
    async fn a_shutdown_that_cannot_store_a_session_returns_that_and_another_tries_again() {
        let (sessions, store, key) = unsaved(u32::MAX);
        let error = sessions.shutdown(Duration::from_millis(150)).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{error}");
        assert!(error.to_string().contains("1 sessions"), "{error}");
        store.come_back();
        sessions.shutdown(Duration::from_secs(60)).await.unwrap();
        assert!(store.load(&key).await.unwrap().is_some());
    }
}
