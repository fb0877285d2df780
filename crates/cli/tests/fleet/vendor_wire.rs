//! The way of the hosts to the vendor. It keeps the ledger: what each host sent, what the vendor
//! replied, and whether that arrived.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::database_wire::State;
use crate::ledger::{HostLife, Ledger, Pair, Reply};
use crate::trigger::{Point, Trigger};

#[derive(Debug)]
pub(crate) struct VendorWire {
    pub(crate) base: String,
    states: Vec<watch::Sender<State>>,
}

struct Shared {
    vendor: String,
    states: Vec<watch::Receiver<State>>,
    trigger: Arc<Trigger>,
    ledger: Arc<Mutex<Ledger>>,
}

impl VendorWire {
    pub(crate) async fn start(
        vendor: &str,
        hosts: usize,
        trigger: Arc<Trigger>,
        ledger: Arc<Mutex<Ledger>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (states, receivers) = (0..hosts).map(|_| watch::channel(State::Whole)).unzip();
        let shared = Arc::new(Shared {
            vendor: vendor.trim_start_matches("http://").to_owned(),
            states: receivers,
            trigger,
            ledger,
        });
        tokio::spawn(async move {
            let mut end = shared.states[0].clone();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = async { while end.changed().await.is_ok() {} } => return,
                };
                let Ok((client, _)) = accepted else { return };
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { shared.serve(client).await });
            }
        });
        Self { base, states }
    }

    pub(crate) fn set(&self, host: usize, state: State) {
        self.states[host].send_replace(state);
    }
}

impl Shared {
    /// One request, one response.
    async fn serve(&self, mut client: TcpStream) -> Option<()> {
        let request = message(&mut client).await?;
        let (head, body) = parts(&request)?;
        let (Some(token), Some(who)) = (parameter(body, "refresh_token"), life(head)) else {
            let response = self.ask(&request).await?;
            return client.write_all(&response).await.ok();
        };
        self.trigger.pass(Point::Asked, who.host).await;
        if !self.is_whole(who.host).await {
            return None;
        }
        let sent = self.ledger.lock().unwrap().sent(who, token, Instant::now());
        let response = self.ask(&request).await?;
        let reply = reply(&response);
        self.ledger
            .lock()
            .unwrap()
            .replied(sent, reply, Instant::now());
        self.trigger.pass(Point::Replied, who.host).await;
        if !self.is_whole(who.host).await || has_gone(&client) {
            return None;
        }
        client.write_all(&response).await.ok()?;
        self.ledger.lock().unwrap().delivered(sent, true);
        self.trigger.pass(Point::Delivered, who.host).await;
        // A host that closes without having read it all resets the connection.
        let closed = client.read(&mut [0]).await;
        self.ledger.lock().unwrap().delivered(sent, closed.is_ok());
        Some(())
    }

    /// Whether messages of the host pass; it waits for the end of a silence.
    async fn is_whole(&self, host: usize) -> bool {
        let mut changes = self.states[host].clone();
        let state = *changes.borrow_and_update();
        if state == State::Silent {
            let _healed = changes.changed().await;
        }
        state == State::Whole
    }

    async fn ask(&self, request: &[u8]) -> Option<Vec<u8>> {
        let mut vendor = TcpStream::connect(&self.vendor).await.ok()?;
        vendor.write_all(request).await.ok()?;
        let response = message(&mut vendor).await?;
        // One request per connection.
        let end = response.windows(2).position(|end| end == b"\r\n")? + 2;
        let (line, rest) = response.split_at(end);
        Some([line, b"Connection: close\r\n", rest].concat())
    }
}

/// A head, and a body of the length that it names.
async fn message(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some((head, body)) = parts(&bytes) {
            let length = header(head, "content-length").map_or(0, |text| text.parse().unwrap_or(0));
            if body.len() >= length {
                return Some(bytes);
            }
        }
        let read = from.read_buf(&mut bytes).await.ok()?;
        if read == 0 {
            return None;
        }
    }
}

fn parts(message: &[u8]) -> Option<(&str, &[u8])> {
    let end = message.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let (head, body) = message.split_at(end);
    Some((std::str::from_utf8(head).ok()?, body))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn life(head: &str) -> Option<HostLife> {
    let mut parts = header(head, "user-agent")?
        .strip_prefix("host-")?
        .split('-');
    let mut number = || parts.next()?.parse().ok();
    Some(HostLife {
        host: number()?,
        life: number()?,
    })
}

/// A parameter of a form, decoded.
fn parameter(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let found = text.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        (found == name).then_some(value)
    })?;
    let mut bytes = Vec::new();
    let mut rest = found.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn reply(response: &[u8]) -> Reply {
    let rotated = || {
        let (head, body) = parts(response)?;
        head.split(' ').nth(1).filter(|status| *status == "200")?;
        let json: Value = serde_json::from_slice(body).ok()?;
        Some(Pair {
            access: json["access_token"].as_str()?.to_owned(),
            refresh: json["refresh_token"].as_str()?.to_owned(),
        })
    };
    rotated().map_or(Reply::Rejected, Reply::Rotated)
}

/// Whether the other end has closed, which it does at its time limit and when it dies.
fn has_gone(client: &TcpStream) -> bool {
    let mut byte = [0];
    match client.try_read(&mut byte) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}
