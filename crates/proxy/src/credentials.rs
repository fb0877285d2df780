//! The key in a request: where clients put it, and how it is taken out.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use llm_auth_core::Secret;
use memchr::memchr_iter;

use crate::headers::remove;

/// The headers of the APIs of Anthropic, Google and Azure that hold a key.
const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];

/// The parameters of a query that hold a key (Google) or a token (RFC 6750 section 2.3).
const PARAMETERS: [&str; 2] = ["key", "access_token"];

/// Takes all credentials out of a request, whether or not they are ours: none is for the API.
pub(crate) struct Credentials {
    found: Vec<Secret>,
    /// The query without them; `None` if nothing is left.
    pub(crate) query: Option<String>,
}

impl Credentials {
    pub(crate) fn take(headers: &mut HeaderMap, query: Option<&str>) -> Self {
        let mut found = Vec::new();
        for value in headers.get_all(AUTHORIZATION) {
            found.extend(bearer(value));
        }
        headers.remove(AUTHORIZATION);
        for name in HEADERS {
            for value in headers.get_all(&name) {
                found.extend(value.to_str().ok().map(|text| Secret::from(text.trim())));
            }
            headers.remove(name);
        }
        let mut left = Vec::new();
        for pair in query.unwrap_or_default().split('&') {
            match form_urlencoded::parse(pair.as_bytes()).next() {
                Some((name, value)) if PARAMETERS.contains(&&*name) => {
                    found.push(Secret::from(&*value));
                }
                Some(_other) => left.push(pair),
                None => {}
            }
        }
        Self {
            found,
            query: (!left.is_empty()).then(|| left.join("&")),
        }
    }

    /// Whether one of them is this key. Each is compared to its end, wherever it differs.
    pub(crate) fn hold(&self, key: &Secret) -> bool {
        let count = |matches: u32, found: &Secret| matches + u32::from(found == key);
        self.found.iter().fold(0, count) > 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Takes out what still holds the key in another place.
    pub(crate) fn purge(&mut self, headers: &mut HeaderMap, key: &Secret) {
        let key = key.expose();
        remove(headers, |_, value| {
            contains(value.as_bytes(), key.as_bytes())
        });
        if let Some(query) = &self.query {
            let clean = query.split('&').filter(|pair| {
                let mut decoded = form_urlencoded::parse(pair.as_bytes());
                !decoded.any(|(name, value)| name.contains(key) || value.contains(key))
            });
            let clean: Vec<_> = clean.collect();
            self.query = (!clean.is_empty()).then(|| clean.join("&"));
        }
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 section 2.1; the scheme in any letter case).
fn bearer(value: &HeaderValue) -> Option<Secret> {
    let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| Secret::from(token.trim()))
}

pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    let Some((first, _)) = part.split_first() else {
        return false;
    };
    // Where it could begin and still end in the text.
    let last = (text.len() + 1).saturating_sub(part.len());
    memchr_iter(*first, &text[..last]).any(|at| text[at..].starts_with(part))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    #[test]
    fn the_key_is_found_in_each_place_and_nothing_of_it_is_left() {
        let key = Secret::from("made-up");
        for (pairs, query) in [
            (&[("authorization", "Bearer made-up")][..], None),
            (&[("authorization", "bearer  made-up")], None),
            (&[("x-api-key", "made-up")], None),
            (&[("x-goog-api-key", "made-up")], None),
            (&[("api-key", "made-up")], None),
            (&[], Some("key=made-up")),
            (&[], Some("k%65y=m%61de-up")),
            (
                &[("authorization", "Bearer other"), ("x-api-key", "made-up")],
                None,
            ),
        ] {
            let mut headers = headers(pairs);
            let credentials = Credentials::take(&mut headers, query);
            assert!(credentials.hold(&key), "{pairs:?} {query:?}");
            assert!(headers.is_empty() && credentials.query.is_none());
        }
    }

    #[test]
    fn a_wrong_credential_is_taken_out_too() {
        let mut headers = headers(&[("authorization", "Basic eDp5"), ("x-api-key", "other")]);
        let credentials = Credentials::take(&mut headers, Some("alt=sse&key=x&a=b%26c&key"));
        assert!(!credentials.hold(&Secret::from("made-up")));
        assert!(headers.is_empty());
        assert_eq!(credentials.query.as_deref(), Some("alt=sse&a=b%26c"));
        assert!(Credentials::take(&mut HeaderMap::new(), None).is_empty());
    }

    #[test]
    fn a_key_in_a_strange_place_goes_no_further() {
        let mut headers = headers(&[("x-made-up", "a made-up b"), ("accept", "*/*")]);
        let mut credentials = Credentials::take(&mut headers, Some("a=1&b=made%2Dup"));
        credentials.purge(&mut headers, &Secret::from("made-up"));
        assert_eq!(headers.len(), 1);
        assert_eq!(credentials.query.as_deref(), Some("a=1"));
    }
}
