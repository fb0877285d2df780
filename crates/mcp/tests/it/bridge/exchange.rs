//! A request to the server of a test, and its reply.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Mutex;

use serde_json::Value;
use tokio::sync::mpsc;

#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The method of JSON-RPC; of HTTP without one.
    pub(crate) fn rpc(&self) -> String {
        let rpc = self.json()["method"].as_str().map(str::to_owned);
        rpc.unwrap_or_else(|| self.method.clone())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

pub(crate) enum Reply {
    Whole(u16, Vec<(&'static str, String)>, String),
    /// A stream of text that ends with its sender; the connection is closed without the end of the
    /// body if the text is empty.
    Stream(Vec<(&'static str, String)>, mpsc::UnboundedReceiver<String>),
    /// The connection is closed without a response.
    Cut,
}

impl Reply {
    pub(crate) fn json(body: impl fmt::Display) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self::Whole(200, headers, body.to_string())
    }

    pub(crate) fn result(request: &Request, result: Value) -> Self {
        let id = &request.json()["id"];
        Self::json(serde_json::json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Whole(status, Vec::new(), String::new())
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Whole(_, headers, _) | Self::Stream(headers, _) = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }

    /// A stream of events with this text.
    pub(crate) fn events(text: impl Into<String>) -> Self {
        let (reply, sender) = Self::open();
        sender.send(text.into()).unwrap();
        reply
    }

    /// A stream of events that is written by the test.
    pub(crate) fn open() -> (Self, mpsc::UnboundedSender<String>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let headers = vec![("content-type", "text/event-stream".to_owned())];
        (Self::Stream(headers, receiver), sender)
    }
}

/// Replies in their order; one more is an error.
pub(crate) fn in_turn(replies: impl IntoIterator<Item = Reply>) -> impl Fn() -> Reply {
    let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
    move || {
        replies
            .lock()
            .unwrap()
            .pop_front()
            .expect("a reply is left")
    }
}

/// Takes a whole request from the beginning of the bytes.
pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Request> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let method = lines.next()?.split(' ').next()?.to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let whole = end + 4 + length;
    if bytes.len() < whole {
        return None;
    }
    let body = String::from_utf8(bytes[end + 4..whole].to_vec()).unwrap();
    bytes.drain(..whole);
    Some(Request {
        method,
        headers,
        body,
    })
}
