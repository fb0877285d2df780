//! The faults that wait for their requests.

use super::fault::Fault;
use crate::provider::Operation;

/// The faults that wait for their requests, in the order they were scripted.
#[derive(Debug, Default)]
pub(crate) struct Script {
    queue: Vec<(Operation, Fault)>,
}

impl Script {
    pub(crate) fn push(&mut self, operation: Operation, fault: Fault) {
        if fault.times > 0 {
            self.queue.push((operation, fault));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The fault for a request, if its turn has come.
    pub(crate) fn take(&mut self, seen: Operation) -> Option<Fault> {
        let at = self
            .queue
            .iter()
            .position(|(operation, _)| operation.covers(seen))?;
        let fault = &mut self.queue[at].1;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        let taken = fault.clone();
        if fault.times == 0 {
            self.queue.remove(at);
        }
        Some(taken)
    }

    /// Takes back a fault that found nothing to change.
    pub(crate) fn put_back(&mut self, operation: Operation, mut fault: Fault) {
        fault.times = 1;
        self.queue.insert(0, (operation, fault));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::Kind;
    use super::*;

    #[test]
    fn faults_apply_in_order_as_often_as_asked_and_only_where_they_belong() {
        let mut script = Script::default();
        script.push(Operation::Token, Fault::hang().times(2).skip(1));
        script.push(Operation::Poll, Fault::reset());
        assert!(script.take(Operation::Chat).is_none());
        assert!(script.take(Operation::Refresh).is_none());
        assert!(matches!(
            script.take(Operation::Refresh).unwrap().kind,
            Kind::Hang
        ));
        assert!(matches!(
            script.take(Operation::Poll).unwrap().kind,
            Kind::Hang
        ));
        assert!(matches!(
            script.take(Operation::Poll).unwrap().kind,
            Kind::Reset
        ));
        assert_eq!(script.len(), 0);
    }
}
