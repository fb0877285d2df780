//! The responses of RFC 6749 and RFC 8628: tokens, errors, "not yet".

mod error_response;
mod token_response;

pub use error_response::{ErrorResponse, Operation, error_for, reasonless_error};
pub use token_response::{DEFAULT_LIFETIME, TokenResponse};

use std::time::Duration;

use crate::http::JsonObject;

/// The result of one poll in a device sign-in (RFC 8628 section 3.5).
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::Poll;
///
/// fn advise(poll: &Poll) -> &'static str {
///     match poll {
///         Poll::Ready(_) => "signed in",
///         Poll::SlowDown(_) => "poll less often",
///         _ => "poll again",
///     }
/// }
///
/// assert_eq!(advise(&Poll::Pending), "poll again");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Poll {
    /// The user has not decided yet.
    Pending,
    /// The server wants fewer polls from now on, and may name the new interval (GitHub).
    SlowDown(Option<Duration>),
    /// The user approved.
    Ready(TokenResponse),
}

impl Poll {
    /// A request for fewer polls, with the `interval` in seconds if the response names one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{Poll, Response};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let body = r#"{"error": "slow_down", "interval": 10}"#;
    /// let fields = Response::for_test(&endpoint, 400, body).json()?;
    /// let poll = Poll::slow_down(&fields);
    /// assert!(matches!(poll, Poll::SlowDown(Some(wait)) if wait == Duration::from_secs(10)));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn slow_down(fields: &JsonObject) -> Self {
        Self::SlowDown(fields.seconds("interval").ok().flatten())
    }
}
