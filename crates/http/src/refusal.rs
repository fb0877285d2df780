//! Whether an API refuses a credential, and what is read of a response to learn that.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use llm_auth_core::{ApiResponse, ApiStatus, AuthProvider};

use crate::body::{LONGEST, WholeBody};
use crate::origin::Origin;
use crate::response::HttpResponse;

/// Whether the API of this origin refuses the credential, and the response, whole.
///
/// Only bodies in JSON are read, of errors, and of successes if the provider reports errors in them.
pub(crate) async fn refuses<P: HttpResponse>(
    provider: &dyn AuthProvider,
    origin: &Origin,
    response: P,
) -> (bool, P::Whole) {
    let status = response.status();
    let in_success = status.is_success() && provider.api_errors_in_success();
    // A redirect to another server took no credential there.
    let is_own = response.source().is_none_or(|source| origin.is(source));
    if !is_own || (status.is_success() && !in_success) {
        return (false, response.untouched());
    }
    let refuses = |body: &[u8]| is_refusal(provider, status, body);
    if (in_success || status.is_client_error()) && is_short_json(response.headers()) {
        let (parts, body) = response.into_http().into_parts();
        let (body, text) = WholeBody::begin(body).await;
        let response = http::Response::from_parts(parts, body);
        return (refuses(&text), P::from_http(response));
    }
    (refuses(b""), response.untouched())
}

fn is_refusal(provider: &dyn AuthProvider, status: StatusCode, body: &[u8]) -> bool {
    let response = ApiResponse::new(status.as_u16(), body);
    provider.classify_api_response(&response) == ApiStatus::RefreshNeeded
}

/// Whether the body may be JSON that is short enough to be read, and not compressed.
fn is_short_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let length = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let is_short = length.is_none_or(|length: usize| length <= LONGEST);
    is_short && !headers.contains_key(CONTENT_ENCODING) && text(CONTENT_TYPE).is_some_and(is_json)
}

/// `application/json`, or a type that says that it is made of JSON (RFC 6839 section 3.1).
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let (head, tail) = essence.split_once('/').unwrap_or_default();
    let ends_so =
        tail.len() >= 5 && tail.as_bytes()[tail.len() - 5..].eq_ignore_ascii_case(b"+json");
    head.eq_ignore_ascii_case("application") && (tail.eq_ignore_ascii_case("json") || ends_so)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_read() {
        for (media_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("application/jsonl", false),
            ("application/x-ndjson", false),
            ("text/event-stream", false),
            ("text/event-stream; x=application/json", false),
            ("json", false),
            ("", false),
            ("application/é", false),
        ] {
            assert_eq!(is_json(media_type), expected, "{media_type}");
        }
    }

    #[test]
    fn a_long_or_compressed_body_is_not_read() {
        for (name, value, expected) in [
            ("content-length", "16384", true),
            ("content-length", "16385", false),
            ("content-encoding", "gzip", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
            headers.insert(name, value.parse().unwrap());
            assert_eq!(is_short_json(&headers), expected, "{name}: {value}");
        }
    }
}
