//! What the agent receives: each message on one line, and one response to each of its requests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::failure::Failure;
use super::id::Id;

/// How many lines may wait for an agent that reads slowly; then their servers wait too.
const WAITING: usize = 16;

/// The requests without a response, and the way to the agent.
#[derive(Debug)]
pub(super) struct Output {
    lines: mpsc::Sender<String>,
    pending: Mutex<HashMap<Id, Pending>>,
    /// Notified when a request leaves `pending`.
    fewer: Notify,
}

/// A request without a response.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) method: String,
    pub(super) is_modern: bool,
    /// The agent does not wait for it.
    is_cancelled: bool,
    task: Option<AbortHandle>,
}

impl Output {
    pub(super) fn new() -> (Self, mpsc::Receiver<String>) {
        let (lines, written) = mpsc::channel(WAITING);
        let output = Self {
            lines,
            pending: Mutex::default(),
            fewer: Notify::new(),
        };
        (output, written)
    }

    /// Records a request. Returns false if another one with its id has no response yet.
    pub(super) fn begin(&self, id: &Id, method: &str, is_modern: bool) -> bool {
        let mut pending = self.pending();
        if pending.contains_key(id) {
            return false;
        }
        let request = Pending {
            method: method.to_owned(),
            is_modern,
            is_cancelled: false,
            task: None,
        };
        pending.insert(id.clone(), request);
        true
    }

    /// Records the task of a request, unless it has ended already.
    pub(super) fn attach(&self, id: &Id, task: AbortHandle) {
        if let Some(request) = self.pending().get_mut(id) {
            request.task = Some(task);
        }
    }

    pub(super) fn is_pending(&self, id: &Id) -> bool {
        self.pending().contains_key(id)
    }

    /// Looks at a request without a response.
    pub(super) fn look<T>(&self, id: &Id, look: impl FnOnce(&Pending) -> T) -> Option<T> {
        self.pending().get(id).map(look)
    }

    /// Ends a request without a response, since its agent has cancelled it.
    pub(super) fn abort(&self, id: &Id) {
        let ended = self.pending().remove(id);
        if let Some(task) = ended.and_then(|request| request.task) {
            task.abort();
        }
        self.fewer.notify_waiters();
    }

    /// From here on, only the server may still respond to this request.
    pub(super) fn cancel(&self, id: &Id) {
        if let Some(request) = self.pending().get_mut(id) {
            request.is_cancelled = true;
        }
        self.fewer.notify_waiters();
    }

    /// Sends a message of the server that is no response.
    pub(super) async fn send(&self, line: String) {
        // Without a receiver, the bridge is ending.
        let _ending = self.lines.send(line).await;
    }

    /// Sends the server's response to this request, if it has none yet.
    pub(super) async fn respond(&self, id: &Id, line: String) {
        // The place comes first: between the two lines below nothing can interrupt this.
        let Ok(place) = self.lines.reserve().await else {
            return;
        };
        if self.pending().remove(id).is_some() {
            place.send(line);
            self.fewer.notify_waiters();
        } else {
            tracing::debug!(%id, "dropped a response that no request waits for");
        }
    }

    /// Sends the bridge's own error, if the agent still waits for a response.
    pub(super) async fn fail(&self, id: &Id, failure: &Failure) {
        if self.look(id, |request| request.is_cancelled) == Some(true) {
            self.pending().remove(id);
            self.fewer.notify_waiters();
        } else {
            self.respond(id, failure.line(id)).await;
        }
    }

    /// Waits until this request has a response.
    pub(super) async fn gone(&self, id: &Id) {
        self.until(|pending| !pending.contains_key(id)).await;
    }

    /// Waits until the agent waits for no response. Subscriptions are none that it waits for.
    pub(super) async fn idle(&self) {
        let is_waited_for =
            |request: &Pending| !request.is_cancelled && request.method != "subscriptions/listen";
        self.until(|pending| !pending.values().any(is_waited_for))
            .await;
    }

    async fn until(&self, reached: impl Fn(&HashMap<Id, Pending>) -> bool) {
        loop {
            let fewer = self.fewer.notified();
            tokio::pin!(fewer);
            // Registered before the check, so that it misses no change after it.
            fewer.as_mut().enable();
            if reached(&self.pending()) {
                return;
            }
            fewer.await;
        }
    }

    /// The requests that the agent still waits for.
    pub(super) fn waiting(&self) -> Vec<Id> {
        let pending = self.pending();
        let waiting = pending.iter().filter(|(_, request)| !request.is_cancelled);
        waiting.map(|(id, _)| id.clone()).collect()
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<Id, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes lines until there are no more senders, or the agent reads no more.
pub(super) async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut lines: mpsc::Receiver<String>,
) -> std::io::Result<()> {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        output.write_all(line.as_bytes()).await?;
        if lines.is_empty() {
            output.flush().await?;
        }
    }
    output.flush().await
}
