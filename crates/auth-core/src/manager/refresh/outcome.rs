//! How a refresh ends, and what the watchers hear of it.

use std::sync::Arc;

use super::super::SessionChange;
use crate::error::Error;
use crate::session::SessionKey;
use crate::token::OAuthToken;

pub(super) type Outcome = Result<Done, Failed>;

/// How a refresh succeeded.
pub(super) enum Done {
    /// The stored session is good enough, and known already.
    Kept(Arc<OAuthToken>),
    /// Another process had stored a session that is good enough.
    Reloaded(Arc<OAuthToken>),
    Refreshed(Arc<OAuthToken>),
}

/// How a refresh failed.
pub(super) struct Failed {
    pub(super) error: Error,
    /// Whether a session now waits in memory because it could not be stored.
    unsaved: bool,
    /// Whether the failure is known already: nothing was tried.
    is_old: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            unsaved: false,
            is_old: false,
        }
    }
}

impl Failed {
    /// A failure that an earlier call has reported.
    pub(super) fn again(error: Error) -> Self {
        Self {
            is_old: true,
            ..Self::from(error)
        }
    }

    pub(super) fn with_session(self, key: &SessionKey) -> Self {
        Self {
            error: self.error.with_session(key),
            ..self
        }
    }

    /// A session that could not be stored waits in memory.
    pub(super) fn unsaved(error: Error) -> Self {
        Self {
            unsaved: true,
            ..Self::from(error)
        }
    }
}

/// What the watchers hear; `None` if nothing changed.
pub(super) fn change(outcome: &Outcome) -> Option<SessionChange> {
    match outcome {
        Ok(Done::Kept(_)) | Err(Failed { is_old: true, .. }) => None,
        Ok(Done::Reloaded(token)) => Some(SessionChange::Reloaded(Arc::clone(token))),
        Ok(Done::Refreshed(token)) => Some(SessionChange::Refreshed(Arc::clone(token))),
        Err(Failed { error, unsaved, .. }) => {
            let error = error.clone();
            Some(match error.kind() {
                _ if *unsaved => SessionChange::SaveFailed(error),
                _ if error.is_verdict() => SessionChange::Over(error),
                _ => SessionChange::RefreshFailed(error),
            })
        }
    }
}
