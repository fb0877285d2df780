//! A response with a status that is no success.

use crate::SecureUrl;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::failure::{Failure, Reason};
use super::id::Id;
use super::message::{Kind, Message};
use super::messages::Messages;
use super::relay::Sent;

/// The code for headers that do not match the message (revision 2026-07-28).
const HEADER_MISMATCH: i64 = -32_020;

#[derive(Debug)]
pub(super) struct Refusal {
    failure: Failure,
    /// The code of the server's own JSON-RPC error.
    code: Option<i64>,
}

impl Refusal {
    /// Reads a refusal of this message. A JSON-RPC error in its body passes, since an agent decides
    /// by its code what to try next; any other body does not, since it may hold anything.
    pub(super) async fn read(sent: Sent, message: &Message, url: &SecureUrl) -> Self {
        let status = sent.response.status();
        let wait = sent
            .response
            .header("retry-after")
            .next()
            .and_then(|wait| wait.parse().ok());
        let body = Messages::short_body(sent.response).await;
        if let Kind::Request { id, .. } = message.kind()
            && let Some((line, code)) = own_error(&body, id, sent.token.access.expose())
        {
            return Self {
                failure: Failure::Passed(line),
                code,
            };
        }
        Self {
            failure: failure(status, wait, url),
            code: None,
        }
    }

    pub(super) fn misses_headers(&self) -> bool {
        self.code == Some(HEADER_MISMATCH)
    }

    pub(super) fn into_failure(self) -> Failure {
        self.failure
    }
}

/// The server's JSON-RPC error with the id of the request, which many servers leave out when they
/// refuse before they read the message. None that repeats the token passes.
fn own_error(body: &[u8], id: &Id, token: &str) -> Option<(String, Option<i64>)> {
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow)]
        error: &'a RawValue,
    }
    let [message] = <[Message; 1]>::try_from(Message::all(body).ok()?).ok()?;
    let Kind::Response { id: theirs } = message.kind() else {
        return None;
    };
    let response: Response<'_> = serde_json::from_str(message.text()).ok()?;
    let error: Value = serde_json::from_str(response.error.get()).ok()?;
    let code = error.get("code")?.as_i64();
    // Decoded, since it may be written with escapes.
    let whole: Value = serde_json::from_str(message.text()).ok()?;
    if whole.to_string().contains(token) {
        return None;
    }
    let line = if theirs.as_ref() == Some(id) {
        message.text().to_owned()
    } else {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{}}}"#,
            response.error.get()
        )
    };
    Some((line, code))
}

fn failure(status: u16, wait: Option<u64>, url: &SecureUrl) -> Failure {
    let host = url.host();
    let message = match status {
        403 => format!("{host} denies access (status 403): check what this account may do there"),
        404 | 405 => format!(
            "{host} has no streamable HTTP endpoint at this URL (status {status}): set the URL of an \
             MCP server"
        ),
        413 => format!("the message is too long for {host} (status 413): send less"),
        429 => match wait {
            Some(seconds) => format!("{host} asks for fewer requests: try again in {seconds} s"),
            None => format!("{host} asks for fewer requests (status 429): try again later"),
        },
        503 => format!("{host} is not available (status 503): try again later"),
        500..=599 => {
            return Failure::lost(&host, &format!("{host} failed (status {status})"))
                .with_status(status);
        }
        _ => {
            format!("{host} refuses the request (status {status}): correct the request or the URL")
        }
    };
    Failure::new(Reason::Refused, message).with_status(status)
}
