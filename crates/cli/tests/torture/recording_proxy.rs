//! The proxy between a process and the vendor: it writes down every generation that the vendor
//! gave out, in order, and holds or slows requests and answers.
//!
//! The vendor answers at once; all waiting is here. So it is known at every moment whether a
//! request has reached the vendor and whether the process could have read the answer.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::round::{Check, Stop};

/// How long an event on the proxy is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The generations of all sessions of a vendor, in the order in which it gave them out.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Pair>>);

/// An access token and the refresh token that was given out with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Ledger {
    pub(crate) fn add(&self, pair: Pair) {
        self.0.lock().unwrap().push(pair);
    }

    pub(crate) fn pairs(&self) -> Vec<Pair> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn holds(&self, access: &str, refresh: &str) -> bool {
        let pairs = self.0.lock().unwrap();
        pairs
            .iter()
            .any(|pair| pair.access == access && pair.refresh == refresh)
    }

    /// The refresh token that this access token came with.
    pub(crate) fn refresh_of(&self, access: &str) -> Option<String> {
        let pairs = self.0.lock().unwrap();
        let found = pairs.iter().find(|pair| pair.access == access)?;
        Some(found.refresh.clone())
    }

    /// When a refresh token was first given out, as a number that grows.
    pub(crate) fn generation(&self, refresh: &str) -> Option<usize> {
        let pairs = self.0.lock().unwrap();
        pairs.iter().position(|pair| pair.refresh == refresh)
    }
}

/// A way to the vendor for one process or for many.
#[derive(Debug)]
pub(crate) struct RecordingProxy {
    base: String,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    vendor: SocketAddr,
    ledger: Arc<Ledger>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    seen: Seen,
    hold_requests: bool,
    hold_answers: bool,
    request_delay: Duration,
    answer_delay: Duration,
    closing: bool,
    clients: Vec<TcpStream>,
    talks: Vec<JoinHandle<()>>,
}

/// What passed, refreshes only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Requests that came from a process.
    pub(crate) requests: u32,
    /// Requests that went on to the vendor.
    pub(crate) sent: u32,
    /// Answers that came back.
    pub(crate) answered: u32,
    /// Answers that went on to a process which was alive a moment before.
    pub(crate) delivered: u32,
    /// The access tokens in those.
    pub(crate) delivered_access: Vec<String>,
}

impl RecordingProxy {
    /// A proxy to `http://HOST:PORT`.
    pub(crate) fn new(vendor: &str, ledger: &Arc<Ledger>) -> Check<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let base = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            vendor: address(vendor),
            ledger: Arc::clone(ledger),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accepting.accept(&listener));
        Ok(Self {
            base,
            shared,
            acceptor: Some(acceptor),
        })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Every refresh takes this much longer, on its way there and on its way back.
    pub(crate) fn slow_down(&self, request: Duration, answer: Duration) {
        let mut state = self.shared.lock();
        (state.request_delay, state.answer_delay) = (request, answer);
    }

    /// Holds refreshes before they reach the vendor.
    pub(crate) fn hold_requests(&self) {
        self.shared.lock().hold_requests = true;
    }

    /// Holds the vendor's answers to refreshes.
    pub(crate) fn hold_answers(&self) {
        self.shared.lock().hold_answers = true;
    }

    /// Lets go of what is held.
    pub(crate) fn release(&self) {
        let mut state = self.shared.lock();
        (state.hold_requests, state.hold_answers) = (false, false);
        self.shared.changed.notify_all();
    }

    pub(crate) fn seen(&self) -> Seen {
        self.shared.lock().seen.clone()
    }

    /// Waits for something to pass; `false` if it did not in that time.
    pub(crate) fn comes_within(&self, limit: Duration, what: impl Fn(&Seen) -> bool) -> bool {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, limit, |state| !what(&state.seen));
        what(&waited.unwrap().0.seen)
    }

    /// Waits for something that must pass.
    pub(crate) fn wait_for(&self, name: &str, what: impl Fn(&Seen) -> bool) -> Check {
        if self.comes_within(PATIENCE, what) {
            return Ok(());
        }
        Err(Stop::Broken(format!("{name} never came")))
    }

    /// Ends it: afterwards everything that was sent has been answered and is written down. The
    /// processes at its end must be gone.
    pub(crate) fn settle(&mut self) -> Seen {
        if let Some(acceptor) = self.acceptor.take() {
            {
                let mut state = self.shared.lock();
                state.closing = true;
                for client in &state.clients {
                    let _closed = client.shutdown(Shutdown::Both);
                }
                self.shared.changed.notify_all();
            }
            // Wakes the acceptor, which then sees that it is over.
            let _woken = TcpStream::connect(address(&self.base));
            acceptor.join().unwrap();
            let talks = std::mem::take(&mut self.shared.lock().talks);
            for talk in talks {
                talk.join().unwrap();
            }
        }
        self.seen()
    }
}

