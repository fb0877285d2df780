//! One refresh at a time; callers that ask meanwhile wait for that one.
//!
//! See decision 0056.

use std::sync::Arc;

use tokio::sync::watch;

use super::sync::{Mutex, lock, spawn};
use crate::engine::Tasks;
use crate::error::{Error, ErrorKind, Result};
use crate::token::OAuthToken;

type Outcome = Result<Arc<OAuthToken>>;
type Receiver = watch::Receiver<Option<Outcome>>;

/// The refresh in progress, if any.
#[derive(Debug, Default)]
pub(super) struct SingleFlight {
    current: Arc<Mutex<Option<Flight>>>,
}

#[derive(Debug)]
struct Flight {
    /// The process that runs it: in a forked child it never ends.
    process: u32,
    outcome: Receiver,
}

/// Clears the current flight when this one ends, even by a panic.
struct ResetOnDrop(Arc<Mutex<Option<Flight>>>);

impl SingleFlight {
    /// Waits for the flight in progress, or starts one. A flight is a task of its own: this future
    /// watches it, and no caller drives it.
    pub(super) fn join_or_start<F>(
        &self,
        tasks: &Tasks,
        flight: impl FnOnce() -> F,
    ) -> impl Future<Output = Outcome> + Send + 'static
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let (mut receiver, sender) = self.join();
        if let Some(sender) = sender {
            let reset = ResetOnDrop(Arc::clone(&self.current));
            let flight = flight();
            let landed = sender.clone();
            // Not under the lock, since `ResetOnDrop` takes it if the task cannot be started.
            let started = spawn(tasks, async move {
                let outcome = flight.await;
                drop(reset);
                landed.send_replace(Some(outcome));
            });
            if let Err(error) = started {
                sender.send_replace(Some(Err(error)));
            }
        }
        async move {
            let ended = receiver.wait_for(Option::is_some).await;
            match ended.as_deref() {
                Ok(Some(outcome)) => outcome.clone(),
                _ => Err(Error::new(ErrorKind::System, "the refresh was aborted")),
            }
        }
    }

    /// A receiver for the flight in progress; the first caller also gets the sender for its
    /// outcome.
    fn join(&self) -> (Receiver, Option<watch::Sender<Option<Outcome>>>) {
        let mut current = lock(&self.current);
        let process = std::process::id();
        if let Some(flight) = current.as_ref().filter(|flight| flight.process == process) {
            return (flight.outcome.clone(), None);
        }
        let (sender, outcome) = watch::channel(None);
        *current = Some(Flight {
            process,
            outcome: outcome.clone(),
        });
        (outcome, Some(sender))
    }
}

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        *lock(&self.0) = None;
    }
}
