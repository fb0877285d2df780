//! What the agent receives: each message on one line, and one response to each of its requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::LONGEST;
use super::failure::Failure;
use super::id::Id;
use super::pending::{Pending, Ticket};

/// How many lines may wait for an agent that reads slowly; then their servers wait too.
const WAITING: usize = 16;

/// A line, and its room among those that wait: [`LONGEST`] bytes in all.
type Waiting = (String, OwnedSemaphorePermit);

/// The requests without a response, and the way to the agent.
#[derive(Debug)]
pub(super) struct Output {
    lines: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    pending: Mutex<HashMap<Id, Pending>>,
    /// Counts the requests.
    serials: AtomicU64,
    /// Notified when a request leaves `pending`.
    fewer: Notify,
}

impl Output {
    pub(super) fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (lines, written) = mpsc::channel(WAITING);
        let output = Self {
            lines,
            room: Arc::new(Semaphore::new(LONGEST)),
            pending: Mutex::default(),
            serials: AtomicU64::new(0),
            fewer: Notify::new(),
        };
        (output, written)
    }

    /// Records a request; `None` if another one with its id has no response yet.
    pub(super) fn begin(&self, id: &Id, method: &str, is_modern: bool) -> Option<Ticket> {
        let mut pending = self.pending();
        if pending.contains_key(id) {
            return None;
        }
        let request = Pending {
            serial: self.serials.fetch_add(1, Ordering::Relaxed),
            method: method.to_owned(),
            is_modern,
            is_sent: false,
            is_cancelled: false,
            task: None,
        };
        let serial = request.serial;
        pending.insert(id.clone(), request);
        let id = id.clone();
        Some(Ticket { id, serial })
    }

    /// Records the task of a request, unless it has ended already.
    pub(super) fn attach(&self, ticket: &Ticket, task: AbortHandle) {
        self.change(ticket, |request| request.task = Some(task));
    }

    /// Records that the server may have carried out a request, or that it has not, since it refused
    /// the last attempt.
    pub(super) fn mark_sent(&self, ticket: &Ticket, is_sent: bool) {
        self.change(ticket, |request| request.is_sent = is_sent);
    }

    pub(super) fn is_pending(&self, ticket: &Ticket) -> bool {
        self.change(ticket, |_| ()).is_some()
    }

    /// Looks at a request without a response, or changes it.
    fn change<T>(&self, ticket: &Ticket, change: impl FnOnce(&mut Pending) -> T) -> Option<T> {
        let mut pending = self.pending();
        let request = pending.get_mut(&ticket.id)?;
        (request.serial == ticket.serial).then(|| change(request))
    }

    /// Looks at a request without a response.
    pub(super) fn look<T>(&self, id: &Id, look: impl FnOnce(&Pending) -> T) -> Option<T> {
        self.pending().get(id).map(look)
    }

    /// Ends a request without a response, since its agent has cancelled it.
    pub(super) fn abort(&self, ticket: &Ticket) {
        let task = self.change(ticket, |request| request.task.take());
        if let Some(task) = task.flatten() {
            task.abort();
        }
        self.remove(ticket);
    }

    /// The request with this id is cancelled: from here on, only the server may still respond to it.
    pub(super) fn cancel(&self, id: &Id) -> Option<Ticket> {
        let ticket = self.pending().get_mut(id).map(|request| {
            request.is_cancelled = true;
            let (id, serial) = (id.clone(), request.serial);
            Ticket { id, serial }
        });
        self.fewer.notify_waiters();
        ticket
    }

    fn remove(&self, ticket: &Ticket) {
        if self.is_pending(ticket) {
            self.pending().remove(&ticket.id);
        }
        self.fewer.notify_waiters();
    }

    /// Sends a message of the server that is no response.
    pub(super) async fn send(&self, line: String) {
        let Some(room) = self.room(&line).await else {
            return;
        };
        // Without a receiver, the bridge is ending.
        let _ending = self.lines.send((line, room)).await;
    }

    /// Sends the server's response to this request, if it has none yet.
    pub(super) async fn respond(&self, id: &Id, line: String) {
        let Some(room) = self.room(&line).await else {
            return;
        };
        // The place comes first: between the two lines below nothing can interrupt this.
        let Ok(place) = self.lines.reserve().await else {
            return;
        };
        if self.pending().remove(id).is_some() {
            place.send((line, room));
            self.fewer.notify_waiters();
        } else {
            tracing::debug!(%id, "dropped a response that no request waits for");
        }
    }

    async fn room(&self, line: &str) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(line.len().min(LONGEST)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        room.ok()
    }

    /// Sends the bridge's own error, if the agent still waits for a response.
    pub(super) async fn fail(&self, ticket: &Ticket, failure: &Failure) {
        match self.change(ticket, |request| request.is_cancelled) {
            Some(true) => self.remove(ticket),
            Some(false) => self.respond(&ticket.id, failure.line(&ticket.id)).await,
            None => {}
        }
    }

    /// Waits until this request has a response.
    pub(super) async fn gone(&self, ticket: &Ticket) {
        let is_it = |request: &Pending| request.serial == ticket.serial;
        self.until(|pending| !pending.get(&ticket.id).is_some_and(is_it))
            .await;
    }

    /// Waits until the agent waits for no response.
    pub(super) async fn idle(&self) {
        self.until(|pending| !pending.values().any(Pending::is_waited_for))
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

    /// The requests that have no response yet, and whether the server may have carried them out.
    pub(super) fn waiting(&self) -> Vec<(Ticket, bool)> {
        let pending = self.pending();
        let waiting = pending.iter().filter(|(_, request)| !request.is_cancelled);
        let waiting = waiting.map(|(id, request)| {
            let (id, serial) = (id.clone(), request.serial);
            (Ticket { id, serial }, request.is_sent)
        });
        waiting.collect()
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<Id, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes lines until there are no more senders, or the agent reads no more.
pub(super) async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut lines: mpsc::Receiver<Waiting>,
) -> std::io::Result<()> {
    while let Some((mut line, room)) = lines.recv().await {
        line.push('\n');
        output.write_all(line.as_bytes()).await?;
        drop((line, room));
        if lines.is_empty() {
            output.flush().await?;
        }
    }
    output.flush().await
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn long_lines_wait_for_an_agent_that_reads_slowly() {
        let (output, mut written) = Output::new();
        let long = "x".repeat(LONGEST / 2 + 1);
        output.send(long.clone()).await;
        let second = output.send(long.clone());
        tokio::pin!(second);
        assert!(poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx).is_pending())).await);
        drop(written.recv().await);
        second.await;
        // The longest fits when nothing waits.
        drop(written.recv().await);
        output.send("x".repeat(LONGEST + 1)).await;
    }
}
