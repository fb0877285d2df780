//! Refreshes in the background, before any caller has to wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::requirement::Requirement;
use super::{AuthManager, Shared};
use crate::clock::Timestamp;
use crate::engine::{self, AbortOnDrop};
use crate::random;
use crate::token::OAuthToken;

/// How long before the expiry a refresh is tried in the background, unless it is set: 5 minutes.
pub const DEFAULT_EARLY_REFRESH_WINDOW: Duration = Duration::from_secs(300);

/// The least time between two tries.
const GAP: Duration = Duration::from_secs(60);

/// How often a keeper looks at the wall clock: its own clock stands still while the computer
/// sleeps.
const TICK: Duration = Duration::from_secs(30);

/// How long after a sleep a keeper may wait, so that many computers do not all ask at once.
const WAKE_JITTER: Duration = Duration::from_secs(10);

/// When to try.
#[derive(Debug)]
pub(super) struct Advisory {
    window: Duration,
    last_try: Mutex<Option<Timestamp>>,
}

impl Advisory {
    /// A window shortened by up to a fifth at random, so that processes which share a session,
    /// or machines that were started together, do not try at the same moment; never shorter than
    /// the margin within which callers wait.
    pub(super) fn new(window: Duration, margin: Duration) -> Self {
        let shortened = window.mul_f64(1.0 - random::fraction() / 5.0);
        Self {
            window: shortened.max(margin),
            last_try: Mutex::new(None),
        }
    }

    pub(super) fn window(&self) -> Duration {
        self.window
    }

    /// Whether the gap since the last try is over; if so, this is a try.
    fn take_turn(&self, now: Timestamp) -> bool {
        let mut last = self.last_try.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back does not make the gap longer.
        if last.is_some_and(|last| last <= now && now.since(last) < GAP) {
            return false;
        }
        *last = Some(now);
        true
    }

    /// A refresh that callers wait for is a try as well.
    pub(super) fn tried(&self, now: Timestamp) {
        let mut last = self.last_try.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(now);
    }
}

/// Refreshes a session in time as long as it lives, whether or not it is asked for.
#[derive(Debug)]
#[must_use = "the session is kept fresh only as long as this lives"]
pub struct SessionKeeper {
    _task: Option<AbortOnDrop<()>>,
}

impl AuthManager {
    /// Keeps the session fresh in the background: a refresh begins in the advisory window, at
    /// most once a minute, also after the computer slept. A session that another process signs in
    /// to later is found within half a minute. A failure is reported to [`watch`](Self::watch)
    /// and tried again.
    ///
    /// Most programs do not need it: [`token`](Self::token) refreshes in the background by
    /// itself. No runtime is needed.
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
    /// Begins a refresh that no caller waits for, unless one was tried a moment ago. A failure is
    /// swallowed: the token that callers have is good.
    #[cold]
    pub(super) fn refresh_in_background(self: &Arc<Self>) {
        let now = self.clock.now();
        if self.advisory.take_turn(now) {
            let requirement = Requirement::fresh_for(self.advisory.window(), now);
            // The flight goes on by itself.
            drop(self.join(&requirement));
        }
    }

    async fn keep_fresh(self: Arc<Self>) {
        let mut last_look = self.clock.now();
        loop {
            if self.known().is_none() {
                // Another process may have signed in.
                let _none_yet = self.read().await;
            }
            sleep(TICK.min(self.until_due())).await;
            let now = self.clock.now();
            if now.since(last_look) > TICK * 2 {
                sleep(WAKE_JITTER.mul_f64(random::fraction())).await;
            }
            last_look = now;
            if self.until_due().is_zero() && self.advisory.take_turn(now) {
                let requirement = Requirement::fresh_for(self.advisory.window(), now);
                // The watchers are told of a failure.
                let _told = self.join(&requirement).await;
            }
            // Not in a loop without a pause, whatever the clock says.
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// How long until the session that is known needs a refresh; a tick if none is known.
    fn until_due(&self) -> Duration {
        match self.known() {
            Some(token) => self.due_in(&token, self.clock.now()),
            None => TICK,
        }
    }

    /// The session that is known, unless only a new sign-in helps.
    fn known(&self) -> Option<Arc<OAuthToken>> {
        self.snapshot.get().filter(|token| !token.is_refused())
    }

    fn due_in(&self, token: &OAuthToken, now: Timestamp) -> Duration {
        if !token.is_fresh_for(self.advisory.window(), now) {
            return Duration::ZERO;
        }
        token.expires_in(now).saturating_sub(self.advisory.window())
    }
}
