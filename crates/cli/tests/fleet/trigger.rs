//! The moment of a fault: the wires report what passes, and stop at the right message until the
//! fault is made.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// Where a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Point {
    /// A host has asked for a refresh, and the vendor does not know it.
    Asked,
    /// The vendor has replied, and the host does not know it.
    Replied,
    /// The host has the response.
    Delivered,
    /// A host has sent something to the database.
    Statement,
    /// The database has replied.
    Result,
}

/// The message has come.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) host: usize,
    /// The message waits for this.
    pub(crate) go_on: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Armed {
    point: Point,
    /// How many come before.
    others: u64,
    hit: oneshot::Sender<Hit>,
}

#[derive(Debug, Default)]
pub(crate) struct Trigger(Mutex<Option<Armed>>);

impl Trigger {
    /// The message at this point after so many others, of any host.
    pub(crate) fn arm(&self, point: Point, others: u64) -> oneshot::Receiver<Hit> {
        let (hit, waiting) = oneshot::channel();
        *self.lock() = Some(Armed { point, others, hit });
        waiting
    }

    pub(crate) fn disarm(&self) {
        drop(self.lock().take());
    }

    /// A message has come there. It waits here if it is the one.
    pub(crate) async fn pass(&self, point: Point, host: usize) {
        let Some(armed) = self.take(point) else {
            return;
        };
        let (go_on, made) = oneshot::channel();
        if armed.hit.send(Hit { host, go_on }).is_ok() {
            // It also ends with the round.
            let _made = made.await;
        }
    }

    fn take(&self, point: Point) -> Option<Armed> {
        let mut place = self.lock();
        let armed = place.as_mut().filter(|armed| armed.point == point)?;
        if armed.others > 0 {
            armed.others -= 1;
            return None;
        }
        place.take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Armed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
