//! The headers that are for one connection only, and those that must not pass between the two
//! sides.

use hyper::HeaderMap;
use hyper::header::{
    ACCEPT_ENCODING, ALT_SVC, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName,
    HeaderValue, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use llm_auth_core::printable;

use crate::credentials::contains;

/// RFC 9110 section 7.6.1, and what it says of older recipients.
const OF_CONNECTION: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Leaves the headers of a request that are for the API.
pub(crate) fn for_api(headers: &mut HeaderMap) {
    remove_of_connection(headers);
    // The length is that of the body; the others are about this proxy. Cookies are those of other
    // programs on this computer, since they do not know ports (RFC 6265 section 8.5).
    for name in [HOST, CONTENT_LENGTH, EXPECT, COOKIE] {
        headers.remove(name);
    }
    // A refusal must be readable.
    let identity = HeaderValue::from_static("identity");
    headers.insert(ACCEPT_ENCODING, identity);
}

/// The headers that an API wants of each request.
///
/// # Errors
///
/// The message if one of them cannot be sent.
pub(crate) fn wanted(headers: &[(String, String)]) -> Result<HeaderMap, String> {
    let headers = headers.iter().map(|(name, value)| {
        let header = name.parse::<HeaderName>().ok();
        let value = HeaderValue::from_str(value).ok();
        header.zip(value).ok_or_else(|| {
            format!(
                "the header {} of this API cannot be sent: sign in again",
                printable(name)
            )
        })
    });
    headers.collect()
}

/// Sets the headers that the API wants, in place of the client's own.
pub(crate) fn set(headers: &mut HeaderMap, wanted: &HeaderMap) {
    for (name, value) in wanted {
        headers.insert(name, value.clone());
    }
}

/// Leaves the headers of a response that are for a program on this computer: nothing that lets a
/// web page read it or leads past the proxy, and no token.
pub(crate) fn for_client(headers: &mut HeaderMap, token: &str) {
    keep_true_length(headers);
    remove_of_connection(headers);
    remove(headers, |name, value| {
        let is_for_pages = name.as_str().starts_with("access-control-");
        let is_of_api = [SET_COOKIE, ALT_SVC].contains(name);
        is_for_pages
            || is_of_api
            || contains(value.as_bytes(), token.as_bytes())
            || is_in_name(name, token)
    });
}

/// Whether a name repeats the token, in the lower case that names have.
fn is_in_name(name: &HeaderName, token: &str) -> bool {
    // Most names are shorter than a token.
    !token.is_empty()
        && name.as_str().len() >= token.len()
        && name.as_str().contains(&token.to_ascii_lowercase())
}

/// A transfer coding goes before a length (RFC 9112 section 6.3), and of a repeated length one
/// remains: a client would cut the body off, or refuse it.
fn keep_true_length(headers: &mut HeaderMap) {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
        return;
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next().and_then(|line| line.to_str().ok());
    let is_repeated = lengths.next().is_some() || first.is_some_and(|line| line.contains(','));
    let one = first.and_then(|line| line.split(',').next());
    let one = one.and_then(|length| HeaderValue::from_str(length.trim()).ok());
    if let Some(one) = one.filter(|_| is_repeated) {
        headers.insert(CONTENT_LENGTH, one);
    }
}

/// Removes the headers of which one value is such.
pub(crate) fn remove(headers: &mut HeaderMap, is_such: impl Fn(&HeaderName, &HeaderValue) -> bool) {
    let found = headers.iter().filter(|(name, value)| is_such(name, value));
    // None of a usual message, and no memory for them then.
    let found: Vec<_> = found.map(|(name, _)| name.clone()).collect();
    for name in found {
        headers.remove(name);
    }
}

fn remove_of_connection(headers: &mut HeaderMap) {
    let listed = headers.get_all(CONNECTION).iter();
    let listed = listed.filter_map(|line| line.to_str().ok());
    let listed: Vec<HeaderName> = listed
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in OF_CONNECTION.into_iter().chain(listed) {
        headers.remove(name);
    }
    remove(headers, |name, _| name.as_str().starts_with("proxy-"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::tests::headers;

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn headers_of_the_connection_and_those_that_it_lists_stay_here() {
        let mut request = headers(&[
            ("connection", "close, X-Made-Up"),
            ("x-made-up", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic made-up"),
            ("expect", "100-continue"),
            ("host", "127.0.0.1"),
            ("cookie", "a=b"),
            ("accept-encoding", "gzip"),
            ("anthropic-version", "2023-06-01"),
        ]);
        for_api(&mut request);
        assert_eq!(names(&request), ["accept-encoding", "anthropic-version"]);
        assert_eq!(request[ACCEPT_ENCODING], "identity");
    }

    #[test]
    fn a_response_opens_nothing_to_pages_and_repeats_no_token() {
        let mut response = headers(&[
            ("access-control-allow-origin", "*"),
            ("set-cookie", "a=b"),
            ("alt-svc", "h3"),
            ("x-echo", "Bearer made-up"),
            ("x-request-id", "1"),
            ("content-length", "1"),
        ]);
        response.insert("x-made-up-1", HeaderValue::from_static("1"));
        for_client(&mut response, "Made-up-1");
        let mut repeated = headers(&[("x-echo", "Bearer made-up")]);
        for_client(&mut repeated, "made-up");
        assert_eq!(names(&repeated), [""; 0]);
        assert_eq!(
            names(&response),
            ["content-length", "x-echo", "x-request-id"]
        );
    }

    #[test]
    fn a_length_that_is_not_the_body_s_does_not_reach_the_client() {
        let mut chunked = headers(&[("content-length", "12"), ("transfer-encoding", "chunked")]);
        for_client(&mut chunked, "made-up");
        assert_eq!(names(&chunked), [""; 0]);
        for lines in [
            &[("content-length", "2, 2")][..],
            &[("content-length", "2"), ("content-length", "2")],
        ] {
            let mut repeated = headers(lines);
            for_client(&mut repeated, "made-up");
            let lengths: Vec<_> = repeated.get_all(CONTENT_LENGTH).iter().collect();
            assert_eq!(lengths, ["2"]);
        }
    }
}
