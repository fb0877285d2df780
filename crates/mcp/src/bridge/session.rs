//! The session of revisions up to 2025-11-25: what `initialize` began.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokio::task::AbortHandle;

use super::message::Message;

/// Headers of a request.
pub(super) type Headers = Vec<(String, String)>;

#[derive(Debug, Default)]
pub(super) struct Session(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    id: Option<String>,
    /// The version that the server chose.
    version: Option<String>,
    /// The agent's messages, for a session that the server has forgotten.
    initialize: Option<Message>,
    initialized: Option<Message>,
    /// The task that listens to its server.
    listening: Option<AbortHandle>,
    /// Counts the sessions, so that one end of a session causes one new beginning.
    generation: u64,
}

/// What a request of a session carries.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) headers: Headers,
    pub(super) generation: u64,
    /// Whether the server named the session, and so may forget it.
    pub(super) has_id: bool,
}

impl Session {
    /// The agent begins a session.
    pub(super) fn begin(&self, initialize: &Message) {
        let mut state = self.state();
        *state = State {
            initialize: Some(initialize.clone()),
            generation: state.generation + 1,
            listening: state.listening.take(),
            ..State::default()
        };
    }

    /// The server has named the session, or has none.
    pub(super) fn name(&self, id: Option<String>) {
        self.state().id = id;
    }

    /// The response to `initialize` has come.
    pub(super) fn respond(&self, response: &str) {
        self.state().version = version_in(response);
    }

    pub(super) fn complete(&self, initialized: &Message) {
        self.state().initialized = Some(initialized.clone());
    }

    pub(super) fn is_begun(&self) -> bool {
        self.state().initialize.is_some()
    }

    pub(super) fn generation(&self) -> u64 {
        self.state().generation
    }

    pub(super) fn membership(&self) -> Membership {
        let state = self.state();
        Membership {
            headers: headers(state.id.as_deref(), state.version.as_deref()),
            generation: state.generation,
            has_id: state.id.is_some(),
        }
    }

    /// The messages that begin the session again; `None` if that has been done since `seen`.
    pub(super) fn to_replay(&self, seen: u64) -> Option<(Message, Option<Message>)> {
        let state = self.state();
        if state.generation != seen {
            return None;
        }
        Some((state.initialize.clone()?, state.initialized.clone()))
    }

    /// The session has begun again under this name.
    pub(super) fn replayed(&self, id: Option<String>, version: Option<String>) {
        let mut state = self.state();
        state.id = id;
        state.version = version;
        state.generation += 1;
    }

    /// Another task listens from now on; returns the former one.
    pub(super) fn listens(&self, task: Option<AbortHandle>) -> Option<AbortHandle> {
        std::mem::replace(&mut self.state().listening, task)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version that a response to `initialize` names.
pub(super) fn version_in(response: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Response {
        result: Chosen,
    }
    #[derive(Deserialize)]
    struct Chosen {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    let response: Response = serde_json::from_str(response).ok()?;
    Some(response.result.version)
}

pub(super) fn headers(id: Option<&str>, version: Option<&str>) -> Headers {
    let id = id.map(|id| ("Mcp-Session-Id".to_owned(), id.to_owned()));
    let version = version.map(|version| ("MCP-Protocol-Version".to_owned(), version.to_owned()));
    id.into_iter().chain(version).collect()
}
