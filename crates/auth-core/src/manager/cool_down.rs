//! The pause after refreshes that failed: callers in a loop must not flood the server with a refresh
//! token that it does not take now.
//!
//! See decision 0070.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::token::OAuthToken;

/// The pause after the second failure in a row. The first one may be a blip: it costs no time.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause after a temporary failure: a network that is back is noticed soon.
const LONGEST_TEMPORARY: Duration = Duration::from_secs(5);

/// The longest pause after another failure, which the user has to correct.
const LONGEST: Duration = Duration::from_secs(60);

/// How long after its pause a failure counts as the one before the next.
const FORGOTTEN: Duration = Duration::from_secs(120);

/// The failures of one session in this process. Other processes pause by themselves.
#[derive(Default)]
pub(super) struct CoolDown(Mutex<Option<Box<Failures>>>);

/// The last failures in a row with one refresh token.
struct Failures {
    refresh_fingerprint: Option<String>,
    count: u32,
    until: Instant,
    error: Error,
}

impl CoolDown {
    /// The failure that stands for a refresh of this session now.
    pub(super) fn failure_of(&self, session: &OAuthToken) -> Option<Error> {
        let failures = self.failures();
        let failures = failures.as_deref()?;
        let left = failures.until.checked_duration_since(Instant::now())?;
        let is_about_it = failures.refresh_fingerprint == fingerprint(session);
        is_about_it.then(|| failures.error.clone().with_retry_after(Some(left)))
    }

    /// A refresh of this session has failed now. A wait that the server has named is in the session's
    /// records.
    pub(super) fn failed(&self, session: &OAuthToken, error: &Error) {
        if error.retry_after().is_some_and(|wait| wait >= FIRST) {
            return;
        }
        let refresh_fingerprint = fingerprint(session);
        let mut failures = self.failures();
        let before = failures.as_deref();
        let before = before.filter(|before| {
            let is_about_it = before.refresh_fingerprint == refresh_fingerprint;
            is_about_it && before.until.elapsed() < FORGOTTEN
        });
        let count = before.map_or(0, |before| before.count).saturating_add(1);
        *failures = Some(Box::new(Failures {
            refresh_fingerprint,
            count,
            until: Instant::now() + pause(count, error.is_transient()),
            error: error.clone(),
        }));
    }

    pub(super) fn succeeded(&self) {
        *self.failures() = None;
    }

    fn failures(&self) -> MutexGuard<'_, Option<Box<Failures>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fingerprint(session: &OAuthToken) -> Option<String> {
    session
        .refresh
        .as_ref()
        .map(|refresh| refresh.fingerprint())
}

/// The pause after so many failures in a row.
fn pause(count: u32, is_temporary: bool) -> Duration {
    let longest = match is_temporary {
        true => LONGEST_TEMPORARY,
        false => LONGEST,
    };
    match count.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(longest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_costs_no_pause_and_each_further_one_twice_the_last_to_a_limit() {
        let pauses = |is_temporary| {
            let counts = [1, 2, 3, 4, 5, 20, u32::MAX];
            counts.map(|count| pause(count, is_temporary).as_secs())
        };
        assert_eq!(pauses(true), [0, 1, 2, 4, 5, 5, 5]);
        assert_eq!(pauses(false), [0, 1, 2, 4, 8, 60, 60]);
    }
}
