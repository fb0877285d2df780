//! A rejection of the refresh token, and its words.
//!
//! See decision 0019 and decision 0034.

use super::Refresh;
use crate::error::{Error, ErrorKind};
use crate::token::OAuthToken;

/// A rejection that counts only if the session that was tried is still stored.
pub(super) struct Rejected {
    pub(super) tried: OAuthToken,
    pub(super) error: Error,
    pub(super) may_be_spent: bool,
    /// The server has not rejected the token, but its response with a 2xx status cannot be read.
    pub(super) unread: bool,
}

impl Refresh<'_> {
    /// Whether the refresh token is over by this error: the server rejected it, or has spent it and
    /// its successor cannot be read.
    pub(super) fn is_rejection(&self, error: &Error) -> bool {
        error.kind() == ErrorKind::RefreshRejected
            || error.has_whole_unread_success()
                && self
                    .session
                    .foreign
                    .common
                    .provider
                    .rotates_refresh_tokens()
    }
}

impl Rejected {
    pub(super) fn new(tried: OAuthToken, error: Error, may_be_spent: bool) -> Self {
        let unread = error.kind() != ErrorKind::RefreshRejected;
        let error = if unread && error.is_transient() {
            spent_for_nothing(&error)
        } else if !unread && may_be_spent {
            explain_lost_response(&error)
        } else {
            error
        };
        Self {
            tried,
            error,
            may_be_spent: may_be_spent || unread,
            unread,
        }
    }
}

fn spent_for_nothing(error: &Error) -> Error {
    let message = format!(
        "{}; the server has consumed the refresh token, so it is not sent again",
        error.message()
    );
    let status = error.status().unwrap_or_default();
    Error::new(ErrorKind::RefreshRejected, message)
        .with_status(status)
        .with_source(error.clone())
}

fn explain_lost_response(error: &Error) -> Error {
    let message = format!(
        "{}; the response to an earlier refresh was lost, and that refresh probably consumed the \
         refresh token",
        error.message()
    );
    let explained =
        Error::new(ErrorKind::RefreshRejected, message).with_verdict(error.is_verdict());
    match error.status() {
        Some(status) => explained.with_status(status),
        None => explained,
    }
}
