//! Work that must be finished once begun, whoever still waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::error::{Error, ErrorKind, Result};

/// Runs transactions in tasks of their own and knows when none is left.
#[derive(Debug, Default)]
pub(super) struct Work(Arc<Tally>);

#[derive(Debug, Default)]
struct Tally {
    running: AtomicUsize,
    none_left: Notify,
}

struct Running(Arc<Tally>);

impl Work {
    /// Starts it now; the future only waits, and dropping it changes nothing.
    pub(super) fn own<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        self.0.running.fetch_add(1, Ordering::SeqCst);
        let running = Running(Arc::clone(&self.0));
        let task = tokio::spawn(async move {
            let _running = running;
            work.await
        });
        async move {
            task.await.unwrap_or_else(|source| {
                Err(
                    Error::new(ErrorKind::System, "the work on a session was cut off")
                        .with_source(source),
                )
            })
        }
    }

    /// Waits until nothing is running.
    pub(super) async fn idle(&self) {
        loop {
            // From its making on it hears, so that an end between the look and the wait counts.
            let none_left = self.0.none_left.notified();
            if self.0.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            none_left.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}
