//! The agent's messages, one after the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{sleep, timeout};

use super::failure::{Failure, Reason};
use super::id::Id;
use super::input::{Line, Waiting};
use super::message::{Kind, Message};
use super::post::is_initialize;
use super::relay::Relay;

/// How long a notification may hold up the messages that follow it.
const NOTIFICATION: Duration = Duration::from_secs(30);

/// How long the server may take to respond to a request that the agent has cancelled.
const AFTER_CANCELLATION: Duration = Duration::from_secs(10);

/// How long the end may take: agents kill a bridge two seconds after they closed its input.
const LAST_LINES: Duration = Duration::from_millis(100);
const LAST_REQUEST: Duration = Duration::from_millis(300);

impl Relay {
    /// Serves an agent until it has no more messages and no request without a response.
    pub(super) async fn serve(self: &Arc<Self>, lines: &mut mpsc::UnboundedReceiver<Waiting>) {
        while let Some((line, room)) = lines.recv().await {
            match line {
                Line::Whole(line) => self.take_line(line, room).await,
                Line::TooLong(id) => {
                    let text = "a message has more than 64 MiB: send less";
                    let failure = Failure::new(Reason::TooLong, text);
                    let line = id.map_or_else(|| failure.line_without_id(), |id| failure.line(&id));
                    self.output.send(line).await;
                }
            }
        }
        self.output.idle().await;
    }

    async fn take_line(self: &Arc<Self>, line: Vec<u8>, room: OwnedSemaphorePermit) {
        let messages = Message::all(&line);
        // The messages are copies, and are counted with their requests.
        drop((line, room));
        let Ok(messages) = messages else {
            let text = "a line of the input is no JSON-RPC message: send one on each line";
            let failure = Failure::new(Reason::Invalid, text);
            return self.output.send(failure.line_without_id()).await;
        };
        for message in messages {
            self.take(message).await;
        }
    }

    async fn take(self: &Arc<Self>, message: Message) {
        match message.kind().clone() {
            Kind::Request { id, method } => self.take_request(message, id, &method).await,
            Kind::Notification { method } if method == "notifications/cancelled" => {
                self.take_cancellation(&message).await;
            }
            Kind::Notification { .. } => self.notify(&message).await,
            Kind::Response { .. } => {
                let owned = Arc::clone(self);
                self.tasks
                    .spawn(async move { owned.notify(&message).await });
            }
        }
    }

    async fn take_request(self: &Arc<Self>, message: Message, id: Id, method: &str) {
        let Some(ticket) = self.output.begin(&id, method, message.version().is_some()) else {
            let text = "another request with this id has no response yet: choose another id";
            let failure = Failure::new(Reason::Refused, text);
            return self.output.send(failure.line(&id)).await;
        };
        let begins = is_initialize(&message);
        if begins {
            self.session.begin(&message);
        }
        let request = Arc::clone(self).request(message, ticket.clone());
        if let Some(task) = self.tasks.spawn(request) {
            self.output.attach(&ticket, task);
        }
        if begins {
            // What follows needs the session.
            self.output.gone(&ticket).await;
        }
    }

    /// In revision 2026-07-28, closing the stream cancels a request; before, the notification does,
    /// and closing means nothing.
    async fn take_cancellation(self: &Arc<Self>, message: &Message) {
        let Some(id) = message.params().request() else {
            return self.notify(message).await;
        };
        let is_modern = self.output.look(&id, |request| request.is_modern);
        let Some(ticket) = self.output.cancel(&id) else {
            // The request has ended already; in a session, the notification passes all the same.
            if self.session.is_begun() {
                self.notify(message).await;
            }
            return;
        };
        if is_modern == Some(true) {
            return self.output.abort(&ticket);
        }
        self.notify(message).await;
        let owned = Arc::clone(self);
        self.tasks.spawn(async move {
            sleep(AFTER_CANCELLATION).await;
            owned.output.abort(&ticket);
        });
    }

    /// Posts a message that has no response.
    async fn notify(self: &Arc<Self>, message: &Message) {
        let method = message.method().unwrap_or("response");
        let completes = method == "notifications/initialized" && message.version().is_none();
        if completes {
            self.session.complete(message);
        }
        match timeout(NOTIFICATION, self.post(message, None)).await {
            Ok(Ok(_accepted)) if completes => self.listen(),
            Ok(Ok(_accepted)) => {}
            Ok(Err(failure)) => failure.log(method),
            Err(_elapsed) => {
                tracing::warn!(method, "the server did not accept the message in time");
            }
        }
    }

    /// Records the requests that nothing was done for, so that the end responds to them too.
    pub(super) fn take_rest(&self, lines: &mut mpsc::UnboundedReceiver<Waiting>) {
        while let Ok((line, _room)) = lines.try_recv() {
            let Line::Whole(line) = line else { continue };
            for message in Message::all(&line).unwrap_or_default() {
                if let Kind::Request { id, method } = message.kind() {
                    // One whose id is in use has its response with the other.
                    let _ticket = self.output.begin(id, method, message.version().is_some());
                }
            }
        }
    }

    /// Ends everything: the requests, then the session.
    pub(super) async fn close(&self) {
        self.tasks.stop().await;
        let host = self.host();
        let failures = async {
            for (ticket, is_sent) in self.output.waiting() {
                let failure = match is_sent {
                    true => Failure::lost(&host, "the bridge ended before the response"),
                    false => Failure::unsent(&host),
                };
                self.output.fail(&ticket, &failure).await;
            }
        };
        // An agent that is gone reads nothing.
        let _unread = timeout(LAST_LINES, failures).await;
        let membership = self.session.membership();
        if membership.has_id {
            let request = self.delete_of(&membership.headers);
            // Whether it succeeds changes nothing for the agent.
            let _outcome = timeout(LAST_REQUEST, self.send_as_is(request)).await;
        }
    }
}
