//! What no request of a program on this computer looks like: pages of the web are refused.

use std::net::IpAddr;

use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING,
    UPGRADE,
};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, Request, StatusCode};

use crate::failure::Failure;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request before its key is looked at.
pub(crate) fn check(request: &Request<Incoming>) -> Result<(), Failure> {
    // First, for the Host of what is sent to an HTTP proxy is that of the server behind it.
    check_target(request)?;
    let headers = request.headers();
    check_host(headers)?;
    if is_of_page(headers) {
        return Err(Failure::forbidden(
            "web_page",
            "the request comes from a web page (by its Origin or Sec-Fetch-Site header), and this proxy \
             is for programs on this computer: send the request without a browser",
        ));
    }
    check_framing(headers)?;
    // Clients in Java offer `h2c` with every request, and go on without it.
    let is_offer = |protocol: &HeaderValue| protocol.as_bytes().eq_ignore_ascii_case(b"h2c");
    if !headers.get_all(UPGRADE).iter().all(is_offer) {
        return Err(Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            "upgrade",
            "this proxy passes on HTTP requests only, no WebSocket: use the HTTP API",
        ));
    }
    Ok(())
}

/// A browser sends `Origin` with every request of a page that could read the response or change
/// anything, and `Sec-Fetch-Site` with all others (W3C Fetch Metadata): `none` is a user's own.
fn is_of_page(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SITE).iter();
    headers.contains_key(ORIGIN)
        || headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        || sites.any(|site| site != "none")
}

/// A body in another transfer coding than chunks would be sent on under a wrong name (RFC 9112
/// section 6.1). Of two lengths hyper takes the chunks, and closes the connection.
fn check_framing(headers: &HeaderMap) -> Result<(), Failure> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if !codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            "body",
            "this proxy takes no transfer coding but chunked: compress the body by Content-Encoding, or \
             not at all",
        ));
    }
    Ok(())
}

/// Refuses what a client sends to an HTTP proxy.
fn check_target(request: &Request<Incoming>) -> Result<(), Failure> {
    // The first would send the token back, the other is for proxies of another kind.
    if [Method::TRACE, Method::CONNECT].contains(request.method()) {
        return Err(Failure::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            format!(
                "this proxy does not pass on {}: set its URL as the base URL of an API",
                request.method()
            ),
        ));
    }
    let uri = request.uri();
    if uri.authority().is_some() || uri.scheme().is_some() || !uri.path().starts_with('/') {
        return Err(Failure::bad_request(
            "absolute_target",
            "this proxy decides itself where a request goes: set its URL as the base URL of an \
             API, not as an HTTP proxy",
        ));
    }
    Ok(())
}

/// A page whose name leads to this computer (DNS rebinding) still has its own name as the host.
fn check_host(headers: &HeaderMap) -> Result<(), Failure> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, other) = (hosts.next(), hosts.next());
    let host = host.filter(|_| other.is_none());
    let host = host.and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    if host.is_some_and(|host| !host.as_str().contains('@') && is_loopback(host.host())) {
        return Ok(());
    }
    Err(Failure::forbidden(
        "foreign_host",
        "the Host header does not name this computer: use 127.0.0.1, [::1] or localhost in the \
         base URL",
    ))
}

fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = bare.unwrap_or(host).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_host_that_is_this_computer_is_accepted() {
        let check = |hosts: &[&'static str]| {
            let hosts = hosts
                .iter()
                .map(|host| (HOST, HeaderValue::from_static(host)));
            check_host(&hosts.collect()).is_ok()
        };
        for host in [
            "127.0.0.1:1",
            "127.0.0.1",
            "127.8.9.1:80",
            "[::1]:1",
            "localhost:1",
            "LocalHost",
        ] {
            assert!(check(&[host]), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "x@127.0.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "[::]",
            "",
        ] {
            assert!(!check(&[host]), "{host}");
        }
        assert!(!check(&[]));
        let mut two = HeaderMap::new();
        two.append(HOST, HeaderValue::from_static("127.0.0.1"));
        two.append(HOST, HeaderValue::from_static("example.com"));
        assert!(check_host(&two).is_err());
    }
}
