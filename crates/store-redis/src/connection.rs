//! Connections: one for each runtime, made when it is needed, and made again when it breaks.
//!
//! A connection is driven by the runtime that made it. One that a caller's runtime drives would stand
//! still with it, and the refresh of the library's own thread too.

mod target;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use llm_auth_core::{Error, ErrorKind, Result};
use redis::{Cmd, RedisError, ServerErrorKind, Value};
use tokio::runtime::{self, Handle};

pub(crate) use self::target::{Kind, Target};
pub(crate) use self::wire::Wire;
use crate::scripts::Call;
use crate::server::{Durability, ServerReport};
use crate::site::Site;

/// The settings of a server may change: they are checked again after this time.
const CHECKED_FOR: Duration = Duration::from_secs(60);

/// Runtimes beyond that share nothing with each other: tests, mostly.
const MOST_RUNTIMES: usize = 16;

/// All connections of a store.
#[derive(Debug)]
pub(crate) struct Connections {
    target: Target,
    pub(crate) site: Site,
    needed: Durability,
    of_runtimes: Mutex<Vec<(runtime::Id, Arc<Slot>)>>,
}

/// The connection of one runtime.
type Slot = tokio::sync::Mutex<State>;

#[derive(Debug, Default)]
struct State {
    live: Option<Live>,
    /// Callers that waited for an attempt that failed do not try one after the other.
    failed: Option<(Instant, Error)>,
    made: u64,
}

#[derive(Clone, Debug)]
struct Live {
    wire: Wire,
    number: u64,
    checked: Instant,
}

#[derive(Clone, Copy)]
enum Request<'a> {
    Script(&'a Call),
    Command(&'a Cmd),
}

impl Request<'_> {
    async fn send(self, wire: &mut Wire) -> std::result::Result<Value, RedisError> {
        match self {
            Self::Command(command) => wire.send(command).await,
            Self::Script(call) => match wire.send(&call.short()).await {
                Err(error) if is_unknown_script(&error) => wire.send(&call.whole()).await,
                reply => reply,
            },
        }
    }
}

impl Connections {
    pub(crate) fn new(target: Target, needed: Durability) -> Self {
        Self {
            site: Site::new(target.words()),
            target,
            needed,
            of_runtimes: Mutex::default(),
        }
    }

    /// Whether no other computer can read what is sent.
    pub(crate) fn is_private(&self) -> bool {
        self.target.is_private()
    }

    /// Runs a script. It may run twice, if the connection breaks before the reply comes.
    pub(crate) async fn call(&self, key: &str, call: &Call) -> Result<Value> {
        self.request(key, Request::Script(call)).await
    }

    pub(crate) async fn command(&self, key: &str, command: &Cmd) -> Result<Value> {
        self.request(key, Request::Command(command)).await
    }

    /// A connection for several commands.
    pub(crate) async fn wire(&self) -> Result<Wire> {
        Ok(self.live().await?.wire)
    }

    /// What the server reports of itself now.
    pub(crate) async fn report(&self) -> Result<ServerReport> {
        let mut wire = self.live().await?.wire;
        ServerReport::of(&mut wire, &self.site).await
    }

    /// Once more with a new connection if the first one broke, or leads to a server that is no longer
    /// the primary.
    async fn request(&self, key: &str, request: Request<'_>) -> Result<Value> {
        let mut is_first = true;
        loop {
            let mut live = self.live().await?;
            let error = match request.send(&mut live.wire).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let is_broken = is_broken(&error);
            if is_broken {
                self.forget(live.number).await?;
            }
            if !is_broken || !is_first || error.is_timeout() {
                return Err(self.site.failed(key, error));
            }
            is_first = false;
        }
    }

    async fn live(&self) -> Result<Live> {
        let (slot, asked) = (self.slot()?, Instant::now());
        let mut state = slot.lock().await;
        if let Some((at, error)) = &state.failed
            && *at >= asked
        {
            return Err(error.clone());
        }
        let outcome = self.checked(&mut state).await;
        state.failed = match &outcome {
            Ok(_) => None,
            Err(error) => {
                state.live = None;
                Some((Instant::now(), error.clone()))
            }
        };
        outcome
    }

    async fn checked(&self, state: &mut State) -> Result<Live> {
        let mut live = match state.live.take() {
            Some(live) if live.checked.elapsed() < CHECKED_FOR => {
                state.live = Some(live.clone());
                return Ok(live);
            }
            Some(live) => live,
            None => {
                let wire = self.target.connect().await;
                state.made += 1;
                Live {
                    wire: wire.map_err(|error| self.site.unreachable(error))?,
                    number: state.made,
                    checked: Instant::now(),
                }
            }
        };
        let report = ServerReport::of(&mut live.wire, &self.site).await?;
        report.check(self.needed, self.target.is_cluster(), &self.site)?;
        live.checked = Instant::now();
        state.live = Some(live.clone());
        Ok(live)
    }

    async fn forget(&self, number: u64) -> Result<()> {
        let slot = self.slot()?;
        let mut state = slot.lock().await;
        state.live.take_if(|live| live.number == number);
        Ok(())
    }

    fn slot(&self) -> Result<Arc<Slot>> {
        let handle = Handle::try_current().map_err(|source| {
            let message = "the Redis store works in a runtime of tokio alone; call it from one";
            Error::new(ErrorKind::Config, message).with_source(source)
        })?;
        let mut all = self
            .of_runtimes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = all.iter().find(|(id, _)| *id == handle.id()) {
            return Ok(Arc::clone(slot));
        }
        if all.len() >= MOST_RUNTIMES {
            all.remove(0);
        }
        let slot = Arc::default();
        all.push((handle.id(), Arc::clone(&slot)));
        Ok(slot)
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}

/// Whether another connection may help.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || error.kind() == ServerErrorKind::ReadOnly.into()
}
