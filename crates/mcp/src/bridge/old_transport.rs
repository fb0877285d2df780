//! Servers of the transport before streamable HTTP, which the bridge does not speak.

use std::time::Duration;

use tokio::time::timeout;

use super::failure::{Failure, Reason};
use super::message::Message;
use super::post::is_initialize;
use super::relay::Relay;

/// How long a server may take to show its transport.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes before the first event.
const BEFORE: usize = 4 * 1024;

impl Relay {
    /// The failure of a message that begins, if its server speaks the transport HTTP+SSE of
    /// 2024-11-05: such a server refuses the `POST`, and a `GET` opens a stream whose first event
    /// is `endpoint` (2025-03-26, backwards compatibility).
    pub(super) async fn old_transport(&self, message: &Message, status: u16) -> Option<Failure> {
        let begins = is_initialize(message) || message.method() == Some("server/discover");
        if !begins || !matches!(status, 400 | 404 | 405) {
            return None;
        }
        let names_endpoint = timeout(PATIENCE, self.names_endpoint()).await;
        if !names_endpoint.unwrap_or_default() {
            return None;
        }
        let host = self.host();
        let text = format!(
            "{host} speaks the HTTP+SSE transport of 2024-11-05 at this URL, which the bridge does not: \
             set the URL of the server's streamable HTTP endpoint (often /mcp instead of /sse)"
        );
        Some(Failure::new(Reason::Refused, text).with_status(status))
    }

    async fn names_endpoint(&self) -> bool {
        let Ok(mut sent) = self.send(self.get_of(&Vec::new(), None)).await else {
            return false;
        };
        let kind = sent.response.header("content-type").next();
        let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        let mut begun = Vec::new();
        while is_stream && begun.len() < BEFORE {
            if !matches!(sent.response.read(&mut begun).await, Ok(1..)) {
                break;
            }
            if is_endpoint(&begun) {
                return true;
            }
        }
        false
    }
}

/// Whether one of the whole lines names the event.
fn is_endpoint(begun: &[u8]) -> bool {
    let end = begun.iter().rposition(|byte| matches!(byte, b'\r' | b'\n'));
    let mut lines = begun[..end.unwrap_or_default()].split(|byte| matches!(byte, b'\r' | b'\n'));
    lines.any(|line| matches!(line, b"event: endpoint" | b"event:endpoint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_found_by_its_whole_name() {
        for (text, found) in [
            ("event: endpoint\ndata: /x\n\n", true),
            (": ping\r\n\r\nevent:endpoint\r\n", true),
            ("event: endpoint", false),
            ("event: endpoints\n", false),
            ("data: event: endpoint\n", false),
        ] {
            assert_eq!(is_endpoint(text.as_bytes()), found, "{text:?}");
        }
    }
}
