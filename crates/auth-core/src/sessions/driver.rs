//! The one task that looks at all sessions of a process: what is due, and what leaves memory.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::inner::Inner;
use super::live::SHARDS;
use super::schedule::{Due, Work};
use super::telemetry;
use crate::admission::Room;
use crate::clock::{Timestamp, millis};
use crate::engine;
use crate::error::{Error, ErrorKind};
use crate::manager::Shared;
use crate::random;
use crate::token::OAuthToken;

/// How often the driver looks at the wall clock at least: its own timer stands still while the
/// computer sleeps.
const TICK: Duration = Duration::from_secs(30);

/// How long after its creation a session that no caller reads is read.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// So many sessions are looked at before other work gets the thread.
const BATCH: usize = 1000;

/// The shortest and longest time before another attempt after a failure for now.
const SHORTEST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The time before another attempt for a session whose access token has expired meanwhile.
const EXPIRED_RETRY: Duration = Duration::from_secs(300);

/// The time before another attempt after a failure that only the operator can correct.
const OPERATORS_TIME: Duration = Duration::from_secs(3600);

/// What to do with a session that is due.
enum Next {
    Do(Work),
    At(Timestamp),
    /// Only a sign-in helps, or it never expires.
    Leave,
}

impl Inner {
    /// The delay of the first look, spread so that many new sessions do not ask the store at once.
    pub(super) fn first_look(&self) -> i64 {
        millis(FIRST_LOOK.mul_f64(1.0 + random::fraction()))
    }

    /// When a session is to be refreshed; `None` if never.
    pub(super) fn next_due(&self, token: &OAuthToken, now: Timestamp) -> Option<Timestamp> {
        if token.refresh.is_none() || token.is_rejected() {
            return None;
        }
        let (stale, margin) = token.stale_at(self.times.ahead)?;
        // Later, never earlier: before that, a refresh would find the session good enough.
        let jitter = self.times.jitter.min(margin / 2);
        let due = stale.after(jitter.mul_f64(random::fraction()));
        let wait = token.asked_to_wait(now);
        Some(wait.map_or(due, |wait| due.max(now.after(wait))))
    }

    /// Starts the driver with the first session; it ends with the last [`Sessions`](super::Sessions).
    pub(super) fn start_driver(self: &Arc<Self>) {
        if self.has_driver.swap(true, Ordering::AcqRel) {
            return;
        }
        let (inner, wake) = (Arc::downgrade(self), Arc::clone(&self.wake));
        match engine::work() {
            Ok(engine) => drop(engine.spawn(drive(inner, wake))),
            Err(error) => {
                tracing::warn!(%error, "sessions are refreshed only when callers ask");
                self.has_driver.store(false, Ordering::Release);
            }
        }
    }

    /// Moves what is due to its server's queue, begins what may begin, and returns how long there is
    /// nothing to do.
    fn turn(self: &Arc<Self>) -> Duration {
        let now = self.clock.now();
        let mut looked_at = 0;
        while looked_at < BATCH {
            let Some(due) = self.schedule().pop(now.as_unix_millis()) else {
                break;
            };
            looked_at += 1;
            self.sort(due, now);
        }
        self.begin();
        if looked_at == BATCH {
            return Duration::ZERO;
        }
        let schedule = self.schedule();
        let next = schedule.next_at().map(Timestamp::from_unix_millis);
        let next = next.map_or(TICK, |next| next.since(now));
        let held = schedule
            .lanes()
            .filter_map(|lane| match self.gate.capacity(lane) {
                Room::For(_) => None,
                Room::After(wait) => Some(wait),
            });
        held.fold(next.min(TICK), Duration::min)
    }

    /// Decides what to do with a session whose time has come.
    fn sort(&self, due: Due<Shared>, now: Timestamp) {
        let Some(shared) = due.member.upgrade() else {
            return;
        };
        let Some(home) = self.home_of(&shared) else {
            return;
        };
        let account = shared.key().account();
        if !home.live.take(account, due.at) {
            return;
        }
        match self.decide(&shared, now) {
            Next::Do(work) => self.schedule().wait_for(work, due),
            Next::At(at) => self.put_back(&shared, Some(at)),
            Next::Leave => self.put_back(&shared, None),
        }
    }

    fn decide(&self, shared: &Shared, now: Timestamp) -> Next {
        let Some(token) = shared.known_token() else {
            return Next::Do(Work::Look);
        };
        let Some(due) = self.next_due(&token, now) else {
            return Next::Leave;
        };
        let is_stale = token
            .stale_at(self.times.ahead)
            .is_some_and(|(stale, _)| stale <= now);
        match shared.lane(&token) {
            Some(lane) if is_stale && token.asked_to_wait(now).is_none() => {
                Next::Do(Work::Refresh(lane))
            }
            _ => Next::At(due),
        }
    }

    fn put_back(&self, shared: &Arc<Shared>, at: Option<Timestamp>) {
        let Some(home) = self.home_of(shared) else {
            return;
        };
        let at = at.map(Timestamp::as_unix_millis);
        if home.live.put_back(shared.key().account(), at)
            && let Some(at) = at
        {
            self.queue(at, Arc::downgrade(shared));
        }
    }

