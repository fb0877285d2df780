//! Exchanges of the bridge's own, which the agent does not see.

use std::sync::Arc;

use serde_json::{Value, json};

use super::failure::{Failure, Reason};
use super::id::Id;
use super::message::{Kind, Message};
use super::refusal::Refusal;
use super::relay::{Relay, Sent};
use super::session::{Headers, headers, version_in};

/// The most pages of tools that are read for one call.
const PAGES: usize = 50;

impl Relay {
    /// Begins the session of this generation again, unless another request has done that: sends the
    /// agent's `initialize` and `initialized` once more.
    pub(super) async fn replay(self: &Arc<Self>, generation: u64) -> Result<(), Failure> {
        let _one_at_a_time = self.replaying.lock().await;
        let Some((initialize, initialized)) = self.session.to_replay(generation) else {
            return Ok(());
        };
        tracing::debug!("the server has ended the session; beginning it again");
        let Kind::Request { id, .. } = initialize.kind() else {
            return Ok(());
        };
        let sent = self
            .send(self.post_of(initialize.text(), &Headers::new()))
            .await?;
        let sent = self.successful(sent, &initialize).await?;
        let name = sent
            .response
            .header("mcp-session-id")
            .next()
            .map(str::to_owned);
        let response = self.response_in(sent, id).await?;
        let version = version_in(&response).ok_or_else(|| self.no_session())?;
        if let Some(initialized) = initialized {
            let headers = headers(name.as_deref(), Some(&version));
            let sent = self
                .send(self.post_of(initialized.text(), &headers))
                .await?;
            self.successful(sent, &initialized).await?;
        }
        self.session.replayed(name, Some(version));
        self.listen();
        Ok(())
    }

    fn no_session(&self) -> Failure {
        let message = format!(
            "{} has ended the session and does not begin another: start the agent again",
            self.host()
        );
        Failure::new(Reason::Refused, message)
    }

    async fn successful(&self, sent: Sent, message: &Message) -> Result<Sent, Failure> {
        if (200..300).contains(&sent.response.status()) {
            return Ok(sent);
        }
        // The error is about another message than the agent's, whose id it must not bear.
        match Refusal::read(sent, message, &self.url).await.into_failure() {
            Failure::Passed(_) => Err(self.no_session()),
            own => Err(own),
        }
    }

    /// Lists the tools, for a call whose headers the server misses. Returns whether there are others
    /// now.
    pub(super) async fn relist(&self, call: &Message) -> bool {
        let params = call.params();
        let name = params.name().unwrap_or_default();
        let before = self.tools.headers(&name, params.arguments);
        let mut meta: Value = params
            .meta
            .and_then(|meta| serde_json::from_str(meta.get()).ok())
            .unwrap_or_default();
        if let Some(meta) = meta.as_object_mut() {
            // Progress of this request is none of the agent's.
            meta.remove("progressToken");
        }
        let mut list = json!({"_meta": meta});
        for _page in 0..PAGES {
            let Some(next) = self.list_page(&list).await else {
                break;
            };
            list["cursor"] = next;
        }
        self.tools.headers(&name, params.arguments) != before
    }

    /// Reads a page of tools, and returns the cursor of the next one.
    async fn list_page(&self, params: &Value) -> Option<Value> {
        let id = Id::own("llm-auth-tools-list");
        let mut request = json!({"jsonrpc": "2.0", "method": "tools/list", "params": params});
        request["id"] = serde_json::from_str(id.as_json()).ok()?;
        let message = Message::all(request.to_string().as_bytes()).ok()?.pop()?;
        let (headers, _) = self.headers_for(&message).ok()?;
        let sent = self
            .send(self.post_of(message.text(), &headers))
            .await
            .ok()?;
        let sent = self.successful(sent, &message).await.ok()?;
        let response = self.response_in(sent, &id).await.ok()?;
        let _without_odd_tools = self.tools.watch(&response);
        let response: Value = serde_json::from_str(&response).ok()?;
        response
            .pointer("/result/nextCursor")
            .filter(|next| next.is_string())
            .cloned()
    }

    /// The response to the request with this id. Other messages are not for the agent, which did not
    /// send the request.
    async fn response_in(&self, sent: Sent, id: &Id) -> Result<String, Failure> {
        let host = self.host();
        let mut messages = self.messages(sent.response)?;
        while let Some(message) = messages
            .next()
            .await
            .map_err(|broken| broken.failure(&host))?
        {
            if matches!(message.kind(), Kind::Response { id: Some(found) } if found == id) {
                return Ok(message.text().to_owned());
            }
        }
        Err(self.no_session())
    }
}
