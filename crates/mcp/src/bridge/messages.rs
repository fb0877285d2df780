//! The messages of a response, in JSON or in a stream of events.

use std::collections::VecDeque;
use std::time::Duration;

use crate::http::StreamedResponse;
use crate::{Error, printable};

use super::LONGEST;
use super::budget::{Exhausted, Share};
use super::failure::{Failure, Reason};
use super::message::Message;
use super::sse::Events;

/// Reads the messages of a response as they come.
#[derive(Debug)]
pub(super) struct Messages {
    response: StreamedResponse,
    form: Form,
    ready: VecDeque<Message>,
    /// What the message that has begun and those that are ready hold.
    share: Share,
    has_ended: bool,
}

#[derive(Debug)]
enum Form {
    Json,
    Events(Events),
}

/// Why there are no more messages, although the response is not over.
#[derive(Debug)]
pub(super) enum Broken {
    CutOff(Error),
    NotAMessage,
    TooLong,
    /// All requests together hold too much.
    Exhausted,
}

impl Messages {
    /// The messages of a response with a status of success.
    ///
    /// # Errors
    ///
    /// If its content is of another type.
    pub(super) fn new(
        response: StreamedResponse,
        host: &str,
        share: Share,
    ) -> Result<Self, Failure> {
        let kind = response.header("content-type").next().unwrap_or_default();
        let kind = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let form = match kind.as_str() {
            "text/event-stream" => Form::Events(Events::default()),
            // Without a type, the content shows what it is.
            "application/json" | "" => Form::Json,
            other => {
                let other: String = printable(other).chars().take(100).collect();
                return Err(Failure::new(
                    Reason::Refused,
                    format!("{host} returned {other}, not JSON-RPC: set the URL of an MCP server"),
                )
                .with_status(response.status()));
            }
        };
        Ok(Self {
            response,
            form,
            ready: VecDeque::new(),
            share,
            has_ended: false,
        })
    }

    pub(super) fn is_events(&self) -> bool {
        matches!(self.form, Form::Events(_))
    }

    /// Where a stream may go on, if it can.
    pub(super) fn last_id(&self) -> Option<&str> {
        match &self.form {
            Form::Json => None,
            Form::Events(events) => events.last_id(),
        }
    }

    pub(super) fn retry(&self) -> Option<Duration> {
        match &self.form {
            Form::Json => None,
            Form::Events(events) => events.retry(),
        }
    }

    /// The next message; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Broken> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            if self.has_ended {
                return Ok(None);
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Result<(), Broken> {
        let mut piece = Vec::new();
        match &mut self.form {
            Form::Json => {
                self.has_ended = true;
                while self
                    .response
                    .read(&mut piece)
                    .await
                    .map_err(Broken::CutOff)?
                    > 0
                {
                    if piece.len() > LONGEST {
                        return Err(Broken::TooLong);
                    }
                    self.share.set(piece.len())?;
                }
                if !piece.trim_ascii().is_empty() {
                    let messages =
                        Message::all(&piece).map_err(|_quotes_it| Broken::NotAMessage)?;
                    self.ready.extend(messages);
                }
            }
            Form::Events(events) => {
                // What was ready has been handed on.
                self.share.set(events.begun())?;
                let read = self
                    .response
                    .read(&mut piece)
                    .await
                    .map_err(Broken::CutOff)?;
                let found = match read {
                    0 => {
                        self.has_ended = true;
                        events.finish().into_iter().collect()
                    }
                    _ => events.push(&piece).map_err(|_too_long| Broken::TooLong)?,
                };
                let complete: usize = found.iter().map(Vec::len).sum();
                self.share.set(events.begun() + complete)?;
                for data in found {
                    match Message::all(&data) {
                        Ok(messages) => self.ready.extend(messages),
                        // A first event without content has only an id.
                        Err(_) if data.trim_ascii().is_empty() => {}
                        Err(_) => tracing::warn!("skipped an event that is no JSON-RPC message"),
                    }
                }
            }
        }
        Ok(())
    }

    /// The body of a refusal, as far as it is short.
    pub(super) async fn short_body(mut response: StreamedResponse) -> Vec<u8> {
        const SHORT: usize = 1024 * 1024;
        let mut body = Vec::new();
        while body.len() <= SHORT {
            match response.read(&mut body).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return body,
            }
        }
        Vec::new()
    }
}

impl From<Exhausted> for Broken {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl Broken {
    pub(super) fn failure(self, host: &str) -> Failure {
        match self {
            Self::CutOff(error) => Failure::of_request(&error, host),
            Self::TooLong => Failure::new(
                Reason::TooLong,
                format!("{host} sent a message of more than 64 MiB: ask it for less"),
            ),
            Self::Exhausted => Failure::lost(
                host,
                "the requests and responses in progress have more than 128 MiB together",
            ),
            Self::NotAMessage => Failure::new(
                Reason::Refused,
                format!("{host} returned text that is not JSON-RPC: set the URL of an MCP server"),
            ),
        }
    }
}
