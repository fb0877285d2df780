//! One renewal at a time, and everybody who asks meanwhile waits for that one.

use std::sync::Arc;

use tokio::sync::watch;

use super::sync::{Mutex, lock, spawn};
use crate::error::{Error, ErrorKind, Result};
use crate::token::OAuthToken;

type Outcome = Result<Arc<OAuthToken>>;
type Seat = watch::Receiver<Option<Outcome>>;

/// The renewal that is under way, if one is.
#[derive(Debug, Default)]
pub(super) struct SingleFlight {
    current: Arc<Mutex<Option<Seat>>>,
}

/// Clears the way for the next flight however this one ends, by a panic too.
struct Landing(Arc<Mutex<Option<Seat>>>);

impl SingleFlight {
    /// Waits for the flight under way, or starts one. What `start` returns must be running by
    /// itself: it is watched here, not driven by any one caller.
    pub(super) fn join_or_start<F>(
        &self,
        start: impl FnOnce() -> F,
    ) -> impl Future<Output = Outcome> + Send + 'static
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let (mut seat, takes_off) = self.take_seat();
        if let Some(announce) = takes_off {
            // Not under the lock: whatever panics from here on is to clear the way.
            let landing = Landing(Arc::clone(&self.current));
            let flight = start();
            spawn(async move {
                let outcome = flight.await;
                drop(landing);
                announce.send_replace(Some(outcome));
            });
        }
        async move {
            let landed = seat.wait_for(Option::is_some).await;
            match landed.as_deref() {
                Ok(Some(outcome)) => outcome.clone(),
                _ => Err(Error::new(ErrorKind::System, "the renewal was cut off")),
            }
        }
    }
}

impl SingleFlight {
    /// A seat in the flight under way; the right to announce its end goes to whoever is first.
    fn take_seat(&self) -> (Seat, Option<watch::Sender<Option<Outcome>>>) {
        let mut current = lock(&self.current);
        if let Some(seat) = current.as_ref() {
            return (seat.clone(), None);
        }
        let (announce, seat) = watch::channel(None);
        *current = Some(seat.clone());
        (seat, Some(announce))
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        *lock(&self.0) = None;
    }
}
