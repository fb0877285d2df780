//! Calls of the program's own code: limited in time, with a panic as an error.
//!
//! See decision 0055.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};

/// The kinds of error for foreign code that does not end well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds {
    pub(crate) panicked: ErrorKind,
    pub(crate) timed_out: ErrorKind,
}

/// Runs foreign code. Call it inside a runtime with timers; `what` is a clause such as "the store's
/// `save`".
///
/// # Errors
///
/// The code's error; an error of one of the kinds if it panics or exceeds the limit.
pub(crate) async fn bounded<T>(
    what: &str,
    kinds: Kinds,
    limit: Duration,
    code: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    match timeout(limit, Caught(Box::pin(code))).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Err(Error::new(kinds.panicked, format!("{what} panicked"))),
        Err(_elapsed) => Err(Error::new(
            kinds.timed_out,
            format!("{what} did not finish within {} s", limit.as_secs()),
        )),
    }
}

/// A future whose panic is its outcome.
struct Caught<F>(Pin<Box<F>>);

impl<F: Future> Future for Caught<F> {
    type Output = std::result::Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // After a panic it is never polled again, so its half-done state is never seen.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);
    const KINDS: Kinds = Kinds {
        panicked: ErrorKind::Store,
        timed_out: ErrorKind::Transient,
    };

    #[tokio::test(start_paused = true)]
    async fn a_panic_and_a_hang_are_errors_of_the_kinds_that_are_wanted() {
        let panics = async { panic!("as asked") };
        let error = bounded::<()>("the code", KINDS, LIMIT, panics)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert_eq!(error.to_string(), "the code panicked");

        let hangs = std::future::pending::<Result<()>>();
        let error = bounded("the code", KINDS, LIMIT, hangs).await.unwrap_err();
        assert!(error.is_transient());
        assert_eq!(error.to_string(), "the code did not finish within 60 s");
    }
}
