//! The errors of a request whose response did not come, or not whole.

use super::tls;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};

/// What to make of a request without a whole answer.
pub(super) fn no_answer(endpoint: &Endpoint, source: reqwest::Error) -> Error {
    let host = endpoint.host();
    let (what, lost) = if source.is_connect() {
        (format!("cannot connect to {host}"), false)
    } else if source.is_builder() {
        return Error::new(
            ErrorKind::Config,
            format!("cannot make a request to {host}"),
        )
        .with_source(source.without_url());
    } else if source.is_timeout() {
        (format!("{host} did not answer in time"), true)
    } else {
        (format!("the connection to {host} broke off"), true)
    };
    let untrusted = tls::is_untrusted_issuer(&source);
    let error = Error::new(ErrorKind::Transient, what)
        .with_source(source.without_url())
        .with_answer_lost(lost);
    if untrusted {
        error.with_untrusted_system()
    } else {
        error
    }
}

/// The status came and the body did not come whole. Asking once more may bring it, from a server
/// with a grace period.
pub(super) fn body_broke_off(endpoint: &Endpoint, status: u16, source: reqwest::Error) -> Error {
    no_answer(endpoint, source).with_status(status)
}

pub(super) fn too_long(endpoint: &Endpoint, status: u16) -> Error {
    Error::new(
        ErrorKind::Transient,
        format!("{} sent more than 1 MiB for an answer", endpoint.host()),
    )
    .with_status(status)
    .with_answer_lost(true)
    .with_unread_response()
}
