//! Futures that are polled by the caller and use the engine's connections and timers.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use crate::error::Result;

/// Polls a future that borrows from its caller as if it ran in the engine, so that it needs no
/// runtime, or a part of one, around it.
///
/// # Errors
///
/// The errors of starting the engine, and of the future.
pub(crate) async fn inside<T>(future: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let handle = super::io()?;
    Inside {
        handle,
        future: Box::pin(future),
    }
    .await
}

struct Inside<F> {
    handle: Handle,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let _entered = this.handle.enter();
        this.future.as_mut().poll(context)
    }
}