impl Drop for RecordingProxy {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            let mut state = self.lock();
            if state.closing {
                return;
            }
            let _nodelay = client.set_nodelay(true);
            state.clients.push(client.try_clone().unwrap());
            let talking = Arc::clone(self);
            state.talks.push(std::thread::spawn(move || {
                // A talk that breaks off concerns only the process at its end.
                let _ended = talking.talk(client);
            }));
        }
    }

    fn talk(&self, mut client: TcpStream) -> io::Result<()> {
        let mut vendor = TcpStream::connect(self.vendor)?;
        vendor.set_nodelay(true)?;
        while let Some(request) = read_message(&mut client)? {
            let refresh = holds(&request, b"grant_type=refresh_token");
            if refresh {
                let delay = self.pass(|seen| seen.requests += 1, |state| state.hold_requests);
                std::thread::sleep(delay.0);
                if !is_alive(&client) {
                    break;
                }
            }
            vendor.write_all(&request)?;
            if refresh {
                self.pass(|seen| seen.sent += 1, |_| false);
            }
            let Some(answer) = read_message(&mut vendor)? else {
                break;
            };
            let pair = pair_in(&answer);
            if let Some(pair) = &pair {
                self.ledger.add(pair.clone());
            }
            if refresh {
                let delay = self.pass(|seen| seen.answered += 1, |state| state.hold_answers);
                std::thread::sleep(delay.1);
            }
            let delivered = is_alive(&client) && client.write_all(&answer).is_ok();
            if refresh && delivered {
                self.pass(
                    |seen| {
                        seen.delivered += 1;
                        seen.delivered_access.extend(pair.map(|pair| pair.access));
                    },
                    |_| false,
                );
            }
        }
        client.shutdown(Shutdown::Both)
    }

    /// Writes down that something passed, waits while it is held, and says what delays are set.
    fn pass(
        &self,
        note: impl FnOnce(&mut Seen),
        held: impl Fn(&State) -> bool,
    ) -> (Duration, Duration) {
        let mut state = self.lock();
        note(&mut state.seen);
        self.changed.notify_all();
        let state = self
            .changed
            .wait_while(state, |state| held(state) && !state.closing)
            .unwrap();
        (state.request_delay, state.answer_delay)
    }
}

/// Asks the vendor without any llm-auth in between.
pub(crate) fn post(base: &str, path: &str, form: &[(&str, &str)]) -> io::Result<Vec<u8>> {
    let body: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    let (host, body) = (address(base), body.join("&"));
    let mut vendor = TcpStream::connect(host)?;
    write!(
        vendor,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: a-go-program\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    read_message(&mut vendor)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The JSON in an answer; null if it has none.
pub(crate) fn body_of(answer: &[u8]) -> Value {
    let text = String::from_utf8_lossy(answer);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
    serde_json::from_str(body.unwrap_or_default()).unwrap_or_default()
}

/// The tokens in an answer.
pub(crate) fn pair_in(answer: &[u8]) -> Option<Pair> {
    let body = body_of(answer);
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

fn address(base: &str) -> SocketAddr {
    base.trim_start_matches("http://").parse().unwrap()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Whether the other end still keeps its socket open.
fn is_alive(stream: &TcpStream) -> bool {
    let _set = stream.set_nonblocking(true);
    let peeked = stream.peek(&mut [0]);
    let _set = stream.set_nonblocking(false);
    matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Head and body of one message with a `Content-Length`; `None` at the end of the connection.
fn read_message(from: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
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
