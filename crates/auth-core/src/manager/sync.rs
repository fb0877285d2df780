//! The primitives that the model checker replaces.

#[cfg(shuttle)]
pub(super) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(shuttle))]
pub(super) use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Runs the future to its end, even if nothing waits for it. The engine runs already, because the
/// watched flight runs in it.
#[cfg(not(shuttle))]
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(engine) = crate::engine::io() {
        drop(engine.spawn(task));
    }
}

#[cfg(shuttle)]
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(shuttle::future::spawn(task));
}
