//! The moment at which a server is remembered: when a session of it is stored. So a sign-in that fails
//! changes nothing, and all sessions of a name can be used with its server.

use std::sync::{Mutex, MutexGuard, PoisonError};

use llm_auth::oidc::Server;
use llm_auth_core::{OAuthToken, Secret, SessionKey};

use super::names::{load, sign_outs, taken_by_another};
use crate::error::Failure;
use crate::providers::{ProviderName, servers};
use crate::session::directories;
use crate::session::selector::SessionSelector;
use crate::session::settings::Held;
use crate::ui::streams::say;

/// What one sign-in remembers.
pub(super) struct Commit {
    /// The server that is signed in to, if it is one of the user's own.
    server: Option<&'static Server>,
    /// The server that was remembered when the sign-in began.
    before: Option<Server>,
    /// Whether the session replaces one in the directory of all sessions.
    is_in_directory: bool,
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Storing(Storing),
    Refused(Failure),
}

/// A session that is being stored, or is.
struct Storing {
    access: Secret,
    /// Whether the server is new, and so was written before the session: a session without a server
    /// could not be used.
    is_new: bool,
    /// Whether the server is written once the session is stored: what is remembered is good for the
    /// others.
    is_due: bool,
    /// The lock of the name.
    held: Option<Held>,
}

impl Commit {
    pub(super) fn new(
        server: Option<&'static Server>,
        before: Option<Server>,
        is_in_directory: bool,
    ) -> Self {
        Self {
            server,
            before,
            is_in_directory,
            state: Mutex::default(),
        }
    }

    /// Whether the session may be stored as this account. Call it right before that.
    pub(super) fn remember(&self, key: &SessionKey, session: &OAuthToken) -> bool {
        let storing = match self.server {
            None => Ok(Storing {
                access: session.access.clone(),
                is_new: false,
                is_due: false,
                held: None,
            }),
            Some(server) => self.of_server(server, key, session),
        };
        let is_remembered = storing.is_ok();
        *self.state() = match storing {
            Ok(storing) => State::Storing(storing),
            Err(failure) => State::Refused(failure),
        };
        is_remembered
    }

    /// Whether this session is the one of this sign-in.
    pub(super) fn is_of(&self, session: &OAuthToken) -> bool {
        matches!(&*self.state(), State::Storing(storing) if storing.access == session.access)
    }

    /// The end of the attempt to store the session. One that failed may succeed until the process ends,
    /// so the name stays locked until [`settle`](Self::settle).
    pub(super) fn end(&self, is_stored: bool) -> Result<(), Failure> {
        let mut state = self.state();
        match std::mem::take(&mut *state) {
            State::Refused(failure) => return Err(failure),
            State::Storing(storing) if is_stored => {
                *state = State::Storing(self.settled(storing, true));
            }
            other => *state = other,
        }
        Ok(())
    }

    /// What is left to do when nothing is stored any more.
    pub(super) fn settle(&self, is_stored: bool) {
        let mut state = self.state();
        if let State::Storing(storing) = std::mem::take(&mut *state) {
            *state = State::Storing(self.settled(storing, is_stored));
        }
    }

    fn settled(&self, storing: Storing, is_stored: bool) -> Storing {
        if let (Some(server), Some(_held)) = (self.server, &storing.held) {
            let done = match is_stored {
                true if storing.is_due => servers::save(server).map(drop),
                false if storing.is_new => servers::forget(&server.name),
                _ => Ok(()),
            };
            if let Err(failure) = done {
                say(&format!("llm-auth: {}", failure.message()));
            }
        }
        Storing {
            held: None,
            ..storing
        }
    }

    fn of_server(
        &self,
        server: &Server,
        key: &SessionKey,
        session: &OAuthToken,
    ) -> Result<Storing, Failure> {
        let held = servers::hold(&server.name)?;
        let now = load(&server.name)?;
        let is_new = now.is_none();
        let is_due = now == self.before && now.as_ref() != Some(server);
        if is_new || is_due {
            self.check_others(server, key)?;
        } else if now.as_ref() != Some(server) {
            let now = now.as_ref().unwrap_or(server);
            if now.is_mcp != server.is_mcp || now.check_issued(session).is_err() {
                return Err(taken_by_another(now));
            }
            say(&format!(
                "llm-auth: another sign-in has changed the server {}, so the flags of this one are not \
                 remembered",
                server.name
            ));
        }
        if is_new {
            servers::save(server)?;
        }
        Ok(Storing {
            access: session.access.clone(),
            is_new,
            is_due: is_due && !is_new,
            held: Some(held),
        })
    }

    /// The other sessions of the name must be good with the server as it will be remembered.
    fn check_others(&self, server: &Server, key: &SessionKey) -> Result<(), Failure> {
        let store = directories::open(&SessionSelector::default())?;
        let mut others = ProviderName::of_server(server.clone())
            .accounts(&store)
            .stored()?;
        others.retain(|other| !self.is_in_directory || other != key);
        others.retain(|other| {
            let session = store.read(other).ok().flatten();
            session.is_some_and(|session| server.check_issued(&session).is_err())
        });
        if others.is_empty() {
            return Ok(());
        }
        Err(Failure::Config {
            message: format!(
                "another sign-in has stored a session of {} that could not be used after this one: \
                 nothing is stored",
                server.name
            ),
            advice: format!(
                "sign out of it first: {}; or sign in under another name",
                sign_outs(&others).join(", ")
            ),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
