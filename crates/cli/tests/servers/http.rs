//! Requests of a test to a server, without the command in between.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::wait::PATIENCE;

/// What a server returned.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) fn get(url: &str) -> Response {
    request(url, "")
}

/// The same with an access token.
pub(crate) fn get_with(url: &str, token: &str) -> Response {
    request(url, &format!("Authorization: Bearer {token}\r\n"))
}

fn request(url: &str, headers: &str) -> Response {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server of HTTP/1.0 sends no chunks, and ends the connection after its response.
    write!(
        stream,
        "GET /{path} HTTP/1.0\r\nHost: {host}\r\n{headers}\r\n"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    Response {
        status: status.parse().unwrap(),
        body: body.to_owned(),
    }
}
