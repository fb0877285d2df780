//! The stream of messages that belong to no request (`GET`, revisions up to 2025-11-25).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::answer::bounded;
use super::relay::Relay;

/// The position in a stream.
#[derive(Debug, Default)]
struct Position {
    last_id: Option<String>,
    retry: Option<Duration>,
    /// How many connections in a row brought no event.
    failures: u32,
}

impl Relay {
    /// Listens to the server, as long as this session lasts, if the server has such a stream.
    pub(super) fn listen(self: &Arc<Self>) {
        let owned = Arc::clone(self);
        let task = self
            .tasks
            .spawn(async move { owned.keep_listening().await });
        // The stream of a former session may never end by itself.
        if let Some(former) = self.session.listens(task) {
            former.abort();
        }
    }

    async fn keep_listening(&self) {
        let generation = self.session.generation();
        let mut position = Position::default();
        while self.session.generation() == generation {
            if !self.listen_once(&mut position).await {
                return;
            }
            let wait = bounded(position.retry);
            let wait = wait.saturating_mul(1 << position.failures.min(6));
            sleep(bounded(Some(wait))).await;
        }
    }

    /// Returns whether another connection may help.
    async fn listen_once(&self, position: &mut Position) -> bool {
        position.failures += 1;
        let headers = self.session.membership().headers;
        let request = self.get_of(&headers, position.last_id.as_deref());
        let sent = match self.send(request).await {
            Ok(sent) => sent,
            Err(failure) => {
                failure.log("GET");
                return true;
            }
        };
        match sent.response.status() {
            200..300 => {}
            429 | 500.. => return true,
            // Most servers have no such stream (405), or have ended the session (404), which the
            // next message notices.
            _ => return false,
        }
        let Ok(mut messages) = self.messages(sent.response) else {
            return false;
        };
        if !messages.is_events() {
            return false;
        }
        if let Err(broken) = self.hand_on(&mut messages, None).await {
            tracing::debug!(?broken, "the stream was interrupted");
        }
        position.retry = messages.retry().or(position.retry);
        let reached = messages.last_id().map(str::to_owned);
        if reached.is_some() && reached != position.last_id {
            position.last_id = reached;
            position.failures = 0;
        }
        true
    }
}
