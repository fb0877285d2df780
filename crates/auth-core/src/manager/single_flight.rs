//! One renewal at a time, and everybody who asks meanwhile waits for that one.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

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
        let mut seat = {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            match current.as_ref() {
                Some(seat) => seat.clone(),
                None => {
                    let (announce, seat) = watch::channel(None);
                    *current = Some(seat.clone());
                    let landing = Landing(Arc::clone(&self.current));
                    let flight = start();
                    drop(tokio::spawn(async move {
                        let outcome = flight.await;
                        drop(landing);
                        announce.send_replace(Some(outcome));
                    }));
                    seat
                }
            }
        };
        async move {
            let landed = seat.wait_for(Option::is_some).await;
            match landed.as_deref() {
                Ok(Some(outcome)) => outcome.clone(),
                _ => Err(Error::new(ErrorKind::System, "the renewal was cut off")),
            }
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
