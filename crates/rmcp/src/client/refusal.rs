//! A status that is no success, as an error of rmcp.

use rmcp::transport::streamable_http_client::{
    AuthRequiredError, HttpStatusError, InsufficientScopeError,
};

use super::Failure;
use super::send::Sent;
use crate::{Challenge, Error, ErrorKind, SecureUrl};

/// A status of 403: with a challenge, the session lacks a scope (RFC 6750 section 3.1).
pub(super) fn of_scope(sent: &Sent) -> Failure {
    let Some(challenge) = sent.header("www-authenticate") else {
        return of_status(403, &sent.url);
    };
    let read = Challenge::read(challenge);
    let scope = read.iter().find_map(|one| one.parameter("scope"));
    // Unescaped, it may be the token after all.
    let scope = scope.filter(|scope| !scope.contains(sent.token.access.expose()));
    let scope = scope.map(str::to_owned);
    Failure::InsufficientScope(InsufficientScopeError::new(challenge.to_owned(), scope))
}

/// rmcp opens a stream again and again, except after this error.
pub(super) fn final_for_streams(failure: Failure) -> Failure {
    match failure {
        Failure::Client(error) if error.needs_login() => {
            tracing::warn!(%error, "the server's stream stays closed");
            Failure::AuthRequired(AuthRequiredError::new("Bearer".to_owned()))
        }
        failure => failure,
    }
}

/// A status that rmcp has an error for, which its programs know.
pub(super) fn known(sent: &Sent) -> Option<Failure> {
    let status = sent.response.status();
    if status != 429 && status < 500 {
        return None;
    }
    let wait = sent.header("retry-after").map(str::to_owned);
    Some(HttpStatusError::new(status, wait).into())
}

/// Any other status. The body is not quoted, since it may hold anything.
pub(super) fn of_status(status: u16, url: &SecureUrl) -> Failure {
    let host = url.host();
    let message = match status {
        403 => format!("{host} denies access (status 403): check what this account may do there"),
        404 | 405 => format!(
            "{host} has no streamable HTTP endpoint at this URL (status {status}): set the URL of an \
             MCP server"
        ),
        413 => format!("the message is too long for {host} (status 413): send less"),
        _ => {
            format!("{host} refuses the request (status {status}): correct the request or the URL")
        }
    };
    Failure::Client(Error::new(ErrorKind::Protocol, message).with_status(status))
}
