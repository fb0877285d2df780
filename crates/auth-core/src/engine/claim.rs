//! What one task of a process does at a time.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The claim of a task to something that no other may do meanwhile: a forked child has none of its
/// parent's tasks, and no claim.
#[derive(Debug, Default)]
pub(crate) struct Claim(AtomicU32);

impl Claim {
    /// Takes it, unless a task of this process has it.
    pub(crate) fn take(&self) -> bool {
        let process = process::id();
        // Most callers find it taken, and need not write.
        self.0.load(Ordering::Acquire) != process
            && self.0.swap(process, Ordering::AcqRel) != process
    }

    pub(crate) fn give_back(&self) {
        self.0.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_of_a_process_has_a_claim_and_a_forked_child_may_take_it() {
        let claim = Claim::default();
        assert!(claim.take());
        assert!(!claim.take());
        claim.give_back();
        assert!(claim.take());
        // As in a child.
        claim.0.store(process::id() + 1, Ordering::Release);
        assert!(claim.take());
        assert!(!claim.take());
    }
}
