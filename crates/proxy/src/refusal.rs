//! Whether the API refuses the token, which the status does not always show.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::http::response::Parts;
use hyper::{HeaderMap, Response};
use llm_auth_core::http::ForwardedBody;
use llm_auth_core::{ApiResponse, ApiStatus, AuthProvider, Result};
use serde::de::IgnoredAny;
use tokio::time::{Instant, timeout_at};

use crate::credentials::contains;

/// How much of a body is read before it is passed on: no refusal is longer. 64 KiB.
const LONGEST: usize = 64 * 1024;

/// How long that may take: an API may send its headers and think on.
const PATIENCE: Duration = Duration::from_secs(2);

/// A response, as much of its body as was read to understand it, and what it means.
pub(crate) struct Examined {
    pub(crate) parts: Parts,
    pub(crate) read: Vec<Bytes>,
    /// What has not been read; `None` at the end.
    pub(crate) rest: Option<ForwardedBody>,
    pub(crate) status: ApiStatus,
}

impl Examined {
    /// Reads the beginning of a response that could be a refusal, and nothing of a stream.
    ///
    /// # Errors
    ///
    /// If the connection is interrupted by then.
    pub(crate) async fn read(
        response: Response<ForwardedBody>,
        provider: &dyn AuthProvider,
    ) -> Result<Self> {
        let (parts, mut body) = response.into_parts();
        let mut examined = Self {
            status: ApiStatus::Ok,
            read: Vec::new(),
            rest: None,
            parts,
        };
        let what = what_to_read(&examined.parts, body.size_hint().exact());
        let end = Instant::now() + PATIENCE;
        let mut length = 0;
        let mut is_whole = what == Wanted::Nothing && body.is_end_stream();
        while what != Wanted::Nothing && length < LONGEST {
            let Ok(frame) = timeout_at(end, body.frame()).await else {
                break;
            };
            let Some(frame) = frame.transpose()? else {
                is_whole = true;
                break;
            };
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            length += piece.len();
            examined.read.push(piece);
            if body.is_end_stream() {
                is_whole = true;
                break;
            }
            // An array is a stream of parts (Google without `alt=sse`), and so are several objects.
            if what == Wanted::Object && !is_unfinished_object(&examined.beginning()) {
                break;
            }
        }
        let status = examined.parts.status.as_u16();
        let response = examined.beginning();
        let status = provider.classify_api_response(&ApiResponse::new(status, &response));
        examined.status = status;
        examined.rest = (!is_whole).then_some(body);
        Ok(examined)
    }

    /// Whether what was read repeats this text.
    pub(crate) fn repeats(&self, text: &str) -> bool {
        contains(&self.beginning(), text.as_bytes())
    }

    /// What was read.
    fn beginning(&self) -> Cow<'_, [u8]> {
        match self.read.as_slice() {
            [only] => Cow::Borrowed(only),
            pieces => Cow::Owned(pieces.concat()),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    Nothing,
    /// A JSON object, which may say that the session is over (MiniMax, with the status 200).
    Object,
    All,
}

fn what_to_read(parts: &Parts, length: Option<u64>) -> Wanted {
    let status = parts.status;
    let is_long = length.is_some_and(|length| length > LONGEST as u64);
    if status.is_client_error() || status.is_server_error() {
        return Wanted::All;
    }
    if status.is_success() && is_json(&parts.headers) && !is_long {
        return Wanted::Object;
    }
    Wanted::Nothing
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json") && !headers.contains_key(CONTENT_ENCODING)
}

/// Whether a JSON document may be an object, as far as it has come, and has not come to its end.
fn is_unfinished_object(read: &[u8]) -> bool {
    let read = read.trim_ascii_start();
    let mut documents = serde_json::Deserializer::from_slice(read).into_iter::<IgnoredAny>();
    match (read.first(), documents.next()) {
        (None, _) => true,
        (Some(b'{'), Some(Err(error))) => error.is_eof(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(status: u16, kind: &str, length: Option<u64>) -> Wanted {
        let response = Response::builder().status(status);
        let response = response.header(CONTENT_TYPE, kind).body(()).unwrap();
        what_to_read(&response.into_parts().0, length)
    }

    #[test]
    fn nothing_is_held_back_of_a_stream_or_of_a_long_body() {
        for (status, kind, length, what) in [
            (200, "text/event-stream", None, Wanted::Nothing),
            (200, "application/json; charset=utf-8", None, Wanted::Object),
            (200, "application/json", Some(1_000_000), Wanted::Nothing),
            (200, "application/x-ndjson", None, Wanted::Nothing),
            (302, "application/json", None, Wanted::Nothing),
            (401, "text/html", Some(1_000_000), Wanted::All),
            (503, "text/event-stream", None, Wanted::All),
        ] {
            assert_eq!(wanted(status, kind, length), what, "{status} {kind}");
        }
    }

    #[test]
    fn a_document_is_passed_on_as_soon_as_it_is_no_unfinished_object() {
        for text in ["", " \n", "{", " {\"a\": [{}, \"", "{\"a\": {}"] {
            assert!(is_unfinished_object(text.as_bytes()), "{text}");
        }
        for text in ["[", "\n [{", "{}", "{\"a\": 1}\n", "{}\n{", "{x", "1"] {
            assert!(!is_unfinished_object(text.as_bytes()), "{text}");
        }
    }
}
