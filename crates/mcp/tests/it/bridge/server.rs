//! An MCP server of a test: a function from requests to replies, on a real socket.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_mcp::SecureUrl;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::exchange::{Reply, Request, take};

/// Longer than any test takes, so that one that hangs fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

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
