//! The fresh token that a server refused.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{OAuthToken, Secret};

/// How long a fresh token that was refused is not refreshed again.
const PAUSE: Duration = Duration::from_secs(60);

/// The fresh access token that the server refused last, and when: it may take it for other requests,
/// and is not refreshed again for each of those that it refuses.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<Option<(Secret, Instant)>>);

impl Refused {
    pub(super) fn note(&self, token: &OAuthToken) {
        *self.last() = Some((token.access.clone(), Instant::now()));
    }

    /// The server has taken this token.
    pub(super) fn accepted(&self, token: &OAuthToken) {
        self.last().take_if(|(refused, _)| *refused != token.access);
    }

    pub(super) fn is_any(&self) -> bool {
        self.last().is_some()
    }

    pub(super) fn holds(&self, token: &OAuthToken) -> bool {
        let last = self.last();
        last.as_ref()
            .is_some_and(|(access, at)| *access == token.access && at.elapsed() < PAUSE)
    }

    fn last(&self) -> MutexGuard<'_, Option<(Secret, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
