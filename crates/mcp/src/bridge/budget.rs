//! A bound on what all requests of a bridge hold in memory together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::LONGEST;
use super::failure::{Failure, Reason};

/// The most bytes of requests and unfinished messages: 128 MiB, two of the longest messages.
const MOST: usize = 2 * LONGEST;

/// What each of them holds in any case, so that short messages pass beside long ones: 64 KiB.
const FREE: usize = 64 * 1024;

/// How many bytes are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// What one request or response holds, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    bytes: usize,
}

/// All of them together would hold more than 128 MiB.
#[derive(Debug)]
pub(super) struct Exhausted;

impl Exhausted {
    /// The failure of a request that was not sent for it.
    pub(super) fn before_sending(self) -> Failure {
        let text = "the requests and responses in progress have more than 128 MiB together: send this \
                    request again once others have ended";
        Failure::new(Reason::Unreachable, text)
    }
}

impl Budget {
    /// A share without bytes yet.
    pub(super) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl Share {
    /// Changes how many bytes are held; they stay as they were if there is no room.
    pub(super) fn set(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let bytes = bytes.saturating_sub(FREE);
        let (before, held) = (self.bytes, &self.budget.0);
        let changed = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |all| {
            let after = all - before + bytes;
            (bytes <= before || after <= MOST).then_some(after)
        });
        changed.map_err(|_all| Exhausted)?;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_together_and_free_when_they_are_dropped() {
        let budget = Budget::default();
        let (mut first, mut second) = (budget.share(), budget.share());
        first.set(MOST).unwrap();
        second.set(FREE).unwrap();
        assert!(second.set(3 * FREE).is_err());
        first.set(MOST / 2).unwrap();
        second.set(MOST / 2).unwrap();
        assert!(second.set(MOST).is_err());
        drop(first);
        second.set(MOST).unwrap();
        drop(second);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }
}
