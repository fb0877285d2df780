//! The library's own threads. Everything that must end once it has begun runs on them.
//!
//! A caller's runtime can be blocked, dropped or absent. A refresh that depended on it would then
//! lose the session, because the server has already rotated the refresh token. So the work runs
//! here, and the caller only waits.
//!
//! This module does not know what a session is.
//!
//! See decision 0053.

mod block_on;
mod claim;
mod exit;
mod foreign;
mod inside;
mod tasks;
mod workers;

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arc_swap::ArcSwapOption;
use tokio::runtime::{Builder, Handle, Runtime};

pub(crate) use block_on::block_on;
pub(crate) use claim::Claim;
pub(crate) use exit::{Critical, critical, is_ending, unless_given_up};
pub use exit::{give_up_waiting, skip_exit_wait};
pub(crate) use foreign::{Kinds, bounded};
pub(crate) use inside::inside;
pub(crate) use tasks::{AbortOnDrop, Tasks};
pub(crate) use workers::{files, names};

use crate::error::{Error, ErrorKind, Result};

/// Two threads, each with a runtime of its own that lives as long as the process.
#[derive(Debug)]
struct Engine {
    /// The process that started the threads: a forked child has none of them.
    process: u32,
    /// Connections and timers. Only this library's code runs here, so that it never stands still.
    io: Handle,
    /// Transactions, which call providers and stores.
    work: Handle,
}

static ENGINE: ArcSwapOption<Engine> = ArcSwapOption::const_empty();
static STARTING: Mutex<()> = Mutex::new(());

/// The runtime of connections and timers.
pub(crate) fn io() -> Result<Handle> {
    Ok(engine()?.io.clone())
}

/// The runtime of transactions.
pub(crate) fn work() -> Result<Handle> {
    Ok(engine()?.work.clone())
}

/// The engine of this process, started at the first call.
///
/// # Errors
///
/// [`ErrorKind::System`] if the system provides no thread or descriptor; nothing has begun then.
fn engine() -> Result<Arc<Engine>> {
    if let Some(engine) = running() {
        return Ok(engine);
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = running() {
        return Ok(engine);
    }
    exit::wait_at_exit();
    let engine = Arc::new(Engine {
        process: std::process::id(),
        io: start("llm-auth-io")?,
        work: start("llm-auth-work")?,
    });
    ENGINE.store(Some(Arc::clone(&engine)));
    Ok(engine)
}

fn running() -> Option<Arc<Engine>> {
    let engine = ENGINE.load_full()?;
    (engine.process == std::process::id()).then_some(engine)
}

fn start(name: &str) -> Result<Handle> {
    let failed = |source| {
        Error::new(
            ErrorKind::System,
            "cannot start a background thread; raise the limits of the process (`ulimit -a`)",
        )
        .with_source(source)
    };
    let runtime = check_descriptors()
        .and_then(|()| Builder::new_current_thread().enable_all().build())
        .map_err(failed)?;
    let handle = runtime.handle().clone();
    let mut runtime = Owned(Some(runtime));
    thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            mark_own_thread();
            if let Some(runtime) = runtime.0.take() {
                runtime.block_on(std::future::pending::<()>());
            }
        })
        .map_err(failed)?;
    Ok(handle)
}

/// A runtime that may be dropped inside another one. If no thread can be started, the caller drops
/// it.
struct Owned(Option<Runtime>);

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Tokio panics without a descriptor for its handling of signals, so this checks that some are
/// left; a refresh needs more than one later.
fn check_descriptors() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut room = Vec::new();
        for _ in 0..4 {
            room.push(std::os::unix::net::UnixStream::pair()?);
        }
    }
    Ok(())
}

/// Whether this is one of the library's threads.
fn is_own_thread() -> bool {
    OWN_THREAD.get()
}

thread_local! {
    static OWN_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as one of the library's.
fn mark_own_thread() {
    OWN_THREAD.set(true);
}
