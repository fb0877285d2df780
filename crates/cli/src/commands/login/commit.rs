//! The moment at which a server is remembered: when a session of it is stored. So a sign-in that fails
//! changes nothing, and all sessions of a name are of one server.

use std::sync::{Mutex, MutexGuard, PoisonError};

use llm_auth::oidc::Server;
use llm_auth_core::{OAuthToken, Secret};

use super::names::{load, taken_by_another};
use crate::error::Failure;
use crate::providers::servers;
use crate::session::settings::Held;
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
enum State {
    #[default]
    Waiting,
    /// The session of this access token is being stored; until then the name is locked.
    Remembered(Secret, Option<Held>),
    Refused(Failure),
}

impl Commit {
    pub(super) fn new(server: Option<&'static Server>, before: Option<Server>) -> Self {
        Self {
            server,
            before,
            state: Mutex::default(),
        }
    }

    /// Whether the session may be stored. Call it right before that.
    pub(super) fn remember(&self, session: &OAuthToken) -> bool {
        let remembered = match self.server {
            None => Ok(None),
            Some(server) => self.of_server(server, session).map(Some),
        };
        let is_remembered = remembered.is_ok();
        *self.state() = match remembered {
            Ok(held) => State::Remembered(session.access.clone(), held),
            Err(failure) => State::Refused(failure),
        };
        is_remembered
    }

    /// Whether this session is the one of this sign-in.
    pub(super) fn has_stored(&self, session: &OAuthToken) -> bool {
        matches!(&*self.state(), State::Remembered(access, _) if *access == session.access)
    }

    /// The end of the attempt to store the session.
    pub(super) fn end(&self) -> Result<(), Failure> {
        let state = std::mem::take(&mut *self.state());
        match state {
            State::Refused(failure) => Err(failure),
            State::Remembered(access, _held) => {
                *self.state() = State::Remembered(access, None);
                Ok(())
            }
            State::Waiting => Ok(()),
        }
    }

    fn of_server(&self, server: &Server, session: &OAuthToken) -> Result<Held, Failure> {
        let held = servers::hold(&server.name)?;
        match load(&server.name)? {
            Some(now) if now == *server => {}
            now if now.is_none() || now == self.before => {
                servers::save(server)?;
            }
            Some(now) if now.check_issued(session).is_ok() => say(&format!(
                "llm-auth: another sign-in has changed the server {}, so the flags of this one are not \
                 remembered",
                server.name
            )),
            now => return Err(taken_by_another(now.as_ref().unwrap_or(server))),
        }
        Ok(held)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
