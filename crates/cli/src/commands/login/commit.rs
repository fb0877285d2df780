//! The moment at which a server is remembered: when a session of it is stored. So a sign-in that fails
//! changes nothing, and all sessions of a name can be used with its server.
//!
//! The server is written right before the session. A process that is killed in between has changed
//! nothing that a stored session needs, because a server is only written if it is good for all of
//! them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use llm_auth::oidc::Server;
use llm_auth_core::{OAuthToken, Secret};

use super::names::{load, sign_outs, taken_by_another};
use crate::error::Failure;
use crate::providers::{ProviderName, servers};
use crate::session::selector::SessionSelector;
use crate::session::settings::Held;
use crate::session::stores;
use crate::ui::streams::say;

/// What one sign-in remembers.
pub(super) struct Commit {
    /// The server that is signed in to, if it is one of the user's own.
    server: Option<&'static Server>,
    /// The server that was remembered when the sign-in began.
    before: Option<Server>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The lock of the name, from the user's approval until the process stores nothing more.
    held: Option<Held>,
    /// The access token of the session that is being stored, or is.
    access: Option<Secret>,
    /// What was written, to be undone if nothing gets stored.
    written: Option<Written>,
    refused: Option<Failure>,
}

/// A server that took the place of another one, or of none.
struct Written {
    former: Option<Server>,
}

impl Commit {
    pub(super) fn new(server: Option<&'static Server>, before: Option<Server>) -> Self {
        Self {
            server,
            before,
            state: Mutex::default(),
        }
    }

    /// Locks the name of the server, if it is one of the user's own.
    pub(super) async fn lock(&self) -> Result<(), Failure> {
        if let Some(server) = self.server {
            let held = servers::hold(&server.name).await?;
            self.state().held = Some(held);
        }
        Ok(())
    }

    /// Whether the session may be stored. Call it right before that.
    pub(super) fn remember(&self, session: &OAuthToken) -> bool {
        let written = self.server.map(|server| self.write(server, session));
        let mut state = self.state();
        match written.transpose() {
            Ok(written) => {
                // The second time, before another attempt, it has been written already.
                if let Some(written) = written.flatten() {
                    state.written = Some(written);
                }
                state.access = Some(session.access.clone());
                true
            }
            Err(failure) => {
                state.refused = Some(failure);
                false
            }
        }
    }

    /// Whether this session is the one of this sign-in.
    pub(super) fn is_of(&self, session: &OAuthToken) -> bool {
        self.state().access.as_ref() == Some(&session.access)
    }

    /// The end of the attempt to store the session. One that failed may succeed until the process ends,
    /// so the name stays locked until [`settle`](Self::settle).
    pub(super) fn end(&self, is_stored: bool) -> Result<(), Failure> {
        let mut state = self.state();
        if let Some(failure) = state.refused.take() {
            return Err(failure);
        }
        if is_stored {
            *state = State {
                access: state.access.take(),
                ..State::default()
            };
        }
        Ok(())
    }

    /// Undoes what was written for a session that was not stored; nothing is stored any more.
    pub(super) fn settle(&self, is_stored: bool) {
        let mut state = self.state();
        let written = state.written.take().filter(|_| !is_stored);
        let undone = match (self.server, written) {
            (
                Some(_),
                Some(Written {
                    former: Some(former),
                }),
            ) => servers::save(&former).map(drop),
            (Some(server), Some(Written { former: None })) => servers::forget(&server.name),
            _ => Ok(()),
        };
        if let Err(failure) = undone {
            say(&format!("llm-auth: {}", failure.message()));
        }
        state.held = None;
    }

    /// Writes the server, if it is not remembered like this.
    fn write(&self, server: &Server, session: &OAuthToken) -> Result<Option<Written>, Failure> {
        let now = load(&server.name)?;
        if now.as_ref() == Some(server) {
            return Ok(None);
        }
        match now {
            Some(now) if self.before.as_ref() != Some(&now) => {
                if now.is_mcp != server.is_mcp || now.check_issued(session).is_err() {
                    return Err(taken_by_another(&now));
                }
                // Each may have registered a client of its own.
                let mut as_now = server.clone();
                as_now.client.clone_from(&now.client);
                as_now.redirect = now.redirect.clone();
                if as_now != now {
                    say(&format!(
                        "llm-auth: another sign-in has changed the server {}, so the flags of this one \
                         are not remembered",
                        server.name
                    ));
                }
                Ok(None)
            }
            former => {
                check_sessions(server)?;
                servers::save(server)?;
                Ok(Some(Written { former }))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All stored sessions of the name must be good with the server as it will be remembered.
fn check_sessions(server: &Server) -> Result<(), Failure> {
    let store = stores::open(&SessionSelector::default())?;
    let mut others = ProviderName::of_server(server.clone())
        .accounts(&store)
        .stored()?;
    others.retain(|other| {
        let session = store.read(other).ok().flatten();
        session.is_some_and(|session| server.check_issued(&session).is_err())
    });
    if others.is_empty() {
        return Ok(());
    }
    Err(Failure::Config {
        message: format!(
            "another sign-in has stored a session of {} that could not be used after this one: nothing \
             is stored",
            server.name
        ),
        advice: format!(
            "sign out of it first: {}; or sign in under another name",
            sign_outs(&others).join(", ")
        ),
    })
}
