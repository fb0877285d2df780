//! From the path of a request to the URL of an API, which no path leads away from.

use hyper::StatusCode;
use llm_auth_core::{Secret, SecureUrl};

use crate::credentials::contains;
use crate::failure::Failure;

/// How often an escape may be escaped again; more is no path that an API has.
const DEEPEST: usize = 4;

/// The part of a path after a session's name, which begins with a slash; `None` if the path is not
/// below that name.
pub(crate) fn below<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.strip_prefix(name)?;
    match rest {
        "" => Some("/"),
        rest if rest.starts_with('/') => Some(rest),
        _ => None,
    }
}

pub(crate) fn refused() -> Failure {
    Failure::bad_request(
        "path",
        "the path leads out of the base URL of the API: use a path without .., // and backslashes",
    )
}

/// Refuses a path that a server could take for one above or beside where it begins, and one that
/// would take the client's key along.
pub(crate) fn check(path: &str, key: &Secret) -> Result<(), Failure> {
    if path.starts_with("//") {
        return Err(refused());
    }
    let mut path = path.as_bytes().to_vec();
    for _ in 0..DEEPEST {
        let mut segments = path.split(|byte| *byte == b'/');
        let is_dots = |segment: &[u8]| {
            // `..;x` is `..` to some servers.
            let name = segment.split(|byte| *byte == b';').next();
            matches!(name, Some(b"." | b".."))
        };
        if path.iter().any(|byte| *byte == b'\\' || *byte < b' ') || segments.any(is_dots) {
            return Err(refused());
        }
        if contains(&path, key.expose().as_bytes()) {
            return Err(Failure::bad_request(
                "key_in_path",
                "the path holds the key of this proxy, which is not sent on: set it as the API key only",
            ));
        }
        let decoded = decoded(&path);
        if decoded == path {
            return Ok(());
        }
        path = decoded;
    }
    Err(refused())
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

/// The base URL of an API.
#[derive(Clone, Debug)]
pub(crate) struct Base(SecureUrl);

impl Base {
    /// # Errors
    ///
    /// If it is no URL for a token.
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        let url = SecureUrl::new(url.trim_end_matches('/'));
        url.map(Self).map_err(|_quotes_it| too_long())
    }

    /// The URL below it for the path that follows it, which has been [checked](check).
    pub(crate) fn target(&self, path: &str, query: Option<&str>) -> Result<SecureUrl, Failure> {
        let target = self.0.below(path, query);
        let target = target.map_err(|_quotes_it| too_long())?;
        // Whatever the parser made of it.
        if self.rest(&target).is_some() {
            Ok(target)
        } else {
            Err(Failure::bad_request(
                "path",
                "the path leads out of the base URL of the API: correct it",
            ))
        }
    }

    /// What follows it in the URL of a request; `None` if that is elsewhere.
    pub(crate) fn rest<'a>(&self, target: &'a SecureUrl) -> Option<&'a str> {
        let base = self.0.as_str().trim_end_matches('/');
        let rest = target.as_str().strip_prefix(base)?;
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
    }
}

fn too_long() -> Failure {
    Failure::new(
        StatusCode::URI_TOO_LONG,
        "path",
        "the path and the query are too long, or not valid in a URL: correct the request",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_below_a_name_only_as_a_whole_segment() {
        assert_eq!(below("/qwen/models", "qwen"), Some("/models"));
        assert_eq!(below("/qwen", "qwen"), Some("/"));
        assert_eq!(below("/qwenx/models", "qwen"), None);
        assert_eq!(below("/x/qwen/models", "qwen"), None);
    }

    #[test]
    fn a_target_is_always_below_its_base() {
        let base = Base::new("https://api.example/v1/").unwrap();
        let key = Secret::from("made-up-key");
        for (path, query, url) in [
            ("/models", None, "https://api.example/v1/models"),
            ("/", None, "https://api.example/v1"),
            (
                "/a/b:c",
                Some("alt=sse"),
                "https://api.example/v1/a/b:c?alt=sse",
            ),
            ("/models/x%2Fy", None, "https://api.example/v1/models/x%2Fy"),
            ("/a..b/...", None, "https://api.example/v1/a..b/..."),
            (
                "/@evil.example/",
                None,
                "https://api.example/v1/@evil.example/",
            ),
            ("/:80/", None, "https://api.example/v1/:80/"),
        ] {
            check(path, &key).unwrap();
            let target = base.target(path, query).unwrap();
            assert_eq!(target.as_str(), url);
        }
        for path in [
            "//evil.example/",
            "/../admin",
            "/..",
            "/a/../../b",
            "/%2e%2e/b",
            "/.%2E/b",
            "/%252e%252e/b",
            "/%25252525252e",
            "/a%2f..%2f..%2fb",
            "/..;x/b",
            "/\\evil.example",
            "/a%5c..%5cb",
            "/./b",
            "/a%0ab",
        ] {
            assert!(check(path, &key).is_err(), "{path}");
        }
        for path in ["/made-up-key", "/x/made%2dup-key/y", "/made%252Dup-key"] {
            assert_eq!(check(path, &key).unwrap_err().code, "key_in_path", "{path}");
        }
        // Without a path of its own, a base must not grow into another host.
        let base = Base::new("https://api.example").unwrap();
        let target = base.target("/.evil.example", None).unwrap();
        assert_eq!(target.host(), "api.example");
    }
}
