//! The answers of RFC 6749 and RFC 8628: tokens, refusals, "not yet".

mod refusal;
mod token_answer;

pub use refusal::{Refusal, Step, read_answer, reasonless_error, refusal_error};
pub use token_answer::{DEFAULT_LIFETIME, TokenAnswer};

use crate::error::Result;
use crate::http::Answer;

/// What one poll of a device sign-in brought (RFC 8628 section 3.5).
#[derive(Debug)]
#[non_exhaustive]
pub enum Poll {
    /// The person has not decided yet.
    Pending,
    /// The server wants fewer polls from now on.
    SlowDown,
    /// The person said yes.
    Ready(TokenAnswer),
}

impl Poll {
    /// Reads the answer of a standard token endpoint to a device poll.
    ///
    /// The code in the body decides, not the status: Google sends `slow_down` with 403, Qwen
    /// with 429.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) and
    /// [`ErrorKind::Expired`](crate::ErrorKind::Expired) end a sign-in; a transient error does not.
    pub fn read(answer: &Answer) -> Result<Self> {
        let fields = answer.json()?;
        match Refusal::read(&fields) {
            None if answer.is_success() => TokenAnswer::read(&fields).map(Self::Ready),
            None => Err(answer.unreadable()),
            Some(refusal) => match refusal.code() {
                "authorization_pending" => Ok(Self::Pending),
                "slow_down" => Ok(Self::SlowDown),
                _ => Err(refusal_error(Step::Poll, answer, &refusal)),
            },
        }
    }
}
