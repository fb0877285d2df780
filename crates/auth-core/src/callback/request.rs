//! A request to the redirect URI. This module parses it itself, because an HTTP server responds to
//! a request that it cannot parse without reporting it: the page stays empty, and the terminal
//! waits on.
//!
//! See decision 0043.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use httparse::{EMPTY_HEADER, Error, Status};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

/// The longest head. It includes the cookies of every other server on this computer, since cookies
/// ignore ports.
const LONGEST: usize = 256 * 1024;
const MOST_HEADERS: usize = 400;
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The first byte of a TLS client (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// The parts of a request that the validator and the page need.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: Zeroizing<String>,
    pub(super) hosts: Vec<Vec<u8>>,
    pub(super) accept_language: Option<String>,
}

/// The reason why there is no request.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Unread {
    /// It is not HTTP, or too long.
    Bad { status: u16, why: &'static str },
    /// Nothing was sent, as in a browser's preconnect.
    Silent,
}

/// Reads one request up to the end of its head.
///
/// `has_begun` becomes true with its first byte.
pub(super) async fn read(
    stream: &mut TcpStream,
    has_begun: &AtomicBool,
) -> Result<Request, Unread> {
    let end = Instant::now() + HEAD_TIME;
    let mut head = Zeroizing::new(Vec::with_capacity(8 * 1024));
    loop {
        let before = head.len();
        let count = match timeout_at(end, stream.read_buf(&mut *head)).await {
            Ok(Ok(count)) => count,
            Ok(Err(_reset)) => return Err(Unread::Silent),
            Err(_elapsed) if before == 0 => return Err(Unread::Silent),
            Err(_elapsed) => {
                return Err(bad(408, "a request that did not arrive completely in time"));
            }
        };
        if count == 0 {
            return Err(match before {
                0 => Unread::Silent,
                _ => bad(400, "an incomplete request"),
            });
        }
        has_begun.store(true, Ordering::SeqCst);
        // Only a line end completes a part.
        if before > 0 && !head[before..].contains(&b'\n') {
            if head.len() > LONGEST {
                return Err(too_long());
            }
            continue;
        }
        if let Some(request) = parse(&head)? {
            return Ok(request);
        }
        if head.len() > LONGEST {
            return Err(too_long());
        }
    }
}

/// `None` if it is incomplete.
fn parse(head: &[u8]) -> Result<Option<Request>, Unread> {
    if head.first() == Some(&TLS_HANDSHAKE) {
        return Err(bad(
            400,
            "an HTTPS request; the address of the sign-in begins with http://",
        ));
    }
    let mut headers = vec![EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Ok(None),
        Err(Error::TooManyHeaders) => {
            return Err(bad(431, "a request with too many headers"));
        }
        Err(_no_http) => return Err(bad(400, "a request that is not valid HTTP")),
    }
    let named = |name: &str| {
        let headers = request.headers.iter();
        let named: Vec<&[u8]> = headers
            .filter(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
            .collect();
        named
    };
    let languages = named("accept-language");
    let language = languages.first().and_then(|text| str::from_utf8(text).ok());
    Ok(Some(Request {
        method: request.method.unwrap_or_default().to_owned(),
        target: Zeroizing::new(request.path.unwrap_or_default().to_owned()),
        hosts: named("host").into_iter().map(<[u8]>::to_vec).collect(),
        accept_language: language.map(str::to_owned),
    }))
}

impl Request {
    /// The host in the target, the path, and the query (RFC 9112 section 3.2).
    pub(super) fn target(&self) -> (Option<&str>, &str, &str) {
        let target = self.target.as_str();
        let (authority, rest) = match target.split_once("://") {
            // A URL in the query is not taken apart.
            Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            _ => (None, target),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        (authority, path, query)
    }
}

fn too_long() -> Unread {
    bad(
        431,
        "a request whose headers are too long; cookies of other pages on this computer may be the \
         cause",
    )
}

fn bad(status: u16, why: &'static str) -> Unread {
    Unread::Bad { status, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_known_in_each_of_its_forms() {
        for (target, parts) in [
            ("/cb?a=b", (None, "/cb", "a=b")),
            ("/cb?a=http://b/c?d", (None, "/cb", "a=http://b/c?d")),
            ("http://h:1/cb?a=b", (Some("h:1"), "/cb", "a=b")),
            ("http://h:1?a=b", (Some("h:1"), "", "a=b")),
            ("//h/cb", (None, "//h/cb", "")),
            ("*", (None, "*", "")),
        ] {
            let request = Request {
                method: "GET".into(),
                target: Zeroizing::new(target.into()),
                hosts: Vec::new(),
                accept_language: None,
            };
            assert_eq!(request.target(), parts, "{target}");
        }
    }

    #[test]
    fn what_is_no_http_is_known_at_once_and_what_may_become_some_is_waited_for() {
        for text in ["\u{16}\u{3}\u{1}", "GET /\r\n", "G\0T / HTTP/1.1\r\n\r\n"] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        for text in ["", "G", "GET / HTTP/1.1\r\nHost: h\r\n"] {
            assert!(parse(text.as_bytes()).unwrap().is_none(), "{text:?}");
        }
    }
}
