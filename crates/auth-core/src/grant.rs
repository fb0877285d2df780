//! The responses of RFC 6749 and RFC 8628: tokens, errors, "not yet".

mod error_response;
mod token_response;

pub use error_response::{ErrorResponse, Operation, error_for, reasonless_error};
pub use token_response::{DEFAULT_LIFETIME, TokenResponse};

use std::time::Duration;

use crate::http::JsonObject;

/// The result of one poll in a device sign-in (RFC 8628 section 3.5).
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
    #[must_use]
    pub fn slow_down(fields: &JsonObject) -> Self {
        Self::SlowDown(fields.seconds("interval").ok().flatten())
    }
}
