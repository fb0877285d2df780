//! What the outcome of a refresh says about the server.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// The longest wait that a server can ask of all sessions with 503, as for one of them.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// The longest wait of all sessions because one of them was asked to: 429 is about a sender, and no
/// RFC says which (RFC 6585 section 4). Then another session tries.
const LONGEST_WAIT_FOR_ONE: Duration = Duration::from_secs(300);

/// What an outcome says about the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It works, even if it rejects this session.
    Responds,
    /// It is in trouble, and may ask to wait.
    Fails {
        wait: Option<Duration>,
    },
    Nothing,
}

impl Verdict {
    pub(super) fn of(outcome: Result<(), &Error>) -> Self {
        let Err(error) = outcome else {
            return Self::Responds;
        };
        match error.kind() {
            ErrorKind::RefreshRejected => Self::Responds,
            ErrorKind::RateLimited | ErrorKind::Transient => {
                let longest = match error.status() {
                    Some(429) | None => LONGEST_WAIT_FOR_ONE,
                    Some(_) => LONGEST_WAIT,
                };
                Self::Fails {
                    wait: error.retry_after().map(|wait| wait.min(longest)),
                }
            }
            _ => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(status: u16, asked: u64) -> Verdict {
        let error = Error::new(ErrorKind::RateLimited, "made-up limit")
            .with_status(status)
            .with_retry_after(Some(Duration::from_secs(asked)));
        Verdict::of(Err(&error))
    }

    #[test]
    fn a_long_wait_holds_for_all_sessions_only_if_the_service_asks_for_it() {
        let fails = |seconds| Verdict::Fails {
            wait: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(wait(429, 40), fails(40));
        assert_eq!(wait(429, 4000), fails(300));
        assert_eq!(wait(503, 4000), fails(4000));
        assert_eq!(wait(503, 400_000), fails(86_400));
    }

    #[test]
    fn trouble_of_this_computer_says_nothing_about_the_server() {
        for kind in [
            ErrorKind::Config,
            ErrorKind::LeaseLost,
            ErrorKind::Store,
            ErrorKind::StoreBusy,
            ErrorKind::System,
        ] {
            let error = Error::new(kind, "made-up trouble");
            assert_eq!(Verdict::of(Err(&error)), Verdict::Nothing, "{kind:?}");
        }
        let rejected = Error::new(ErrorKind::RefreshRejected, "invalid_grant");
        assert_eq!(Verdict::of(Err(&rejected)), Verdict::Responds);
    }
}
