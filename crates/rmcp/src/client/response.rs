//! What the server returns, as rmcp reads it.

use futures_util::stream::BoxStream;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ErrorData, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpPostResponse, StreamableHttpResponseLimits,
};
use sse_stream::Sse;

use super::send::Sent;
use super::{Failure, events, refusal};
use crate::http::StreamedResponse;
use crate::{Error, ErrorKind, printable};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// The response to a message.
pub(super) async fn read(
    mut sent: Sent,
    message: &ClientJsonRpcMessage,
    has_session: bool,
    limits: StreamableHttpResponseLimits,
) -> Result<StreamableHttpPostResponse, Failure> {
    match sent.response.status() {
        202 | 204 => return Ok(StreamableHttpPostResponse::Accepted),
        404 if has_session => return Err(Failure::SessionExpired),
        200..=299 => {}
        _ => return refused(sent, message, has_session, limits).await,
    }
    let session = sent.header("mcp-session-id").map(str::to_owned);
    let expects_none = !matches!(message, ClientJsonRpcMessage::Request(_));
    match media_type(&sent) {
        Some(kind) if kind == EVENTS => {
            let events = events::of(sent.response, limits.max_sse_event_size);
            Ok(StreamableHttpPostResponse::Sse(events, session))
        }
        Some(kind) if kind == JSON => {
            let body = body(&mut sent.response, limits.max_json_response_size).await?;
            match serde_json::from_slice(&body) {
                Ok(read) => Ok(StreamableHttpPostResponse::Json(
                    without_token(read, &sent),
                    session,
                )),
                Err(_) if expects_none => Ok(StreamableHttpPostResponse::Accepted),
                Err(_may_quote_it) => Err(Failure::Client(not_json_rpc(&sent))),
            }
        }
        // The message needs no response, and some servers return an odd one.
        _ if expects_none => Ok(StreamableHttpPostResponse::Accepted),
        kind => Err(Failure::UnexpectedContentType(kind)),
    }
}

/// The response to a request for the server's stream.
pub(super) fn stream(
    sent: Sent,
    longest: usize,
) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
    match (sent.response.status(), media_type(&sent)) {
        (405, _) => Err(Failure::ServerDoesNotSupportSse),
        (200..=299, Some(kind)) if kind == EVENTS || kind == JSON => {
            Ok(events::of(sent.response, longest))
        }
        (200..=299, kind) => Err(Failure::UnexpectedContentType(kind)),
        (status, _) => {
            Err(refusal::known(&sent).unwrap_or_else(|| refusal::of_status(status, &sent.url)))
        }
    }
}

/// A status that is no success: the server's own JSON-RPC error, if it has one.
async fn refused(
    mut sent: Sent,
    message: &ClientJsonRpcMessage,
    has_session: bool,
    limits: StreamableHttpResponseLimits,
) -> Result<StreamableHttpPostResponse, Failure> {
    let status = sent.response.status();
    let known = refusal::known(&sent);
    let own = match media_type(&sent) {
        Some(kind) if kind == JSON && status != 429 => {
            own_error(&mut sent, limits.max_json_response_size).await
        }
        _ => None,
    };
    let ClientJsonRpcMessage::Request(request) = message else {
        return Err(known.unwrap_or_else(|| refusal::of_status(status, &sent.url)));
    };
    let error = match (own, known) {
        (Some(error), _) => error,
        (None, Some(known)) => return Err(known),
        // An older server knows no such request; rmcp then begins a session.
        (None, None) if is_discovery(&request.request) && !has_session => {
            ErrorData::invalid_request(format!("server/discover: status {status}"), None)
        }
        (None, None) => return Err(refusal::of_status(status, &sent.url)),
    };
    // Servers that refuse before they read the message leave its id out.
    let response = ServerJsonRpcMessage::error(error, Some(request.id.clone()));
    Ok(StreamableHttpPostResponse::Json(response, None))
}

async fn own_error(sent: &mut Sent, longest: usize) -> Option<ErrorData> {
    let body = body(&mut sent.response, longest).await.ok()?;
    let ServerJsonRpcMessage::Error(response) = serde_json::from_slice(&body).ok()? else {
        return None;
    };
    (!repeats_token(&response.error, sent)).then_some(response.error)
}

fn is_discovery(request: &ClientRequest) -> bool {
    matches!(request, ClientRequest::DiscoverRequest(_))
}

/// The message; an error that repeats the token without what the server says.
fn without_token(message: ServerJsonRpcMessage, sent: &Sent) -> ServerJsonRpcMessage {
    match message {
        ServerJsonRpcMessage::Error(mut error) if repeats_token(&error.error, sent) => {
            error.error.message = "the server repeats the access token in its error".into();
            error.error.data = None;
            ServerJsonRpcMessage::Error(error)
        }
        message => message,
    }
}

/// Decoded, since it may be written with escapes.
fn repeats_token(error: &ErrorData, sent: &Sent) -> bool {
    let token = sent.token.access.expose();
    let data = error.data.as_ref().map(ToString::to_string);
    error.message.contains(token) || data.is_some_and(|data| data.contains(token))
}

fn media_type(sent: &Sent) -> Option<String> {
    let value = sent.header("content-type")?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    Some(printable(&essence.to_ascii_lowercase()))
}

/// The whole body, if it is no longer than this.
async fn body(response: &mut StreamedResponse, longest: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while response.read(&mut body).await.map_err(Failure::Client)? > 0 {
        if body.len() > longest {
            return Err(Failure::ResponseBodyTooLarge { max_size: longest });
        }
    }
    Ok(body)
}

fn not_json_rpc(sent: &Sent) -> Error {
    let message = format!(
        "{} sent no JSON-RPC message: check the URL of the MCP server",
        sent.url.host()
    );
    Error::new(ErrorKind::Protocol, message).with_status(sent.response.status())
}
