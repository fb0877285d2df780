//! The records of a failed refresh in a session, for other processes to read.

use std::time::Duration;

use super::Shared;
use super::foreign::Guard;
use super::refresh::Rejected;
use super::requirement::Requirement;
use crate::error::Error;
use crate::token::{OAuthToken, SessionMetadata};

/// The longest wait that a server can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

impl Shared {
    /// Records that the server rejected the refresh token, and erases nothing of the session. If
    /// the response was no verdict, the next call asks the server again.
    pub(super) async fn record_rejection(
        &self,
        guard: &mut Guard<'_>,
        rejected: &Rejected,
        requirement: &Requirement,
    ) {
        let Rejected { tried, error, .. } = rejected;
        // A user who demands a refresh does so because an API has rejected the token.
        let api_rejected = requirement.is_forced() || requirement.rejected() == Some(&tried.access);
        let reason = Some(error.message().to_owned());
        let record = tried.record(self.clock.now(), reason).map(|mut record| {
            record.access_fingerprint = api_rejected.then(|| tried.access.fingerprint());
            record.unread = rejected.unread;
            record
        });
        let verdict = error.is_verdict() || rejected.unread;
        self.record(guard, tried, |metadata| {
            if verdict {
                metadata.rejected = record;
                metadata.in_progress = None;
            } else {
                metadata.last_failure = record;
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

    /// Records why a refresh failed, and clears the record of the refresh in progress if the server
    /// did not take the refresh token: it would only alarm the user.
    pub(super) async fn record_failure(
        &self,
        guard: &mut Guard<'_>,
        tried: &OAuthToken,
        error: &Error,
        may_be_spent: bool,
    ) {
        let now = self.clock.now();
        let wait = error.retry_after().map(|wait| wait.min(LONGEST_WAIT));
        let reason = Some(error.message().to_owned());
        let record = tried.record(now, reason).map(|mut record| {
            record.until = wait.map(|wait| now.after(wait));
            record
        });
        self.record(guard, tried, |metadata| {
            metadata.last_failure = record;
            if !may_be_spent {
                metadata.in_progress = None;
            }
        })
        .await;
    }

    /// Writes a record into the session that was tried; a session that another program stored
    /// meanwhile stays. Without the record the next call asks the server again.
    async fn record(
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
