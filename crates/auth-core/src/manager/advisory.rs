//! The advisory window: renewals beside the traffic, before anybody has to wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::demand::Demand;
use super::{AuthManager, Shared};
use crate::clock::Timestamp;
use crate::random;

/// How long before the expiry a renewal is tried beside the traffic, unless it is set: 5 minutes.
pub const DEFAULT_ADVISORY_WINDOW: Duration = Duration::from_secs(300);

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
    last_try: Mutex<Option<Instant>>,
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
    fn take_turn(&self) -> bool {
        let mut last = self.last_try.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if last.is_some_and(|last| now.duration_since(last) < GAP) {
            return false;
        }
        *last = Some(now);
        true
    }

    /// A renewal that callers wait for is a try as well.
    pub(super) fn tried(&self) {
        let mut last = self.last_try.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Instant::now());
    }
}

/// Renews a session in time as long as it lives, whether anybody asks for it or not.
#[derive(Debug)]
#[must_use = "the session is kept fresh only as long as this lives"]
pub struct SessionKeeper {
    task: JoinHandle<()>,
}

impl Drop for SessionKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl AuthManager {
    /// Keeps the session fresh in the background: a renewal begins in the advisory window, at
    /// most once a minute, also after the computer slept. A failure is told to
    /// [`watch`](Self::watch) and tried again.
    ///
    /// Nobody need do this: [`token`](Self::token) renews beside the traffic by itself.
    pub fn keep_fresh(&self) -> SessionKeeper {
        let shared = Arc::clone(&self.shared);
        SessionKeeper {
            task: tokio::spawn(async move { shared.keep_fresh().await }),
        }
    }
}

impl Shared {
    /// Begins a renewal that nobody waits for, unless one was tried a moment ago. A failure is
    /// swallowed: the token that callers have is good.
    pub(super) fn renew_beside(self: &Arc<Self>) {
        if self.advisory.take_turn() {
            let demand = Demand::fresh_for(self.advisory.window(), self.clock.now());
            // The flight goes on by itself.
            drop(self.fly(&demand));
        }
    }

    async fn keep_fresh(self: Arc<Self>) {
        let mut last_look = self.clock.now();
        loop {
            sleep(TICK.min(self.until_due())).await;
            let now = self.clock.now();
            if now.since(last_look) > TICK * 2 {
                sleep(WAKE_JITTER.mul_f64(random::fraction())).await;
            }
            last_look = now;
            if self.until_due().is_zero() && self.advisory.take_turn() {
                let demand = Demand::fresh_for(self.advisory.window(), self.clock.now());
                // Whoever watches has been told.
                let _told = self.fly(&demand).await;
            }
            // Not in a loop without a pause, whatever the clock says.
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// How long until the session that is known needs a renewal; a tick if none is known.
    fn until_due(&self) -> Duration {
        match self.snapshot.get() {
            Some(token) => self.due_in(&token, self.clock.now()),
            None => TICK,
        }
    }

    fn due_in(&self, token: &crate::token::OAuthToken, now: Timestamp) -> Duration {
        if !token.is_fresh_for(self.advisory.window(), now) {
            return Duration::ZERO;
        }
        token.expires_in(now).saturating_sub(self.advisory.window())
    }
}
