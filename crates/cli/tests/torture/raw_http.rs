//! HTTP messages as bytes on a socket.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::ledger::Pair;

/// Asks the provider without any llm-auth in between.
pub(crate) fn post(base: &str, path: &str, form: &[(&str, &str)]) -> io::Result<Vec<u8>> {
    let body: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    let (host, body) = (address(base), body.join("&"));
    let mut provider = TcpStream::connect(host)?;
    write!(
        provider,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: a-go-program\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    read_message(&mut provider)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The JSON in a response; null if it has none.
pub(crate) fn body_of(response: &[u8]) -> Value {
    let text = String::from_utf8_lossy(response);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
    serde_json::from_str(body.unwrap_or_default()).unwrap_or_default()
}

/// The tokens in a response.
pub(crate) fn pair_in(response: &[u8]) -> Option<Pair> {
    let body = body_of(response);
    Some(Pair {
        access: body["access_token"].as_str()?.to_owned(),
        refresh: body["refresh_token"].as_str()?.to_owned(),
    })
}

fn escaped(value: &str) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    value.bytes().map(escape).collect()
}

pub(crate) fn address(base: &str) -> SocketAddr {
    base.trim_start_matches("http://").parse().unwrap()
}

/// Whether the other end still keeps its socket open.
pub(crate) fn is_alive(stream: &TcpStream) -> bool {
    let _set = stream.set_nonblocking(true);
    let peeked = stream.peek(&mut [0]);
    let _set = stream.set_nonblocking(false);
    matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Head and body of one message with a `Content-Length`; `None` at the end of the connection.
pub(crate) fn read_message(from: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some(length) = whole_length(&message)
            && message.len() >= length
        {
            return Ok(Some(message));
        }
        match from.read(&mut buffer)? {
            0 => return Ok(None),
            read => message.extend_from_slice(&buffer[..read]),
        }
    }
}

fn whole_length(message: &[u8]) -> Option<usize> {
    let head = message.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let lines = String::from_utf8_lossy(&message[..head]).to_ascii_lowercase();
    let length = lines
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let body = length.map_or(0, |length| length.trim().parse().unwrap_or(0));
    Some(head + body)
}
