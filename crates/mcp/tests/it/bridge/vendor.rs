//! The authorization server of a test: it refreshes without a network.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::server::LIMIT;
use std::time::Duration;

use llm_auth_mcp::{
    AuthManager, AuthProvider, Clock as _, Error, ErrorKind, FileTokenStore, OAuthToken, Result,
    SystemClock, Timestamp, UserPrompt, async_trait,
};

/// Refreshes `made-up-access-1` to `made-up-access-2` and so on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vendor(Arc<State>);

#[derive(Debug, Default)]
struct State {
    refreshes: AtomicUsize,
    refuses: AtomicBool,
    /// Refreshes wait for `released`, and notify `began`.
    hangs: AtomicBool,
    began: Notify,
    released: Notify,
}

impl Vendor {
    pub(crate) fn refreshes(&self) -> usize {
        self.0.refreshes.load(Ordering::SeqCst)
    }

    /// Rejects refresh tokens from now on.
    pub(crate) fn refuse(&self) {
        self.0.refuses.store(true, Ordering::SeqCst);
    }

    /// Leaves refreshes without a response until [`release`](Self::release).
    pub(crate) fn hang(&self) {
        self.0.hangs.store(true, Ordering::SeqCst);
    }

    /// Waits until a refresh hangs.
    pub(crate) async fn hung(&self) {
        timeout(LIMIT, self.0.began.notified()).await.unwrap();
    }

    pub(crate) fn release(&self) {
        self.0.released.notify_one();
    }

    /// A manager as another process has it: only the file is shared.
    pub(crate) fn manager(&self, directory: &Path) -> AuthManager {
        AuthManager::builder(self.clone())
            .store(FileTokenStore::file(directory.join("session.json")))
            .build()
    }

    /// A manager with a session in the file.
    pub(crate) async fn signed_in(&self, directory: &Path) -> AuthManager {
        let manager = self.manager(directory);
        manager
            .insert_session(session("made-up-access-1"))
            .await
            .unwrap();
        manager
    }
}

/// A session that lives for an hour.
pub(crate) fn session(access: &str) -> OAuthToken {
    let mut session = OAuthToken::new(access.into(), in_an_hour());
    session.refresh = Some("made-up-refresh".into());
    session
}

fn in_an_hour() -> Timestamp {
    SystemClock.now().after(Duration::from_secs(3600))
}

#[async_trait]
impl AuthProvider for Vendor {
    fn name(&self) -> &str {
        "made-up"
    }

    async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        panic!("a bridge signs no user in")
    }

    async fn refresh(&self, _current: &OAuthToken) -> Result<OAuthToken> {
        let before = self.0.refreshes.fetch_add(1, Ordering::SeqCst);
        if self.0.hangs.load(Ordering::SeqCst) {
            self.0.began.notify_one();
            self.0.released.notified().await;
        }
        if self.0.refuses.load(Ordering::SeqCst) {
            return Err(Error::new(
                ErrorKind::RefreshRejected,
                "the session is over",
            ));
        }
        Ok(session(&format!("made-up-access-{}", before + 2)))
    }
}
