//! The requests of the transport.

use http::{HeaderName, HeaderValue};
use rmcp::model::ClientJsonRpcMessage;

use super::{Failure, Headers};
use crate::http::StreamRequest;
use crate::{Error, ErrorKind, SecureUrl};

/// Headers that this client sets by itself.
const OWN: [&str; 4] = ["accept", "authorization", "last-event-id", "mcp-session-id"];

const BOTH: &str = "application/json, text/event-stream";

/// Refuses a token that the transport was given besides the session's.
pub(super) fn no_other_token(token: Option<&str>) -> Result<(), Failure> {
    match token {
        Some(_) => Err(Failure::ReservedHeaderConflict("authorization".to_owned())),
        None => Ok(()),
    }
}

pub(super) fn url(uri: &str) -> Result<SecureUrl, Failure> {
    SecureUrl::new(uri).map_err(Failure::Client)
}

pub(super) fn post(
    uri: &str,
    message: &ClientJsonRpcMessage,
    session: Option<&str>,
    custom: &Headers,
) -> Result<StreamRequest, Failure> {
    let request = StreamRequest::post(&url(uri)?, serde_json::to_vec(message)?);
    with(request.header("accept", BOTH), session, custom)
}

pub(super) fn get(
    uri: &str,
    session: Option<&str>,
    last_event: Option<&str>,
    custom: &Headers,
) -> Result<StreamRequest, Failure> {
    let request = StreamRequest::get(&url(uri)?).header("accept", BOTH);
    let request = with(request, session, custom)?;
    Ok(match last_event {
        Some(id) => request.header("last-event-id", id),
        None => request,
    })
}

pub(super) fn delete(uri: &str, session: &str, custom: &Headers) -> Result<StreamRequest, Failure> {
    with(StreamRequest::delete(&url(uri)?), Some(session), custom)
}

fn with(
    request: StreamRequest,
    session: Option<&str>,
    custom: &Headers,
) -> Result<StreamRequest, Failure> {
    let request = custom.iter().try_fold(request, |request, (name, value)| {
        if OWN.contains(&name.as_str()) {
            return Err(Failure::ReservedHeaderConflict(name.to_string()));
        }
        Ok(request.header(name.as_str(), text(name, value)?))
    })?;
    Ok(match session {
        Some(id) => request.header("mcp-session-id", id),
        None => request,
    })
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, Failure> {
    value.to_str().map_err(|_quotes_nothing| {
        let message = format!("the header {name} is not text: correct its value");
        Failure::Client(Error::new(ErrorKind::Config, message))
    })
}
