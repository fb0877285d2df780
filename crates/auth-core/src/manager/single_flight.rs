//! One refresh at a time; callers that ask meanwhile wait for that one.

use std::sync::Arc;

use tokio::sync::watch;

use super::sync::{Mutex, lock, spawn};
use crate::error::{Error, ErrorKind, Result};
use crate::token::OAuthToken;

type Outcome = Result<Arc<OAuthToken>>;
type Receiver = watch::Receiver<Option<Outcome>>;

/// The refresh that is under way, if one is.
#[derive(Debug, Default)]
pub(super) struct SingleFlight {
    current: Arc<Mutex<Option<Flight>>>,
}

#[derive(Debug)]
struct Flight {
    /// The process in which it runs: in a forked child it never ends.
    process: u32,
    outcome: Receiver,
}

/// Clears the way for the next flight however this one ends, by a panic too.
struct Landing(Arc<Mutex<Option<Flight>>>);

impl SingleFlight {
    /// Waits for the flight under way, or starts one. What `start` returns must be running by
    /// itself: it is watched here, not driven by any one caller.
    pub(super) fn join_or_start<F>(
        &self,
        start: impl FnOnce() -> Result<F>,
    ) -> impl Future<Output = Outcome> + Send + 'static
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let (mut receiver, sender) = self.join();
        if let Some(sender) = sender {
            // Not under the lock: a panic from here on must clear the way.
            let landing = Landing(Arc::clone(&self.current));
            match start() {
                Ok(flight) => spawn(async move {
                    let outcome = flight.await;
                    drop(landing);
                    sender.send_replace(Some(outcome));
                }),
                Err(error) => {
                    drop(landing);
                    sender.send_replace(Some(Err(error)));
                }
            }
        }
        async move {
            let landed = receiver.wait_for(Option::is_some).await;
            match landed.as_deref() {
                Ok(Some(outcome)) => outcome.clone(),
                _ => Err(Error::new(ErrorKind::System, "the refresh was cut off")),
            }
        }
    }

    /// Waits for the end of the flight under way, if one is.
    pub(super) async fn landed(&self) {
        let process = std::process::id();
        let current = lock(&self.current)
            .as_ref()
            .filter(|flight| flight.process == process)
            .map(|flight| flight.outcome.clone());
        if let Some(mut outcome) = current {
            // A flight that was cut off has ended too.
            let _ended = outcome.wait_for(Option::is_some).await;
        }
    }

    /// A receiver for the flight under way; the first caller is to send its outcome.
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

impl Drop for Landing {
    fn drop(&mut self) {
        *lock(&self.0) = None;
    }
}
