//! Refreshes in the background, so that no caller has to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::requirement::Requirement;
use super::shared::NEVER;
use super::{AuthManager, Shared};
use crate::clock::Timestamp;
use crate::engine::{self, AbortOnDrop};
use crate::random;
use crate::token::OAuthToken;

/// How long before the expiry a background refresh starts by default: 5 minutes.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(llm_auth_core::DEFAULT_EARLY_REFRESH_WINDOW, Duration::from_secs(300));
/// ```
// See decision 0016.
pub const DEFAULT_EARLY_REFRESH_WINDOW: Duration = Duration::from_secs(300);

/// The shortest time between two attempts.
const GAP: Duration = Duration::from_secs(60);

/// How often a keeper checks the wall clock: its own timer stands still while the computer sleeps.
const TICK: Duration = Duration::from_secs(30);

/// The longest random delay after a sleep, so that many computers do not ask at once.
const WAKE_JITTER: Duration = Duration::from_secs(10);

/// The schedule of background refreshes.
#[derive(Debug)]
pub(super) struct EarlyRefresh {
    window: Duration,
    /// In Unix milliseconds.
    last_try: AtomicI64,
}

impl EarlyRefresh {
    /// A window shortened at random by up to a fifth, so that processes that share a session, or
    /// machines that start together, do not refresh at the same moment. It is never shorter than
    /// the margin within which callers wait.
    pub(super) fn new(window: Duration, margin: Duration) -> Self {
        let shortened = window.mul_f64(1.0 - random::fraction() / 5.0);
        Self {
            window: shortened.max(margin),
            last_try: AtomicI64::new(NEVER),
        }
    }

    pub(super) fn window(&self) -> Duration {
        self.window
    }

    /// Whether enough time has passed since the last attempt; if so, this counts as one.
    fn take_turn(&self, now: Timestamp) -> bool {
        let turn = self
            .last_try
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                let last = Timestamp::from_unix_millis(last);
                // A clock that was set back does not extend the gap.
                let is_over = now < last || now.since(last) >= GAP;
                is_over.then(|| now.as_unix_millis())
            });
        turn.is_ok()
    }

    /// Counts a refresh that callers wait for as an attempt too.
    pub(super) fn tried(&self, now: Timestamp) {
        self.last_try.store(now.as_unix_millis(), Ordering::Relaxed);
    }
}

/// Keeps a session fresh for as long as this value lives, even if no caller asks for a token.
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
/// let keeper = manager.keep_fresh();
/// // ... serve requests ...
/// drop(keeper);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the session is kept fresh only as long as this lives"]
pub struct SessionKeeper {
    _task: Option<AbortOnDrop<()>>,
}

impl AuthManager {
    /// Keeps the session fresh in the background: a refresh starts in the advisory window, at most
    /// once a minute, also after the computer slept. If another process signs in later, the keeper
    /// finds that session within half a minute. It reports a failure to [`watch`](Self::watch) and
    /// retries.
    ///
    /// Optional: [`token`](Self::token) already refreshes in the background. It needs no runtime.
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
    /// let _keeper = manager.keep_fresh();
    /// // ... serve requests: `token()` finds a fresh session ...
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep_fresh(&self) -> SessionKeeper {
        let shared = Arc::clone(&self.shared);
        let engine = engine::work().inspect_err(|error| {
            tracing::warn!(%error, "the session is not kept fresh");
        });
        SessionKeeper {
            _task: engine
                .ok()
                .map(|engine| AbortOnDrop::spawn(&engine, shared.keep_fresh())),
        }
    }
}

impl Shared {
    /// Starts a refresh that no caller waits for, unless the last attempt was a moment ago. Its
    /// failure is not returned, because the callers' token is still valid.
    #[cold]
    pub(super) fn refresh_in_background(self: &Arc<Self>) {
        let now = self.now();
        if self.early_refresh.take_turn(now) {
            let requirement = Requirement::fresh_for(self.early_refresh.window(), now);
            // The flight goes on without its receiver.
            drop(self.join(&requirement));
        }
    }

    async fn keep_fresh(self: Arc<Self>) {
        let mut last_look = self.now();
        loop {
            if self.known().is_none() {
                // Another process may have signed in.
                let _none_yet = self.read().await;
            }
            sleep(TICK.min(self.until_due())).await;
            let now = self.now();
            if now.since(last_look) > TICK * 2 {
                sleep(WAKE_JITTER.mul_f64(random::fraction())).await;
            }
            last_look = now;
            if self.until_due().is_zero() && self.early_refresh.take_turn(now) {
                let requirement = Requirement::fresh_for(self.early_refresh.window(), now);
                // The watchers receive the failure.
                let _told = self.join(&requirement).await;
            }
            // Never a busy loop, at any time of the clock.
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// How long until the known session needs a refresh; one tick without a session.
    fn until_due(&self) -> Duration {
        match self.known() {
            Some(token) => self.due_in(&token, self.now()),
            None => TICK,
        }
    }

    /// The known session, unless only a new sign-in helps.
    fn known(&self) -> Option<Arc<OAuthToken>> {
        self.snapshot.get().filter(|token| !token.is_rejected())
    }

    fn due_in(&self, token: &OAuthToken, now: Timestamp) -> Duration {
        if !token.is_fresh_for(self.early_refresh.window(), now) {
            return Duration::ZERO;
        }
        token
            .expires_in(now)
            .saturating_sub(self.early_refresh.window())
    }
}
