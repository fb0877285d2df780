//! A message of the agent on its way to the server.

use crate::http::StreamedResponse;

use super::failure::{Failure, Reason};
use super::header_value::{encoded, is_plain};
use super::message::{Kind, Message};
use super::pending::Ticket;
use super::refusal::Refusal;
use super::relay::Relay;
use super::session::Headers;

impl Relay {
    /// Posts a message, and returns the response to it with a status of success. If the server has
    /// forgotten the session, begins it again first; if it misses headers that a tool wants, looks
    /// for them first. In both cases it has not carried the request out.
    ///
    /// # Errors
    ///
    /// What the agent receives in place of a response.
    pub(super) async fn post(
        self: &std::sync::Arc<Self>,
        message: &Message,
        ticket: Option<&Ticket>,
    ) -> Result<StreamedResponse, Failure> {
        let mut is_replayed = false;
        let mut is_relisted = false;
        // It was refused.
        let not_carried_out = || ticket.map(|ticket| self.output.mark_sent(ticket, false));
        loop {
            let (headers, forgettable) = self.headers_for(message)?;
            let sent = self
                .send_of(ticket, self.post_of(message.text(), &headers))
                .await?;
            let status = sent.response.status();
            if (200..300).contains(&status) {
                return Ok(sent.response);
            }
            if status == 404
                && let Some(generation) = forgettable
                && !is_replayed
            {
                is_replayed = true;
                not_carried_out();
                drop(sent);
                self.replay(generation).await?;
                continue;
            }
            let refusal = Refusal::read(sent, message, &self.url).await;
            if refusal.misses_headers()
                && !is_relisted
                && message.method() == Some("tools/call")
                && message.version().is_some()
            {
                is_relisted = true;
                not_carried_out();
                if self.relist(message).await {
                    continue;
                }
            }
            return Err(match refusal.into_failure() {
                passed @ Failure::Passed(_) => passed,
                own => self.old_transport(message, status).await.unwrap_or(own),
            });
        }
    }

    /// The headers of the message's revision, and the generation of its session if the server may
    /// have forgotten it.
    pub(super) fn headers_for(&self, message: &Message) -> Result<(Headers, Option<u64>), Failure> {
        if let Some(version) = message.version() {
            return Ok((self.modern_headers(message, version)?, None));
        }
        if is_initialize(message) {
            return Ok((Headers::new(), None));
        }
        let membership = self.session.membership();
        let forgettable = membership.has_id.then_some(membership.generation);
        Ok((membership.headers, forgettable))
    }

    fn modern_headers(&self, message: &Message, version: &str) -> Result<Headers, Failure> {
        let method = message.method().unwrap_or_default();
        if !is_plain(version) || !is_plain(method) {
            return Err(Failure::new(
                Reason::Refused,
                "the method or the protocol version holds characters that HTTP does not allow: correct \
                 the request",
            ));
        }
        let mut headers = vec![
            ("MCP-Protocol-Version".to_owned(), version.to_owned()),
            ("Mcp-Method".to_owned(), method.to_owned()),
        ];
        let params = message.params();
        let name = match method {
            "tools/call" | "prompts/get" => params.name(),
            "resources/read" => params.uri(),
            _ => None,
        };
        if let Some(name) = name {
            if method == "tools/call" {
                headers.extend(self.tools.headers(&name, params.arguments));
            }
            headers.push(("Mcp-Name".to_owned(), encoded(&name)));
        }
        Ok(headers)
    }
}

/// Whether it begins a session of a revision up to 2025-11-25.
pub(super) fn is_initialize(message: &Message) -> bool {
    message.version().is_none()
        && matches!(message.kind(), Kind::Request { method, .. } if method == "initialize")
}
