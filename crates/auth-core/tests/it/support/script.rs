//! A server that returns responses in order, and remembers the requests.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request: its first line, and its body.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) target: String,
    /// The value of the `Authorization` header.
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

impl Sent {
    #[cfg(feature = "loopback")]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// A parameter of a form; none of them is escaped in these tests.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) base: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Script {
    /// Returns these statuses and bodies; a body that begins with a brace is JSON, any other form
    /// parameters.
    pub(crate) async fn start(responses: &[(u16, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let script = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            sent: Arc::default(),
        };
        let sent = Arc::clone(&script.sent);
        let responses: Vec<_> = responses
            .iter()
            .map(|(status, body)| (*status, (*body).to_owned()))
            .collect();
        tokio::spawn(async move {
            for (status, body) in responses {
                let (stream, _) = listener.accept().await.unwrap();
                serve(stream, status, &body, &sent).await;
            }
        });
        script
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, status: u16, body: &str, sent: &Mutex<Vec<Sent>>) {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, received)) = text.split_once("\r\n\r\n") {
            let authorization = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                let is_it = name.eq_ignore_ascii_case("authorization");
                is_it.then(|| value.to_owned())
            });
            let length = head.to_ascii_lowercase();
            let length = length
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if received.len() >= length.unwrap_or(0) {
                sent.lock().unwrap().push(Sent {
                    target: head.split(' ').nth(1).unwrap().to_owned(),
                    authorization,
                    body: received.to_owned(),
                });
                break;
            }
        }
        if stream.read_buf(&mut seen).await.unwrap() == 0 {
            return;
        }
    }
    let kind = match body.starts_with('{') {
        true => "application/json",
        false => "application/x-www-form-urlencoded",
    };
    let response = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await.unwrap();
}
