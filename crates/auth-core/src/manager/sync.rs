//! The primitives that the model checker replaces.

#[cfg(shuttle)]
pub(super) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(shuttle))]
pub(super) use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::Tasks;
use crate::error::Result;

/// Locks; a panic elsewhere is no reason to give up.
#[cfg(not(shuttle))]
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(shuttle)]
#[expect(clippy::unwrap_used, reason = "a panic ends the model")]
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// Runs the future to its end, even if nothing waits for it.
#[cfg(not(shuttle))]
pub(super) fn spawn(
    tasks: &Tasks,
    flight: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let task = tasks.spawn(async move {
        flight.await;
        Ok(())
    })?;
    // The task goes on without its handle.
    drop(task);
    Ok(())
}

#[cfg(shuttle)]
pub(super) fn spawn(
    _tasks: &Tasks,
    flight: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    drop(shuttle::future::spawn(flight));
    Ok(())
}
