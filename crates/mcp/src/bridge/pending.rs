//! Requests without a response.

use tokio::task::AbortHandle;

use super::id::Id;

/// One request of the agent; another one may have its id once it has a response.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) id: Id,
    pub(super) serial: u64,
}

/// A request without a response.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) serial: u64,
    pub(super) method: String,
    pub(super) is_modern: bool,
    /// The server may have carried it out.
    pub(super) is_sent: bool,
    /// The agent does not wait for it.
    pub(super) is_cancelled: bool,
    pub(super) task: Option<AbortHandle>,
}

impl Pending {
    /// Whether the agent waits for it. A subscription is none that it waits for.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.is_cancelled && self.method != "subscriptions/listen"
    }
}
