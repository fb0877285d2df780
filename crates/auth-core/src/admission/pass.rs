//! The right to refresh one session now.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::gate::Gate;
use super::state::Lane;
use super::verdict::Verdict;
use crate::clock::Timestamp;
use crate::error::Result;

/// How long a refresh that waits for the lock of its session keeps others from the server.
const PATIENCE: Duration = Duration::from_secs(1);

/// One of the refreshes in progress; it ends with this value.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    lane: Lane,
    /// The epoch of the server when it was given.
    epoch: u32,
    is_counted: bool,
}

impl Pass {
    pub(super) fn new(gate: Arc<Gate>, lane: Lane, epoch: u32) -> Self {
        Self {
            gate,
            lane,
            epoch,
            is_counted: true,
        }
    }

    /// Takes back a pass that reached no receiver, under the lock of the gate.
    pub(super) fn disarm(mut self) {
        self.is_counted = false;
    }

    /// Ends it with the server's response; `failed_before` is the last failure of this session.
    pub(crate) fn report<T>(self, outcome: &Result<T>, failed_before: Option<Timestamp>) {
        let verdict = Verdict::of(outcome.as_ref().map(|_| ()));
        let (lane, epoch) = (self.lane, self.epoch);
        self.gate.report(lane, verdict, epoch, failed_before);
    }

    /// Waits for something that is not the server. If that takes long, others get the pass.
    pub(crate) async fn lend<T>(pass: &mut Option<Self>, waiting: impl Future<Output = T>) -> T {
        if pass.is_none() {
            return waiting.await;
        }
        let mut waiting = pin!(waiting);
        if let Ok(done) = timeout(PATIENCE, &mut waiting).await {
            return done;
        }
        drop(pass.take());
        waiting.await
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_counted {
            self.gate.leave(self.lane);
        }
    }
}
