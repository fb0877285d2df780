//! The response to a request, however its server sends it.

use std::sync::Arc;
use std::time::Duration;

use crate::http::StreamedResponse;
use tokio::time::{sleep, timeout};

use super::failure::Failure;
use super::message::{Kind, Message};
use super::messages::{Broken, Messages};
use super::pending::Ticket;
use super::post::is_initialize;
use super::relay::Relay;

/// How long a stream may stay open after its response. If its server ends it, the connection serves
/// the next request too.
const LINGER: Duration = Duration::from_secs(5);

/// How often a stream is resumed without a new event in between.
const ATTEMPTS: usize = 5;

/// The wait before a stream is resumed, if the server asks for none, the shortest and the longest.
const RETRY: Duration = Duration::from_secs(1);
const SHORTEST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The wait that a server asks for, within bounds: none would be a busy loop.
pub(super) fn bounded(wait: Option<Duration>) -> Duration {
    wait.unwrap_or(RETRY).clamp(SHORTEST_RETRY, LONGEST_RETRY)
}

impl Relay {
    /// Sends a request of the agent, and sees to its response.
    pub(super) async fn request(self: Arc<Self>, message: Message, ticket: Ticket) {
        if let Err(failure) = self.ask(&message, &ticket).await {
            self.output.fail(&ticket, &failure).await;
        }
    }

    async fn ask(self: &Arc<Self>, message: &Message, ticket: &Ticket) -> Result<(), Failure> {
        let mut held = self.budget.share();
        held.set(message.text().len())
            .map_err(|exhausted| exhausted.before_sending())?;
        let response = self.post(message, Some(ticket)).await?;
        if is_initialize(message) {
            let name = response.header("mcp-session-id").next();
            self.session.name(name.map(str::to_owned));
        }
        let may_resume = message.version().is_none();
        self.answer(ticket, response, may_resume).await
    }

    /// Hands on the messages of a response until that to the request is among them, or has come on
    /// another stream.
    async fn answer(
        &self,
        ticket: &Ticket,
        response: StreamedResponse,
        may_resume: bool,
    ) -> Result<(), Failure> {
        let host = self.host();
        let mut messages = self.messages(response)?;
        let mut last_id = None;
        let mut attempts = 0;
        loop {
            let ended = self.hand_on(&mut messages, Some(ticket)).await;
            if !self.output.is_pending(ticket) {
                return Ok(());
            }
            // The same event once more is no progress.
            let reached = messages.last_id().map(str::to_owned);
            if reached.is_some() && reached != last_id {
                last_id = reached;
                attempts = 0;
            }
            let failure = match ended {
                Ok(()) => Failure::lost(&host, "the response ended before its result"),
                Err(Broken::CutOff(error)) => Failure::of_request(&error, &host),
                Err(other) => return Err(other.failure(&host)),
            };
            let Some(after) = last_id.as_deref().filter(|_| may_resume) else {
                return Err(failure);
            };
            let wait = bounded(messages.retry());
            messages = loop {
                if attempts == ATTEMPTS {
                    return Err(failure);
                }
                attempts += 1;
                sleep(wait).await;
                match self.resume(after).await {
                    Ok(Some(resumed)) => break resumed,
                    Ok(None) => return Err(failure),
                    Err(_unreachable) => {}
                }
            };
        }
    }

    /// Opens the stream after this event; `None` if the server does not.
    async fn resume(&self, after: &str) -> Result<Option<Messages>, Failure> {
        let headers = self.session.membership().headers;
        let sent = self.send(self.get_of(&headers, Some(after))).await?;
        match sent.response.status() {
            200..300 => {
                let messages = self.messages(sent.response)?;
                Ok(Some(messages).filter(Messages::is_events))
            }
            status @ (429 | 500..) => Err(Failure::lost(&self.host(), "").with_status(status)),
            _ => Ok(None),
        }
    }

    /// Hands on messages until they end, or soon after the response to this request.
    pub(super) async fn hand_on(
        &self,
        messages: &mut Messages,
        request: Option<&Ticket>,
    ) -> Result<(), Broken> {
        loop {
            let is_over = request.is_some_and(|ticket| !self.output.is_pending(ticket));
            let next = match is_over {
                false => messages.next().await,
                true => timeout(LINGER, messages.next()).await.unwrap_or(Ok(None)),
            };
            match next? {
                Some(message) => self.deliver(message).await,
                None => return Ok(()),
            }
        }
    }

    /// Hands on a message of the server.
    async fn deliver(&self, message: Message) {
        let Kind::Response { id } = message.kind() else {
            return self.output.send(message.text().to_owned()).await;
        };
        let Some(id) = id else {
            return tracing::warn!("dropped a response without an id");
        };
        let request = self
            .output
            .look(id, |request| (request.method.clone(), request.is_modern));
        let line = match request {
            Some((method, true)) if method == "tools/list" => self.tools.watch(message.text()),
            Some((method, false)) if method == "initialize" => {
                self.session.respond(message.text());
                None
            }
            _ => None,
        };
        let line = line.unwrap_or_else(|| message.text().to_owned());
        self.output.respond(id, line).await;
    }
}
