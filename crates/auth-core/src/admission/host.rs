//! One server: how many requests it gets at once, and when it gets none.

use std::time::Duration;

use super::verdict::Verdict;
use crate::clock::Timestamp;

/// So many failures in a row close a server.
const FAILURES: u32 = 3;

/// How long a server stays closed at first; twice as long each time that it does not recover.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What is known of one server.
#[derive(Debug)]
pub(super) struct Host {
    /// The requests in progress.
    pub(super) running: u32,
    /// How many may be in progress at once: it grows by one for as many successes, and is halved by
    /// a failure.
    allowed: u32,
    /// Successes since `allowed` grew.
    successes: u32,
    /// Failures since the last success.
    failures: u32,
    /// How often it was closed since the last success: if it was, one request at a time is a probe.
    closings: u32,
    hold: Option<Hold>,
    /// Changes when it is closed: the outcome of a request that began before is old news.
    epoch: u32,
    last_success: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    since: Timestamp,
    length: Duration,
}

impl Hold {
    /// A clock that was set back ends it: no hold lasts longer because of that.
    fn left(self, now: Timestamp) -> Duration {
        if now < self.since {
            return Duration::ZERO;
        }
        self.length.saturating_sub(now.since(self.since))
    }
}

impl Host {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            running: 0,
            allowed: limit,
            successes: 0,
            failures: 0,
            closings: 0,
            hold: None,
            epoch: 0,
            last_success: None,
        }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How long it stays closed; zero if it is open.
    pub(super) fn held_for(&self, now: Timestamp) -> Duration {
        self.hold.map_or(Duration::ZERO, |hold| hold.left(now))
    }

    /// How many requests may be in progress once it is open.
    pub(super) fn allowed(&self) -> u32 {
        if self.closings > 0 { 1 } else { self.allowed }
    }

    /// Counts an outcome. `began` is the epoch in which the request was sent, `failed_before` the last
    /// failure of the same session.
    pub(super) fn report(
        &mut self,
        verdict: Verdict,
        began: u32,
        failed_before: Option<Timestamp>,
        limit: u32,
        now: Timestamp,
        fraction: f64,
    ) {
        match verdict {
            Verdict::Nothing => {}
            Verdict::Responds => self.succeeded(began, limit, now),
            Verdict::Fails { wait } => {
                // Other sessions succeeded since this one failed: the trouble is its own.
                let is_its_own = failed_before
                    .zip(self.last_success)
                    .is_some_and(|(failed, succeeded)| failed < succeeded);
                if began == self.epoch && !is_its_own {
                    self.failed(wait, now, fraction);
                }
            }
        }
    }

    fn succeeded(&mut self, began: u32, limit: u32, now: Timestamp) {
        self.last_success = Some(now);
        if began != self.epoch {
            return;
        }
        self.failures = 0;
        if self.closings > 0 {
            self.closings = 0;
            self.hold = None;
            self.allowed = 1;
            self.successes = 0;
        }
        self.successes += 1;
        if self.successes >= self.allowed {
            self.allowed = self.allowed.saturating_add(1).min(limit);
            self.successes = 0;
        }
    }

    fn failed(&mut self, wait: Option<Duration>, now: Timestamp, fraction: f64) {
        self.failures += 1;
        self.allowed = (self.allowed / 2).max(1);
        self.successes = 0;
        if self.closings == 0 && self.failures < FAILURES && wait.is_none() {
            return;
        }
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.closings));
        let pause = pause.min(LONGEST_PAUSE).mul_f64(0.75 + fraction / 2.0);
        self.closings += 1;
        self.epoch = self.epoch.wrapping_add(1);
        self.hold = Some(Hold {
            since: now,
            length: wait.map_or(pause, |wait| wait.max(pause)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u32 = 8;
    const FAILS: Verdict = Verdict::Fails { wait: None };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    fn report(host: &mut Host, verdict: Verdict, now: i64) {
        host.report(verdict, host.epoch(), None, LIMIT, at(now), 0.5);
    }

    fn closed(now: i64) -> Host {
        let mut host = Host::new(LIMIT);
        for _ in 0..FAILURES {
            report(&mut host, FAILS, now);
        }
        host
    }

    #[test]
    fn failures_in_a_row_close_a_server_and_single_ones_do_not() {
        let mut host = Host::new(LIMIT);
        for _ in 0..10 {
            report(&mut host, FAILS, 100);
            report(&mut host, FAILS, 100);
            report(&mut host, Verdict::Responds, 100);
        }
        assert_eq!(host.held_for(at(100)), Duration::ZERO);
        assert_eq!(closed(100).held_for(at(100)), FIRST_PAUSE);
    }

    #[test]
    fn a_server_that_does_not_recover_gets_one_probe_after_ever_longer_pauses() {
        let mut host = closed(100);
        let mut pauses = Vec::new();
        let mut now = 100;
        for _ in 0..8 {
            let pause = host.held_for(at(now)).as_secs();
            pauses.push(pause);
            now += i64::try_from(pause).unwrap();
            assert_eq!(host.held_for(at(now)), Duration::ZERO);
            assert_eq!(host.allowed(), 1);
            report(&mut host, FAILS, now);
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_server_that_recovers_gets_a_few_more_requests_at_a_time() {
        let mut host = closed(100);
        let mut allowed = Vec::new();
        for _ in 0..12 {
            report(&mut host, Verdict::Responds, 105);
            allowed.push(host.allowed());
        }
        assert_eq!(allowed, [2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5]);
        for _ in 0..100 {
            report(&mut host, Verdict::Responds, 105);
        }
        assert_eq!(host.allowed(), LIMIT);
    }

    #[test]
    fn one_failure_after_the_recovery_does_not_close_it_again_but_slows_it() {
        let mut host = closed(100);
        for _ in 0..12 {
            report(&mut host, Verdict::Responds, 105);
        }
        report(&mut host, FAILS, 105);
        assert_eq!(host.held_for(at(105)), Duration::ZERO);
        assert_eq!(host.allowed(), 2);
    }

    #[test]
    fn requests_that_began_before_it_was_closed_change_nothing() {
        let mut host = Host::new(LIMIT);
        let before = host.epoch();
        for _ in 0..LIMIT {
            host.report(FAILS, before, None, LIMIT, at(100), 0.5);
        }
        assert_eq!(host.held_for(at(100)), FIRST_PAUSE, "closed once");
        host.report(Verdict::Responds, before, None, LIMIT, at(101), 0.5);
        assert_eq!(host.held_for(at(100)), FIRST_PAUSE);
    }

    #[test]
    fn a_server_that_asks_to_wait_gets_nothing_until_then() {
        let mut host = Host::new(LIMIT);
        let wait = Some(Duration::from_secs(40));
        report(&mut host, Verdict::Fails { wait }, 100);
        assert_eq!(host.held_for(at(100)), Duration::from_secs(40));
        assert_eq!(host.held_for(at(140)), Duration::ZERO);
        assert_eq!(host.allowed(), 1);
    }

    #[test]
    fn a_session_that_keeps_failing_among_others_that_succeed_closes_nothing() {
        let mut host = Host::new(LIMIT);
        report(&mut host, FAILS, 100);
        for now in 101..150 {
            report(&mut host, Verdict::Responds, now);
            let wait = Some(Duration::from_secs(60));
            let epoch = host.epoch();
            let its_own = Some(at(100));
            host.report(Verdict::Fails { wait }, epoch, its_own, LIMIT, at(now), 0.5);
            assert_eq!(host.held_for(at(now)), Duration::ZERO);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_extends_no_hold() {
        let host = closed(100_000);
        assert_eq!(host.held_for(at(10)), Duration::ZERO);
    }

    #[test]
    fn the_pause_is_spread_by_a_quarter_to_both_sides() {
        for (fraction, pause) in [(0.0, 3750), (0.5, 5000), (1.0, 6250)] {
            let mut host = Host::new(LIMIT);
            for _ in 0..FAILURES {
                host.report(FAILS, 0, None, LIMIT, at(100), fraction);
            }
            assert_eq!(host.held_for(at(100)), Duration::from_millis(pause));
        }
    }
}
