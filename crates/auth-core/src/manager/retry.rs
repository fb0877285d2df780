//! The bounded series of requests that one renewal makes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::foreign::Foreign;
use crate::engine;
use crate::error::{Error, Result};
use crate::random;
use crate::token::OAuthToken;

const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(400);
/// A server that asks for a longer pause gets it from the caller, who is told.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// No attempt begins later, so that a series ends before others give up on the lock.
const BUDGET: Duration = Duration::from_secs(25);

/// How a series ended.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) outcome: Result<OAuthToken>,
    /// Whether some request may have been acted upon although its answer never came.
    pub(super) answer_lost: bool,
}

/// Asks for a renewal, again after trouble that passes by itself. A lost answer is asked for
/// once more with the same token: a server with a grace period gives the same successor again.
pub(super) async fn refresh(foreign: &Foreign, current: &OAuthToken) -> Series {
    let begun = Instant::now();
    let mut lost = 0;
    let mut attempt = 1;
    loop {
        let outcome = foreign.refresh(current).await;
        lost += outcome
            .as_ref()
            .err()
            .map_or(0, |error| u32::from(error.answer_lost()));
        let next = match &outcome {
            Err(error) if error.is_transient() && lost < 2 && attempt < ATTEMPTS => {
                tracing::debug!(%error, attempt, "a renewal failed for now");
                pause(error, attempt).filter(|pause| begun.elapsed() + *pause < BUDGET)
            }
            _ => None,
        };
        let Some(next) = next.filter(|_| !engine::is_ending()) else {
            return Series {
                outcome,
                answer_lost: lost > 0,
            };
        };
        sleep(next).await;
        attempt += 1;
    }
}

fn pause(error: &Error, attempt: u32) -> Option<Duration> {
    let jittered = FIRST_PAUSE * 2_u32.pow(attempt - 1);
    let pause = jittered.mul_f64(0.75 + random::fraction() / 2.0);
    match error.retry_after() {
        Some(asked) if asked > LONGEST_PAUSE => None,
        Some(asked) => Some(asked.max(pause)),
        None => Some(pause),
    }
}
