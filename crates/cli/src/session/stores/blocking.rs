//! Calls of a server by commands that wait for them, inside and outside of the command's runtime.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use llm_auth_core::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle};

/// The thread that waits in place of the caller, which may stand in a runtime that must not block.
static RUNNING: Mutex<Option<Handle>> = Mutex::new(None);

/// Waits for work that a thread of its own does.
pub(super) fn run<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    handle()?.spawn(async move {
        // Nothing is lost if the caller has gone.
        let _gone = sender.send(work.await);
    });
    let done = receiver.recv();
    done.map_err(|_panic| Error::new(ErrorKind::Store, "the work on the store panicked"))?
}

fn handle() -> Result<Handle> {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = running.as_ref() {
        return Ok(handle.clone());
    }
    let failed = |source: std::io::Error| {
        Error::new(ErrorKind::System, "cannot start the thread of the store").with_source(source)
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new().name("llm-auth-store".into());
    // It goes on without its handle.
    let thread = thread.spawn(move || runtime.block_on(std::future::pending::<()>()));
    drop(thread.map_err(failed)?);
    *running = Some(handle.clone());
    Ok(handle)
}
