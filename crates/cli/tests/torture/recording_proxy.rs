//! The proxy between a process and the provider: it writes down every generation that the provider
//! gave out, in order, and holds or slows requests and responses.
//!
//! The provider responds at once; all waiting is here. So it is known at every moment whether a
//! request has reached the provider and whether the process could have read the response.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::ledger::Ledger;
use crate::raw_http::{address, is_alive, pair_in, read_message};
use crate::round::{Check, Stop};

/// How long an event on the proxy is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way to the provider for one process or for many.
#[derive(Debug)]
pub(crate) struct RecordingProxy {
    base: String,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    provider: SocketAddr,
    ledger: Arc<Ledger>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    seen: Seen,
    hold_requests: bool,
    hold_responses: bool,
    request_delay: Duration,
    response_delay: Duration,
    closing: bool,
    clients: Vec<TcpStream>,
    talks: Vec<JoinHandle<()>>,
}

/// What passed, refreshes only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Requests that came from a process.
    pub(crate) requests: u32,
    /// Requests that went on to the provider.
    pub(crate) sent: u32,
    /// Responses that came back.
    pub(crate) answered: u32,
    /// Responses that went on to a process which was alive a moment before.
    pub(crate) delivered: u32,
    /// The access tokens in those.
    pub(crate) delivered_access: Vec<String>,
}

impl RecordingProxy {
    /// A proxy to `http://HOST:PORT`.
    pub(crate) fn new(provider: &str, ledger: &Arc<Ledger>) -> Check<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let base = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            provider: address(provider),
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
    pub(crate) fn slow_down(&self, request: Duration, response: Duration) {
        let mut state = self.shared.lock();
        (state.request_delay, state.response_delay) = (request, response);
    }

    /// Holds refreshes before they reach the provider.
    pub(crate) fn hold_requests(&self) {
        self.shared.lock().hold_requests = true;
    }

    /// Holds the provider's responses to refreshes.
    pub(crate) fn hold_responses(&self) {
        self.shared.lock().hold_responses = true;
    }

    /// Lets go of what is held.
    pub(crate) fn release(&self) {
        let mut state = self.shared.lock();
        (state.hold_requests, state.hold_responses) = (false, false);
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
        let mut provider = TcpStream::connect(self.provider)?;
        provider.set_nodelay(true)?;
        while let Some(request) = read_message(&mut client)? {
            let refresh = holds(&request, b"grant_type=refresh_token");
            if refresh {
                let delay = self.pass(|seen| seen.requests += 1, |state| state.hold_requests);
                std::thread::sleep(delay.0);
                if !is_alive(&client) {
                    break;
                }
            }
            provider.write_all(&request)?;
            if refresh {
                self.pass(|seen| seen.sent += 1, |_| false);
            }
            let Some(response) = read_message(&mut provider)? else {
                break;
            };
            let pair = pair_in(&response);
            if let Some(pair) = &pair {
                self.ledger.add(pair.clone());
            }
            if refresh {
                let delay = self.pass(|seen| seen.answered += 1, |state| state.hold_responses);
                std::thread::sleep(delay.1);
            }
            let delivered = is_alive(&client) && client.write_all(&response).is_ok();
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

    /// Writes down that something passed, waits while it is held, and returns the delays that are set.
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
        (state.request_delay, state.response_delay)
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
