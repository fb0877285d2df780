//! Tasks that end by themselves, whether or not their caller still waits.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinHandle};

use crate::error::{Error, ErrorKind, Result};

/// Runs transactions in the engine and knows when none is running.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    running: AtomicUsize,
    none_left: Notify,
    /// The process whose tasks are counted: in a forked child there are none of them.
    process: AtomicU32,
}

impl Count {
    fn begin(&self) {
        let process = std::process::id();
        if self.process.swap(process, Ordering::SeqCst) != process {
            self.running.store(0, Ordering::SeqCst);
        }
        self.running.fetch_add(1, Ordering::SeqCst);
    }

    fn is_none(&self) -> bool {
        self.running.load(Ordering::SeqCst) == 0
            || self.process.load(Ordering::SeqCst) != std::process::id()
    }
}

struct Running(Arc<Count>);

impl Tasks {
    /// Starts the task now; the future only waits, and dropping it changes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::System`] if the engine cannot be started; then nothing has begun.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<impl Future<Output = Result<T>> + Send + 'static> {
        let engine = super::work()?;
        self.0.begin();
        let running = Running(Arc::clone(&self.0));
        let task = engine.spawn(async move {
            let _running = running;
            work.await
        });
        Ok(async move { task.await.unwrap_or_else(|source| Err(cut_off(source))) })
    }

    /// Waits until nothing is running.
    pub(crate) async fn idle(&self) {
        loop {
            // The receiver exists before the check, so that it does not miss a task that ends
            // between the check and the wait.
            let none_left = self.0.none_left.notified();
            if self.0.is_none() {
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

/// A task that ends with its handle.
#[derive(Debug)]
pub(crate) struct AbortOnDrop<T>(JoinHandle<T>);

impl<T: Send + 'static> AbortOnDrop<T> {
    pub(crate) fn spawn(on: &Handle, task: impl Future<Output = T> + Send + 'static) -> Self {
        Self(on.spawn(task))
    }
}

impl<T> Future for AbortOnDrop<Result<T>> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|ended| ended.unwrap_or_else(|source| Err(cut_off(source))))
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn cut_off(source: JoinError) -> Error {
    Error::new(ErrorKind::System, "a background task was aborted").with_source(source)
}
