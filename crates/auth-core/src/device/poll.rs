//! The polling loop of a device sign-in.

use tokio::time::{Instant, sleep};

use super::authorization::DeviceAuthorization;
use super::schedule::PollSchedule;
use crate::clock::deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::{Poll, TokenResponse};
use crate::prompt::{LoginEvent, UserPrompt};

/// Polls until the user has decided or the code has expired.
///
/// It sends one poll at a time, each after a wait. A transient failure makes the wait longer and
/// does not end the sign-in (RFC 8628 section 3.5). It stops at the code's own expiry even if the
/// server still returns "not yet", and never sleeps past it. Dropping the future cancels it.
///
/// A 2xx response of the server that cannot be read ends the sign-in too: it has spent the device
/// code, if the user had approved. A web page with that status comes from something in between, and
/// does not end it.
///
/// # Errors
///
/// [`ErrorKind::Expired`] when the time is over and the server's last response was "not yet"; if
/// the last polls failed, the kind of the last failure, since the user may have approved in vain.
/// Every error of `poll` that is not transient.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::{PollSchedule, SecureUrl, Silent};
/// use llm_auth_core::provider::{DeviceAuthorization, Poll, Response, TokenResponse, poll_for_token};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// # let endpoint = SecureUrl::known("https://auth.example/device");
/// # let body = r#"{"device_code": "made-up", "user_code": "WDJB-MJHT",
/// #     "verification_uri": "https://auth.example/activate"}"#;
/// # let device = DeviceAuthorization::read(&Response::for_test(&endpoint, 200, body).json()?)?;
/// let fast = PollSchedule::new()
///     .default_interval(Duration::from_millis(1))
///     .minimum(Duration::ZERO);
/// let mut bodies = vec![r#"{"access_token": "made-up"}"#, ""].into_iter().rev();
/// let poll = || {
///     // ... send a request ...
///     let poll = match bodies.next() {
///         Some("") | None => Ok(Poll::Pending),
///         Some(body) => Response::for_test(&endpoint, 200, body)
///             .json()
///             .and_then(|fields| TokenResponse::read(&fields))
///             .map(Poll::Ready),
///     };
///     std::future::ready(poll)
/// };
/// let response = poll_for_token(&fast, &device, &Silent, poll).await?;
/// assert_eq!(response.access.expose(), "made-up");
/// # Ok(())
/// # }
/// ```
pub async fn poll_for_token<F, Response>(
    schedule: &PollSchedule,
    device: &DeviceAuthorization,
    prompt: &dyn UserPrompt,
    mut poll: F,
) -> Result<TokenResponse>
where
    F: FnMut() -> Response + Send,
    Response: Future<Output = Result<Poll>> + Send,
{
    let deadline = deadline(schedule.time_limit(device.expires_in));
    let mut interval = schedule.first_wait(device.interval);
    let mut wait = interval;
    let mut polled = false;
    let mut failure = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || (polled && wait >= left) {
            sleep(left).await;
            return Err(out_of_time(failure));
        }
        prompt.notify(&LoginEvent::Waiting { left });
        // Even if the interval is longer than the code lives, one poll is sent before it expires.
        sleep(wait.min(left.mul_f64(0.75))).await;
        polled = true;
        let outcome = poll().await;
        failure = outcome.as_ref().err().cloned();
        wait = match outcome {
            Ok(Poll::Ready(response)) => return Ok(response),
            Ok(Poll::Pending) => {
                interval = schedule.after_pending(interval);
                interval
            }
            Ok(Poll::SlowDown(named)) => {
                interval = schedule.after_slow_down(interval, named);
                prompt.notify(&LoginEvent::SlowedDown { interval });
                interval
            }
            Err(error) if error.is_transient() && !error.has_unread_success() => {
                prompt.notify(&LoginEvent::Retrying { error: &error });
                schedule.after_error(wait, interval, error.retry_after())
            }
            Err(error) => return Err(error),
        };
    }
}

