//! A strict reader of streamed replies, from the bytes of the socket up.

use llm_auth_testkit::Testkit;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: Option<String>,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// A streamed response as it came.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) head: String,
    pub(crate) chunks: Vec<String>,
    /// Whether the last chunk came, the empty one.
    pub(crate) whole: bool,
}

impl Streamed {
    /// The events; each chunk must hold exactly one.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.chunks.iter().map(|chunk| event(chunk)).collect()
    }

    /// The data of all events but `[DONE]`.
    pub(crate) fn data(&self) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event.data != "[DONE]");
        events.iter().map(Event::json).collect()
    }
}

/// At most one `event` line, one `data` line and an empty line; nothing else.
pub(crate) fn event(chunk: &str) -> Event {
    let block = chunk.strip_suffix("\n\n").unwrap();
    let lines: Vec<&str> = block.split('\n').collect();
    let field = |line: &str, name: &str| {
        let value = line.strip_prefix(name).and_then(|l| l.strip_prefix(": "));
        value
            .unwrap_or_else(|| panic!("not {name}: {chunk}"))
            .to_owned()
    };
    match lines[..] {
        [data] => Event {
            name: None,
            data: field(data, "data"),
        },
        [name, data] => Event {
            name: Some(field(name, "event")),
            data: field(data, "data"),
        },
        _ => panic!("not one event: {chunk}"),
    }
}

/// Sends a request over a raw socket and reads until the server closes the connection.
pub(crate) async fn stream(kit: &Testkit, path: &str, token: &str, body: &Value) -> Streamed {
    let address = kit.base_url().strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         x-goog-user-project: p\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, mut rest) = text.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(head.contains("transfer-encoding: chunked"), "{text}");
    let mut chunks = Vec::new();
    let mut whole = false;
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        let (chunk, after) = after.split_at(size);
        rest = after.strip_prefix("\r\n").unwrap();
        if size == 0 {
            whole = true;
            assert_eq!(rest, "");
            break;
        }
        chunks.push(chunk.to_owned());
    }
    Streamed {
        head,
        chunks,
        whole,
    }
}
