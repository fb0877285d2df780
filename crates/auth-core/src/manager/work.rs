//! Work that must be finished once begun, whoever still waits for it.

use tokio::sync::watch;

use crate::error::{Error, ErrorKind, Result};

/// Runs transactions in tasks of their own and knows when none is left.
#[derive(Debug)]
pub(super) struct Work {
    running: watch::Sender<usize>,
}

struct Running(watch::Sender<usize>);

impl Work {
    /// Starts it now; the future only waits, and dropping it changes nothing.
    pub(super) fn own<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        self.running.send_modify(|count| *count += 1);
        let running = Running(self.running.clone());
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
        let mut running = self.running.subscribe();
        // It fails only if the sender is gone, and then nothing runs.
        let _idle = running.wait_for(|count| *count == 0).await;
    }
}

impl Default for Work {
    fn default() -> Self {
        Self {
            running: watch::Sender::new(0),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
