//! An MCP server of a test: a function from requests to replies, on a real socket.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_mcp::SecureUrl;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than any test takes, so that one that hangs fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

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

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    /// The methods of the streams that the client has closed.
    closed: Vec<String>,
}

pub(crate) struct Server {
    pub(crate) url: SecureUrl,
    state: Arc<watch::Sender<State>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let state = Arc::new(watch::Sender::new(State::default()));
        let (handler, shared): (Handler, _) = (Arc::new(handler), Arc::clone(&state));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, state) = (Arc::clone(&handler), Arc::clone(&shared));
                tokio::spawn(async move { serve(stream, &handler, &state).await });
            }
        });
        let url = SecureUrl::new(&url).unwrap();
        Self { url, state, task }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.borrow().requests.clone()
    }

    /// The methods of the requests so far.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.requests().iter().map(Request::rpc).collect()
    }

    /// The first request with this method of JSON-RPC or HTTP, once it has come.
    pub(crate) async fn request(&self, method: &str) -> Request {
        self.nth_request(method, 0).await
    }

    pub(crate) async fn nth_request(&self, method: &str, n: usize) -> Request {
        let mut state = self.state.subscribe();
        let found = |state: &State| {
            let mut requests = state
                .requests
                .iter()
                .filter(|request| request.rpc() == method);
            requests.nth(n).cloned()
        };
        let waiting = state.wait_for(|state| found(state).is_some());
        let state = timeout(LIMIT, waiting).await.expect(method).unwrap();
        found(&state).unwrap()
    }

    /// Waits until the client has closed the stream that is the response to this method.
    pub(crate) async fn closed(&self, method: &str) {
        let mut state = self.state.subscribe();
        let waiting = state.wait_for(|state| state.closed.iter().any(|closed| closed == method));
        timeout(LIMIT, waiting).await.expect(method).unwrap();
    }
}

async fn serve(mut stream: TcpStream, handler: &Handler, state: &watch::Sender<State>) {
    let mut bytes = Vec::new();
    loop {
        let request = loop {
            if let Some(request) = take(&mut bytes) {
                break request;
            }
            if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                return;
            }
        };
        state.send_modify(|state| state.requests.push(request.clone()));
        match handler(&request) {
            Reply::Cut => return,
            Reply::Whole(status, headers, body) => {
                let length = body.len();
                let head = head(status, &headers);
                let text = format!("{head}content-length: {length}\r\n\r\n{body}");
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
            Reply::Stream(headers, pieces) => {
                let head = head(200, &headers);
                let text = format!("{head}transfer-encoding: chunked\r\n\r\n");
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
                if !write_pieces(&mut stream, pieces).await {
                    let closed = request.rpc();
                    state.send_modify(|state| state.closed.push(closed));
                    return;
                }
            }
        }
    }
}

/// Returns false if the client has closed the connection, or this side cuts it.
async fn write_pieces(stream: &mut TcpStream, mut pieces: mpsc::UnboundedReceiver<String>) -> bool {
    let mut unread = [0; 1];
    loop {
        let piece = tokio::select! {
            piece = pieces.recv() => piece,
            _closed = stream.read(&mut unread) => return false,
        };
        let Some(piece) = piece else {
            return stream.write_all(b"0\r\n\r\n").await.is_ok();
        };
        let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
        if piece.is_empty() || stream.write_all(chunk.as_bytes()).await.is_err() {
            return false;
        }
    }
}

fn head(status: u16, headers: &[(&'static str, String)]) -> String {
    let headers = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    format!(
        "HTTP/1.1 {status} Scripted\r\n{}",
        headers.collect::<String>()
    )
}

/// Takes a whole request from the beginning of the bytes.
fn take(bytes: &mut Vec<u8>) -> Option<Request> {
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

/// Replies in their order; one more is an error.
pub(crate) fn in_turn(replies: impl IntoIterator<Item = Reply>) -> impl Fn() -> Reply {
    let replies = Mutex::new(
        replies
            .into_iter()
            .collect::<std::collections::VecDeque<_>>(),
    );
    move || {
        replies
            .lock()
            .unwrap()
            .pop_front()
            .expect("a reply is left")
    }
}
