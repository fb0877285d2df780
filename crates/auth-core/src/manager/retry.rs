//! The bounded series of requests that one refresh makes.
//!
//! See decision 0008.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::foreign::Guard;
use crate::engine;
use crate::error::{Error, Result};
use crate::random;
use crate::token::OAuthToken;

const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(400);
/// If a server asks for a longer pause, the error is returned to the caller.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// No attempt starts later, so that a series ends before other processes give up waiting for the
/// lock.
const BUDGET: Duration = Duration::from_secs(25);

/// How a series ended.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) outcome: Result<OAuthToken>,
    /// Whether the server may have acted on a request whose response never arrived.
    pub(super) response_lost: bool,
}

/// Sends a refresh request under a lock that is prepared for it, and retries after temporary errors. After a lost response it retries
/// once with the same token: a server with a grace period returns the same successor again. After a
/// 2xx response it never sends the same token again, with any body: the server has spent it, and
/// treats a second use as theft (RFC 9700 section 4.14.2).
pub(super) async fn refresh(guard: &mut Guard<'_>, current: &OAuthToken) -> Series {
    let begun = Instant::now();
    let mut lost = 0;
    let mut attempt = 1;
    loop {
        let outcome = guard.refresh(current).await;
        lost += outcome
            .as_ref()
            .err()
            .map_or(0, |error| u32::from(error.response_lost()));
        let next = match &outcome {
            Err(error) if may_repeat(error) && lost < 2 && attempt < ATTEMPTS => {
                tracing::debug!(%error, attempt, "a refresh failed for now");
                pause(error, attempt).filter(|pause| begun.elapsed() + *pause < BUDGET)
            }
            _ => None,
        };
        let Some(next) = next.filter(|_| !engine::is_ending()) else {
            return Series {
                outcome,
                response_lost: lost > 0,
            };
        };
        sleep(next).await;
        if let Err(error) = guard.extend().await {
            tracing::debug!(%error, "a refresh is not tried again");
            return Series {
                outcome,
                response_lost: lost > 0,
            };
        }
        attempt += 1;
    }
}

// See decision 0034.
fn may_repeat(error: &Error) -> bool {
    error.is_transient() && !error.followed_success() && !error.was_cut_off()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::auth_provider::AuthProvider;
    use crate::clock::{SystemClock, Timestamp};
    use crate::error::ErrorKind;
    use crate::manager::common::Common;
    use crate::manager::foreign::Foreign;
    use crate::prompt::UserPrompt;
    use crate::session::SessionKey;
    use crate::store::MemoryTokenStore;

    /// Fails in the same way every time, and counts.
    #[derive(Debug)]
    struct Failing(Error, AtomicU32);

    #[async_trait]
    impl AuthProvider for Failing {
        fn name(&self) -> &str {
            "failing"
        }

        async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
            Err(self.0.clone())
        }

        async fn refresh(&self, _current: &OAuthToken) -> Result<OAuthToken> {
            self.1.fetch_add(1, Ordering::SeqCst);
            Err(self.0.clone())
        }
    }

    async fn requests(error: Error) -> (u32, Series) {
        let provider = Arc::new(Failing(error, AtomicU32::new(0)));
        let foreign = Foreign {
            common: Arc::new(Common {
                provider: Arc::clone(&provider) as Arc<_>,
                store: Arc::new(MemoryTokenStore::new()),
                clock: Arc::new(SystemClock),
                expiry_margin: Duration::ZERO,
                limit: Duration::from_secs(60),
                membership: None,
            }),
            key: SessionKey::new("failing", "default"),
        };
        let token = OAuthToken::new("made-up".into(), Timestamp::default());
        let series = refresh(&mut foreign.lock().await.unwrap(), &token).await;
        (provider.1.load(Ordering::SeqCst), series)
    }

    fn failure(status: u16) -> Error {
        Error::new(ErrorKind::Transient, "made-up trouble").with_status(status)
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_2xx_response_the_token_is_never_sent_again() {
        for status in [200, 201, 204, 206, 299] {
            for lost in [false, true] {
                let (requests, series) = requests(failure(status).with_response_lost(lost)).await;
                assert_eq!(requests, 1, "{status}");
                assert_eq!(series.response_lost, lost);
            }
        }
        let limited = Error::new(ErrorKind::RateLimited, "made-up limit").with_status(200);
        assert_eq!(requests(limited).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_response_that_was_cut_off_the_token_is_not_sent_again() {
        for status in [None, Some(502)] {
            let mut error = Error::new(ErrorKind::Transient, "made-up trouble");
            if let Some(status) = status {
                error = error.with_status(status);
            }
            let (requests, series) = requests(error.with_cut_off_response()).await;
            assert_eq!(requests, 1, "{status:?}");
            assert!(series.outcome.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_failure_is_tried_again_and_a_lost_response_once() {
        assert_eq!(requests(failure(503)).await.0, 3);
        assert_eq!(requests(failure(199)).await.0, 3);
        assert_eq!(requests(failure(502).with_response_lost(true)).await.0, 2);
        let none = Error::new(ErrorKind::Transient, "made-up reset").with_response_lost(true);
        assert_eq!(requests(none).await.0, 2);
    }
}
