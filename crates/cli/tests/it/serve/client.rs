//! A program that knows a base URL and a key, byte for byte.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::wait::PATIENCE;

/// A request, of which everything can be said.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn get(target: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(super) fn post(target: &str, body: &str) -> Self {
        Self {
            method: "POST".to_owned(),
            body: body.to_owned(),
            ..Self::get(target)
        }
        .header("Content-Type", "application/json")
    }

    pub(super) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.header("Authorization", &format!("Bearer {key}"))
    }

    /// Sends it to an address, and returns the response once its headers are there.
    pub(super) fn open(&self, address: &str) -> Open {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        // One that is refused early may not be read to its end.
        let _refused_early = (&stream).write_all(self.text(address).as_bytes());
        Open::read(stream)
    }

    pub(super) fn send(&self, address: &str) -> Response {
        self.open(address).whole()
    }

    pub(super) fn text(&self, address: &str) -> String {
        let Self {
            method,
            target,
            headers,
            body,
        } = self;
        let mut text = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        let all = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let mut all: Vec<_> = all.collect();
        let length = body.len().to_string();
        if !headers.iter().any(|(name, _)| name == "Host") {
            all.push(("Host", address));
        }
        if !body.is_empty() {
            all.push(("Content-Length", &length));
        }
        for (name, value) in all {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text + "\r\n" + body
    }
}

/// A response whose body is still to come.
pub(super) struct Open {
    pub(super) status: u16,
    pub(super) head: String,
    reader: BufReader<TcpStream>,
}

impl Open {
    pub(super) fn read(stream: TcpStream) -> Self {
        Self::of(BufReader::new(stream))
    }

    /// The response after one that is not the last (100).
    pub(super) fn next(self) -> Self {
        Self::of(self.reader)
    }

    fn of(mut reader: BufReader<TcpStream>) -> Self {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(
                reader.read_line(&mut head).unwrap(),
                0,
                "no response: {head}"
            );
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head,
            reader,
        }
    }

    fn is_chunked(&self) -> bool {
        let head = self.head.to_ascii_lowercase();
        head.contains("\r\ntransfer-encoding: chunked\r\n")
    }

    /// The next chunk; empty at the end, `None` if the connection ends before.
    pub(super) fn chunk(&mut self) -> Option<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        self.reader.read_exact(&mut chunk).ok()?;
        chunk.truncate(length);
        Some(String::from_utf8(chunk).unwrap())
    }

    /// The chunks up to the first that holds this text.
    pub(super) fn until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(text) {
            seen.push_str(&self.chunk().unwrap_or_else(|| panic!("cut off: {seen}")));
        }
        seen
    }

    /// The rest of the body; the second value is whether it came to its end.
    pub(super) fn rest(&mut self) -> (String, bool) {
        let mut body = String::new();
        if !self.is_chunked() {
            let read = self.reader.read_to_string(&mut body);
            return (body, read.is_ok());
        }
        loop {
            match self.chunk() {
                None => return (body, false),
                Some(chunk) if chunk.is_empty() => return (body, true),
                Some(chunk) => body.push_str(&chunk),
            }
        }
    }

    pub(super) fn whole(mut self) -> Response {
        let (body, is_whole) = self.rest();
        assert!(is_whole, "cut off: {body}");
        Response {
            status: self.status,
            head: self.head,
            body,
        }
    }
}

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Response {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// An error of the proxy itself, as SDKs show it.
    pub(super) fn assert_refused(&self, status: u16, code: &str, words: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let error = &self.json()["error"];
        assert_eq!(error["code"], code, "{self:?}");
        assert!(error["type"].is_string(), "{self:?}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{words} is not in {message}");
    }
}