    /// Begins the work whose turn it is.
    fn begin(self: &Arc<Self>) {
        if self.is_closed.load(Ordering::Acquire) {
            return;
        }
        loop {
            let begun = self.schedule().begin(|lane| self.gate.capacity(lane));
            let Some((work, due)) = begun else {
                return;
            };
            let Some(shared) = due.member.upgrade() else {
                self.schedule().end(work);
                continue;
            };
            // Made here, so that it ends even if the task never runs.
            let ended = EndOfWork(Arc::clone(self), work);
            let span = tracing::debug_span!(
                "refresh_ahead",
                provider = shared.key().provider(),
                account = shared.key().account()
            );
            let task = async move {
                ended.0.work(shared, &due, work).await;
            };
            match engine::work() {
                Ok(engine) => drop(engine.spawn(task.instrument(span))),
                // The task is dropped, and with it its turn.
                Err(error) => tracing::warn!(%error, "a session is not refreshed in time"),
            }
        }
    }

    async fn work(&self, shared: Arc<Shared>, due: &Due<Shared>, work: Work) {
        let known = shared.known_token();
        let outcome = match work {
            Work::Look => shared.look().await.map(|()| None),
            Work::Refresh(_) => {
                let late = self.now_ms().saturating_sub(due.at);
                self.counts.latest_ms.fetch_max(late, Ordering::Relaxed);
                telemetry::lag(shared.key().provider(), late);
                let refreshed = Arc::clone(&shared).refresh_ahead(self.times.ahead);
                refreshed.await.map(Some)
            }
        };
        let now = self.clock.now();
        let next = match &outcome {
            Ok(Some(token)) => self.after_refresh(token, now),
            Ok(None) => shared
                .known_token()
                .and_then(|token| self.next_due(&token, now)),
            Err(error) => self.after_failure(error, known.as_deref(), now),
        };
        self.put_back(&shared, next);
        // A sign-in meanwhile did not move a session that was taken.
        let newer = shared.known_token().filter(|token| {
            let known = known.as_ref();
            next.is_none() && known.is_none_or(|known| !known.has_same_tokens(token))
        });
        if let Some(at) = newer.and_then(|token| self.next_due(&token, now)) {
            self.put_back(&shared, Some(at));
        }
    }

    /// A token that is stale already, or a holder of an ended lease may still replace, is tried later.
    fn after_refresh(&self, token: &OAuthToken, now: Timestamp) -> Option<Timestamp> {
        let due = self.next_due(token, now)?;
        Some(if due > now {
            due
        } else {
            now.after(retry_in(token, now))
        })
    }

    fn after_failure(
        &self,
        error: &Error,
        known: Option<&OAuthToken>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        tracing::debug!(%error, "a session was not refreshed in time");
        let wait = match error.kind() {
            _ if error.is_verdict() => return None,
            ErrorKind::NotSignedIn | ErrorKind::Denied | ErrorKind::Expired => return None,
            _ if error.is_transient() => known.map_or(LONGEST_RETRY, |token| retry_in(token, now)),
            ErrorKind::Store | ErrorKind::System => LONGEST_RETRY,
            _ => OPERATORS_TIME,
        };
        let wait = wait.mul_f64(1.0 + random::fraction() / 4.0);
        Some(now.after(wait.max(error.retry_after().unwrap_or_default())))
    }

    /// Removes the sessions that were unused for long from memory.
    async fn sweep(&self) {
        let now = self.now_ms();
        let pause = (self.times.idle / 4).clamp(Duration::from_secs(1), Duration::from_secs(60));
        let last = self.last_sweep.load(Ordering::Relaxed);
        if now >= last && now.saturating_sub(last) < millis(pause) {
            return;
        }
        self.last_sweep.store(now, Ordering::Relaxed);
        let second = self.second();
        let idle = u32::try_from(self.times.idle.as_secs()).unwrap_or(u32::MAX);
        let Some(cutoff) = second.checked_sub(idle) else {
            return;
        };
        let mut evicted = 0;
        for home in &self.homes {
            for shard in 0..SHARDS {
                evicted += home.live.evict(shard, cutoff, second);
                tokio::task::yield_now().await;
            }
        }
        if evicted > 0 {
            self.schedule().purge();
            self.evicted(evicted);
        }
    }

    /// Waits until no work of the driver is in progress.
    pub(super) async fn finished(&self) {
        loop {
            let none_working = self.none_working.notified();
            if self.schedule().running() == 0 {
                return;
            }
            none_working.await;
        }
    }
}

/// One piece of work in progress, which ends even by a panic.
struct EndOfWork(Arc<Inner>, Work);

impl Drop for EndOfWork {
    fn drop(&mut self) {
        let is_last = {
            let mut schedule = self.0.schedule();
            schedule.end(self.1);
            schedule.running() == 0
        };
        self.0.wake.notify_one();
        if is_last {
            self.0.none_working.notify_waiters();
        }
    }
}

fn retry_in(token: &OAuthToken, now: Timestamp) -> Duration {
    let left = token.expires_in(now);
    if left.is_zero() {
        return EXPIRED_RETRY;
    }
    (left / 4).clamp(SHORTEST_RETRY, LONGEST_RETRY)
}

async fn drive(inner: Weak<Inner>, wake: Arc<Notify>) {
    loop {
        let Some(inner) = inner.upgrade() else {
            return;
        };
        if inner.is_closed.load(Ordering::Acquire) {
            return;
        }
        inner.sweep().await;
        let wait = inner.turn();
        drop(inner);
        // Woken or not, the next turn looks at everything.
        let _woken: Result<(), _> = timeout(wait, wake.notified()).await;
    }
}
