//! Waiting for a lease: one caller of a process for each session, with growing and random pauses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use crate::random;

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(500);

type Place = Arc<tokio::sync::Mutex<()>>;

/// The sessions that callers wait for.
#[derive(Debug, Default)]
pub(crate) struct Queue(Mutex<HashMap<String, Place>>);

/// The turn of one caller.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    queue: &'a Queue,
    name: &'a str,
    held: Option<OwnedMutexGuard<()>>,
}

impl Queue {
    pub(crate) async fn turn<'a>(&'a self, name: &'a str) -> Turn<'a> {
        // Made first, so that a caller that gives up leaves nothing.
        let mut turn = Turn {
            queue: self,
            name,
            held: None,
        };
        let place = {
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(places.entry(name.to_owned()).or_default())
        };
        turn.held = Some(place.lock_owned().await);
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut places = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places
            .get(self.name)
            .is_some_and(|place| Arc::strong_count(place) == 1)
        {
            places.remove(self.name);
        }
    }
}

/// The pauses of a caller that waits.
#[derive(Debug)]
pub(crate) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Pauses {
    /// No longer than the lease of the holder.
    pub(crate) fn next(&mut self, left: Duration) -> Duration {
        let longest = self.0;
        self.0 = (longest * 3 / 2).min(LONGEST);
        let share = f64::from(random::byte()) / 255.0;
        // A time of zero would be a loop without a pause.
        let left = left + Duration::from_millis(2);
        longest.mul_f64(0.5 + share / 2.0).min(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_with_the_lease() {
        let (mut pauses, long) = (Pauses::default(), Duration::from_secs(9));
        for _ in 0..20 {
            let pause = pauses.next(long);
            assert!(pause >= SHORTEST / 2 && pause <= LONGEST, "{pause:?}");
        }
        assert!(pauses.next(long) >= LONGEST / 2);
        assert!(pauses.next(Duration::from_millis(3)) <= Duration::from_millis(5));
    }

    #[tokio::test]
    async fn one_caller_waits_and_a_queue_without_callers_is_empty() {
        let queue = Queue::default();
        let first = queue.turn("a").await;
        let waiting = tokio::time::timeout(Duration::from_millis(1), queue.turn("a")).await;
        assert!(waiting.is_err());
        drop(queue.turn("b").await);
        drop(first);
        drop(queue.turn("a").await);
        assert!(queue.0.lock().unwrap().is_empty());
    }
}
