//! What is noted in a session when its refresh fails, so that other processes know.

use std::time::Duration;

use super::Shared;
use super::foreign::Guard;
use super::refresh::Rejected;
use super::requirement::Requirement;
use crate::error::Error;
use crate::token::{OAuthToken, SessionMetadata};

/// The longest wait that a server is believed to want.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

impl Shared {
    /// Notes that the refresh token was rejected; nothing of the session is erased. If what the
    /// server sent was no verdict, the next call asks it again.
    pub(super) async fn note_rejection(
        &self,
        guard: &mut Guard<'_>,
        rejected: &Rejected,
        requirement: &Requirement,
    ) {
        let Rejected { tried, error, .. } = rejected;
        // A user who demands a refresh does so because an API has rejected the token.
        let api_rejected = requirement.is_forced() || requirement.rejected() == Some(&tried.access);
        let reason = Some(error.message().to_owned());
        let mark = tried.mark(self.clock.now(), reason).map(|mut mark| {
            mark.access_fingerprint = api_rejected.then(|| tried.access.fingerprint());
            mark.unread = rejected.unread;
            mark
        });
        let verdict = error.is_verdict() || rejected.unread;
        self.note(guard, tried, |metadata| {
            if verdict {
                metadata.rejected = mark;
                metadata.in_progress = None;
            } else {
                metadata.last_failure = mark;
                if !rejected.may_be_spent {
                    metadata.in_progress = None;
                }
            }
        })
        .await;
        if verdict || api_rejected {
            self.snapshot.set(None);
        }
    }

    /// Notes why a refresh failed, and takes the note of intent back if the server did not take
    /// the refresh token: it would only alarm.
    pub(super) async fn note_failure(
        &self,
        guard: &mut Guard<'_>,
        tried: &OAuthToken,
        error: &Error,
        may_be_spent: bool,
    ) {
        let now = self.clock.now();
        let wait = error.retry_after().map(|wait| wait.min(LONGEST_WAIT));
        let reason = Some(error.message().to_owned());
        let mark = tried.mark(now, reason).map(|mut mark| {
            mark.until = wait.map(|wait| now.after(wait));
            mark
        });
        self.note(guard, tried, |metadata| {
            metadata.last_failure = mark;
            if !may_be_spent {
                metadata.in_progress = None;
            }
        })
        .await;
    }

    /// Writes a note beside the session that was tried; what another program stored meanwhile
    /// stays. Without the note the next call asks the server again.
    async fn note(
        &self,
        guard: &mut Guard<'_>,
        tried: &OAuthToken,
        edit: impl FnOnce(&mut SessionMetadata) + Send,
    ) {
        if let Ok(Some(mut stored)) = guard.load().await
            && stored.has_same_tokens(tried)
        {
            edit(&mut stored.metadata);
            if let Err(error) = guard.save(&stored).await {
                tracing::warn!(%error, "cannot note that a refresh failed");
            }
        }
    }
}
