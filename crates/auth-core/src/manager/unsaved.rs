//! What could not be stored: kept in memory until it can be, and shown to no caller before.

use std::sync::{Mutex, PoisonError};

use crate::token::OAuthToken;

/// A session that could not be stored, and what it is to replace.
#[derive(Debug)]
struct Waiting {
    session: OAuthToken,
    previous: Option<OAuthToken>,
}

/// The session that waits to be stored, if one does.
#[derive(Debug, Default)]
pub(super) struct Unsaved(Mutex<Option<Box<Waiting>>>);

impl Unsaved {
    /// Keeps a session that is to replace `previous`.
    pub(super) fn keep(&self, session: OAuthToken, previous: Option<OAuthToken>) {
        self.set(Some(Box::new(Waiting { session, previous })));
    }

    /// Takes out the session that is to replace what is stored now; one that is to replace
    /// something else is over, and dropped.
    pub(super) fn take(&self, stored: Option<&OAuthToken>) -> Option<OAuthToken> {
        let waiting = self.set(None)?;
        let follows = match (&waiting.previous, stored) {
            (None, None) => true,
            (Some(previous), Some(stored)) => previous.has_same_tokens(stored),
            _ => false,
        };
        follows.then_some(waiting.session)
    }

    /// Whether a session waits.
    pub(super) fn is_waiting(&self) -> bool {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.is_some()
    }

    /// Drops it: something newer was stored.
    pub(super) fn clear(&self) {
        drop(self.set(None));
    }

    fn set(&self, waiting: Option<Box<Waiting>>) -> Option<Box<Waiting>> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut place, waiting)
    }
}
