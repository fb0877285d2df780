//! The responses of RFC 6749 and RFC 8628: tokens, errors, "not yet".

mod error_response;
mod token_response;

pub use error_response::{ErrorResponse, Operation, error_for, read_response, reasonless_error};
pub use token_response::{DEFAULT_LIFETIME, TokenResponse};

use std::time::Duration;

use crate::error::Result;
use crate::http::{JsonObject, Response};

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
    /// Reads a standard token endpoint's response to a device poll.
    ///
    /// The code in the body decides, not the status: Google sends `slow_down` with 403, Qwen with
    /// 429.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) and
    /// [`ErrorKind::Expired`](crate::ErrorKind::Expired) end a sign-in; a transient error does not.
    pub fn read(response: &Response) -> Result<Self> {
        let fields = response.json()?;
        match ErrorResponse::read(&fields) {
            None if response.is_success() => TokenResponse::read(&fields).map(Self::Ready),
            None => Err(response.unreadable()),
            Some(error_response) => match error_response.code() {
                "authorization_pending" => Ok(Self::Pending),
                "slow_down" => Ok(Self::slow_down(&fields)),
                _ => Err(error_for(Operation::Poll, response, &error_response)),
            },
        }
    }

    /// A request for fewer polls, with the `interval` in seconds if the response names one.
    #[must_use]
    pub fn slow_down(fields: &JsonObject) -> Self {
        Self::SlowDown(fields.seconds("interval").ok().flatten())
    }
}