/// The error of a series of polls that ran out of time.
fn out_of_time(failure: Option<Error>) -> Error {
    let Some(failure) = failure else {
        return Error::new(
            ErrorKind::Expired,
            "the sign-in was not approved before the code expired or the wait timed out",
        );
    };
    let message = format!(
        "the code expired or the wait timed out while the server could not be polled: {}",
        failure.message()
    );
    let error = Error::new(failure.kind(), message).with_retry_after(failure.retry_after());
    let error = match failure.status() {
        Some(status) => error.with_status(status),
        None => error,
    };
    error.with_source(failure)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::prompt::Silent;

    fn device(expires_in: u64, interval: Option<u64>) -> DeviceAuthorization {
        DeviceAuthorization {
            device_code: "made-up".into(),
            user_code: "CODE".into(),
            verification_uri: "https://example.com/device".into(),
            verification_uri_complete: None,
            expires_in: Duration::from_secs(expires_in),
            interval: interval.map(Duration::from_secs),
        }
    }

    fn ready() -> Result<Poll> {
        Ok(Poll::Ready(TokenResponse {
            access: "made-up".into(),
            refresh: None,
            expires_in: Some(Duration::from_secs(1)),
            expires_at: None,
            server_time: None,
            scope: None,
            id_token: None,
            resource_url: None,
            notification: None,
        }))
    }

    fn failure() -> Result<Poll> {
        Err(Error::new(ErrorKind::Transient, "no network"))
    }

    /// Runs the loop on responses in order (then "not yet" for ever), and returns the second of
    /// each poll.
    async fn run(
        device: DeviceAuthorization,
        responses: Vec<Result<Poll>>,
    ) -> (Vec<u64>, Result<TokenResponse>) {
        let start = Instant::now();
        let polls = Mutex::new(Vec::new());
        let responses = Mutex::new(VecDeque::from(responses));
        let result = poll_for_token(&PollSchedule::new(), &device, &Silent, || {
            polls.lock().unwrap().push(start.elapsed().as_secs());
            let response = responses.lock().unwrap().pop_front();
            async move { response.unwrap_or(Ok(Poll::Pending)) }
        })
        .await;
        (polls.into_inner().unwrap(), result)
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_before_the_first_poll_and_between_polls() {
        let (polls, result) = run(
            device(600, None),
            vec![Ok(Poll::Pending), Ok(Poll::Pending), ready()],
        )
        .await;
        assert_eq!(polls, [5, 10, 15]);
        assert!(result.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_down_adds_five_seconds_for_good_each_time() {
        let responses = vec![
            Ok(Poll::SlowDown(None)),
            Ok(Poll::Pending),
            Ok(Poll::SlowDown(None)),
            Ok(Poll::Pending),
            ready(),
        ];
        let (polls, _) = run(device(600, Some(2)), responses).await;
        assert_eq!(polls, [2, 9, 16, 28, 40]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_interval_that_slow_down_names_counts_if_it_is_longer() {
        let named = |seconds| Ok(Poll::SlowDown(Some(Duration::from_secs(seconds))));
        let responses = vec![named(20), named(1), named(5000), ready()];
        let (polls, _) = run(device(600, Some(2)), responses).await;
        assert_eq!(polls, [2, 22, 47, 107], "at most the cap");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_error_doubles_the_wait_until_it_is_over() {
        let responses = vec![failure(), failure(), Ok(Poll::Pending), ready()];
        let (polls, result) = run(device(600, Some(2)), responses).await;
        assert_eq!(polls, [2, 6, 14, 16]);
        assert!(result.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_2xx_response_that_cannot_be_read_ends_it_and_an_error_in_between_does_not() {
        let unread = |status| {
            let error = Error::new(ErrorKind::Transient, "made-up trouble");
            error.with_status(status).with_unread_response()
        };
        let (polls, result) = run(device(600, None), vec![Err(unread(200)), ready()]).await;
        assert_eq!(polls, [5], "the code is not sent again");
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Transient);
        let page = Error::new(ErrorKind::Transient, "a web page").with_status(200);
        let told = Error::new(ErrorKind::RateLimited, "said in JSON").with_status(200);
        for passing in [unread(503), page, told] {
            let (polls, result) = run(device(600, None), vec![Err(passing), ready()]).await;
            assert_eq!(polls.len(), 2);
            assert!(result.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_honoured_up_to_the_cap() {
        let limited = |seconds| {
            let error = Error::new(ErrorKind::RateLimited, "429");
            Err(error.with_retry_after(Some(Duration::from_secs(seconds))))
        };
        let responses = vec![limited(30), limited(86_400), ready()];
        let (polls, _) = run(device(600, Some(2)), responses).await;
        assert_eq!(polls, [2, 32, 92], "a day is too long");
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_at_the_expiry_of_the_code() {
        let start = Instant::now();
        let (polls, result) = run(device(12, None), vec![]).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Expired);
        assert_eq!(polls, [5, 10], "never sooner than the interval");
        assert_eq!(start.elapsed().as_secs(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_failure_decides_how_a_series_ends() {
        let limited = || Err(Error::new(ErrorKind::RateLimited, "429").with_status(429));
        for (responses, kind, said) in [
            (
                vec![Ok(Poll::Pending), failure(), failure()],
                ErrorKind::Transient,
                "no network",
            ),
            (vec![limited(), limited()], ErrorKind::RateLimited, "429"),
            (
                vec![limited(), failure()],
                ErrorKind::Transient,
                "no network",
            ),
            (
                vec![failure(), Ok(Poll::Pending)],
                ErrorKind::Expired,
                "was not approved",
            ),
            (
                vec![failure(), Ok(Poll::SlowDown(None))],
                ErrorKind::Expired,
                "was not approved",
            ),
        ] {
            // Two polls, and no time for a third.
            let count = responses.len() as u64;
            let lifetime = if count == 3 { 40 } else { 18 };
            let (polls, result) = run(device(lifetime, None), responses).await;
            assert_eq!(polls.len() as u64, count);
            let error = result.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_absurd_interval_still_gets_one_poll_before_the_code_expires() {
        let (polls, result) = run(device(10, Some(9_007_199_254_740)), vec![ready()]).await;
        assert_eq!(polls, [7]);
        assert!(result.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_interval_above_every_cap_is_honoured_and_slowed_down_further() {
        let responses = vec![Ok(Poll::SlowDown(None)), failure(), ready()];
        let (polls, _) = run(device(6000, Some(120)), responses).await;
        assert_eq!(polls, [120, 245, 370]);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_may_end_before_the_code_does() {
        let schedule = PollSchedule::new().timeout(Duration::from_secs(7));
        let start = Instant::now();
        let pending = || async { Ok(Poll::Pending) };
        let ended = poll_for_token(&schedule, &device(600, None), &Silent, pending).await;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Expired);
        assert_eq!(start.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_that_is_expired_already_is_never_polled() {
        let (polls, result) = run(device(0, None), vec![ready()]).await;
        assert!(polls.is_empty());
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Expired);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_ends_it_at_once() {
        let denied = Err(Error::new(ErrorKind::Denied, "no"));
        let (polls, result) = run(device(600, None), vec![denied]).await;
        assert_eq!(polls, [5]);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Denied);
    }
}
