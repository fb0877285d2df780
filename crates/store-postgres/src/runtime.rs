//! One thread for all connections of the process. It lives as long as the process, so that no
//! connection depends on the runtime of a caller, which may be blocked or dropped.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use llm_auth_core::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

/// With the process that started it: a forked child has no thread.
static RUNNING: Mutex<Option<(u32, Handle)>> = Mutex::new(None);

pub(crate) fn handle() -> Result<Handle> {
    let process = std::process::id();
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, handle)) = running.as_ref()
        && *of == process
    {
        return Ok(handle.clone());
    }
    let failed = |source: std::io::Error| {
        Error::new(ErrorKind::System, "cannot start the thread of the database").with_source(source)
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new().name("llm-auth-postgres".into());
    let thread = thread.spawn(move || runtime.block_on(std::future::pending::<()>()));
    // It goes on without its handle.
    drop(thread.map_err(failed)?);
    *running = Some((process, handle.clone()));
    Ok(handle)
}

/// Runs work to its end, even if the caller is dropped: a statement cannot be taken back once it is
/// sent, and its outcome must be known.
pub(crate) async fn run<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let ended = handle()?.spawn(work).await;
    ended.map_err(|_panic| Error::new(ErrorKind::Store, "the work on the database panicked"))?
}

/// Runs `work` if it ends in time, on any executor.
pub(crate) async fn within<T: Send + 'static>(
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<Option<T>> {
    run(async move { Ok(tokio::time::timeout(limit, work).await.ok()) }).await
}

/// Waits, but not once it is notified. What was notified before is not seen.
pub(crate) async fn pause(limit: Duration, notify: Arc<Notify>) -> Result<()> {
    within(limit, async move { notify.notified().await })
        .await
        .map(drop)
}
