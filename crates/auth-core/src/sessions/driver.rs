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

/// A token that is due again so soon after its refresh is none to keep fresh.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// The time before another attempt for a session whose access token has expired meanwhile.
const EXPIRED_RETRY: Duration = Duration::from_secs(300);

/// The time before another attempt after a failure that only the operator can correct.
const OPERATORS_TIME: Duration = Duration::from_secs(3600);

/// What to do with a session that is due.
enum Next {
    /// And since when.
    Do(Work, i64),
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
        if self.is_closed.load(Ordering::Acquire) || !self.has_driver.take() {
            return;
        }
        self.queue_again();
        let (inner, wake) = (Arc::downgrade(self), Arc::clone(&self.wake));
        match engine::work() {
            Ok(engine) => drop(engine.spawn(drive(inner, wake))),
            Err(error) => {
                tracing::warn!(%error, "sessions are refreshed only when callers ask");
                self.has_driver.give_back();
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
        if !home.live.take(&shared, due.at) {
            return;
        }
        match self.decide(&shared, now) {
            Next::Do(work, since) => {
                // The time of a first look says nothing about a refresh.
                let at = due.at.max(since);
                self.schedule().wait_for(work, Due { at, ..due });
            }
            Next::At(at) => self.put_back(&shared, Some(at)),
            Next::Leave => self.put_back(&shared, None),
        }
    }

    fn decide(&self, shared: &Shared, now: Timestamp) -> Next {
        let Some(token) = shared.known_token() else {
            return Next::Do(Work::Look, i64::MIN);
        };
        let Some(due) = self.next_due(&token, now) else {
            return Next::Leave;
        };
        let stale = token.stale_at(self.times.ahead).map(|(stale, _)| stale);
        let stale = stale.filter(|stale| *stale <= now && token.asked_to_wait(now).is_none());
        match shared.lane(&token).zip(stale) {
            Some((lane, stale)) => Next::Do(Work::Refresh(lane), stale.as_unix_millis()),
            None => Next::At(due),
        }
    }

    pub(super) fn put_back(&self, shared: &Arc<Shared>, at: Option<Timestamp>) {
        let Some(home) = self.home_of(shared) else {
            return;
        };
        let at = at.map(Timestamp::as_unix_millis);
        if home.live.put_back(shared, at)
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
            Ok(Some(token)) => self.after_refresh(token, known.as_deref(), now),
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

    /// If no token came that lives for a while, it is tried later: the server issues none, or a holder of
    /// an ended lease may still bring one.
    fn after_refresh(
        &self,
        token: &OAuthToken,
        known: Option<&OAuthToken>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let due = self.next_due(token, now)?;
        let is_new = known.is_none_or(|known| !known.has_same_tokens(token));
        let obtained_at = token.metadata.refreshed_at.unwrap_or(now);
        Some(
            if due > now || is_new && due > obtained_at.after(SHORTEST_LIFE) {
                due
            } else {
                now.after(retry_in(token, now))
            },
        )
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
        let mut has_evicted = false;
        for home in &self.homes {
            for shard in 0..SHARDS {
                let evicted = home.live.evict(shard, cutoff, second);
                if !evicted.is_empty() {
                    has_evicted = true;
                    self.evicted(evicted.len());
                }
                drop(evicted);
                tokio::task::yield_now().await;
            }
        }
        if has_evicted {
            self.schedule().purge();
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Sessions;
    use super::*;
    use crate::oauth::OAuthConfig;
    use crate::{ProviderSpec as _, SecureUrl};

    const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

    fn sessions(jitter: u64) -> Sessions {
        let server = SecureUrl::known("https://auth.example/token");
        let provider = OAuthConfig::new("example", server).provider();
        let builder = Sessions::builder().provider(provider);
        let builder = builder.jitter(Duration::from_secs(jitter));
        builder.build().unwrap()
    }

    fn token(life: u64) -> OAuthToken {
        let end = NOW.after(Duration::from_secs(life));
        let mut token = OAuthToken::new("made-up".into(), end);
        token.refresh = Some("made-up-refresh".into());
        token.metadata.refreshed_at = Some(NOW);
        token
    }

    fn due_times(jitter: u64, life: u64) -> BTreeSet<i64> {
        let sessions = sessions(jitter);
        let due = |_| sessions.inner.next_due(&token(life), NOW);
        let due = (0..200).filter_map(due).map(|at| at.as_unix_millis());
        due.map(|at| at - NOW.as_unix_millis()).collect()
    }

    #[test]
    fn sessions_that_began_together_are_refreshed_at_different_times() {
        let due = due_times(60, 3600);
        assert!(due.len() > 100, "{} times", due.len());
        assert!(*due.first().unwrap() >= 3_300_000);
        assert!(*due.last().unwrap() < 3_360_000);
        assert_eq!(due_times(0, 3600), BTreeSet::from([3_300_000]));
    }

    #[test]
    fn short_lived_tokens_are_refreshed_after_half_of_their_life_and_before_its_end() {
        let due = due_times(600, 100);
        assert!(*due.first().unwrap() >= 50_000);
        assert!(*due.last().unwrap() < 75_000);
    }

    #[test]
    fn a_session_that_cannot_be_refreshed_is_never_due_and_one_that_was_asked_to_wait_is_later() {
        let sessions = sessions(0);
        let due = |token: &OAuthToken| sessions.inner.next_due(token, NOW);
        let mut without = token(3600);
        without.refresh = None;
        assert_eq!(due(&without), None);
        let mut endless = token(3600);
        endless.expires_at = None;
        assert_eq!(due(&endless), None);
        let mut rejected = token(3600);
        rejected.metadata.rejected = rejected.record(NOW, None);
        assert_eq!(due(&rejected), None);
        let mut waiting = token(3600);
        waiting.metadata.last_failure = waiting.record(NOW, None).map(|mut record| {
            record.until = Some(NOW.after(Duration::from_secs(5000)));
            record
        });
        assert_eq!(due(&waiting), Some(NOW.after(Duration::from_secs(5000))));
    }

    #[test]
    fn a_server_whose_tokens_are_dead_on_arrival_is_not_asked_again_at_once() {
        let sessions = sessions(0);
        let due = sessions.inner.after_refresh(&token(0), None, NOW);
        assert_eq!(due, Some(NOW.after(EXPIRED_RETRY)));
        let late = NOW.after(Duration::from_secs(80));
        let due = sessions.inner.after_refresh(&token(100), None, late);
        assert_eq!(due, Some(NOW.after(Duration::from_secs(50))), "it was late");
    }

    #[test]
    fn only_a_session_that_a_sign_in_must_bring_back_leaves_the_queue() {
        let sessions = sessions(0);
        let after = |kind, verdict| {
            let error = Error::new(kind, "made-up trouble").with_verdict(verdict);
            let at = sessions
                .inner
                .after_failure(&error, Some(&token(3600)), NOW);
            at.map(|at| at.since(NOW))
        };
        assert_eq!(after(ErrorKind::RefreshRejected, true), None);
        assert_eq!(after(ErrorKind::NotSignedIn, true), None);
        for (kind, least) in [
            (ErrorKind::RefreshRejected, OPERATORS_TIME),
            (ErrorKind::Config, OPERATORS_TIME),
            (ErrorKind::Transient, LONGEST_RETRY),
            (ErrorKind::Store, LONGEST_RETRY),
        ] {
            let wait = after(kind, false).unwrap();
            assert!(wait >= least && wait <= least * 5 / 4, "{kind:?}: {wait:?}");
        }
    }
}
