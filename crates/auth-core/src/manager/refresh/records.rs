//! The records of a failed refresh in a session: written here, and read by every process before it
//! sends a request.

use std::time::Duration;

use super::super::foreign::Guard;
use super::super::requirement::Requirement;
use super::Refresh;
use super::rejection::Rejected;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::sanitize::clean;
use crate::token::{OAuthToken, RefreshRecord, SessionMetadata};

/// The longest wait that a server can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

impl Refresh<'_> {
    /// Records that the server rejected the refresh token, and erases nothing of the session. If
    /// the response was no verdict, the next call asks the server again.
    pub(super) async fn record_rejection(&self, guard: &mut Guard<'_>, rejected: &Rejected) {
        let Rejected { tried, error, .. } = rejected;
        // A user who demands a refresh does so because an API has rejected the token.
        let requirement = self.requirement;
        let api_rejected = requirement.is_forced() || requirement.rejected() == Some(&tried.access);
        let reason = Some(error.message().to_owned());
        let record = tried.record(self.session.now(), reason).map(|mut record| {
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
            self.session.snapshot.set(None);
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
        let now = self.session.now();
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
                tracing::warn!(%error, "cannot record a failed refresh");
            }
        }
    }
}

/// The error of a session whose records forbid a request; `None` if it may be sent.
pub(super) fn forbids_request(
    stored: &OAuthToken,
    requirement: &Requirement,
    now: Timestamp,
) -> Option<Error> {
    let is_forced = requirement.is_forced();
    if stored.is_rejected() && !(is_forced && stored.is_unread()) {
        return Some(rejected_before(stored));
    }
    let wait = stored.asked_to_wait(now).filter(|_| !is_forced)?;
    Some(wait_longer(stored, wait))
}

fn rejected_before(stored: &OAuthToken) -> Error {
    let reason = reason(stored.metadata.rejected.as_deref(), 400);
    let message = reason.unwrap_or_else(|| "the refresh token was rejected earlier".to_owned());
    Error::new(ErrorKind::RefreshRejected, message)
}

fn wait_longer(stored: &OAuthToken, wait: Duration) -> Error {
    let seconds = wait.as_secs().max(1);
    let reason = reason(stored.metadata.last_failure.as_deref(), 200);
    let reason = reason.map_or_else(String::new, |reason| {
        format!(" (its last response: {reason})")
    });
    Error::new(
        ErrorKind::RateLimited,
        format!("the server accepts no request for the next {seconds} s{reason}"),
    )
    .with_retry_after(Some(wait))
}

/// The recorded reason, which another program may have written.
fn reason(record: Option<&RefreshRecord>, limit: usize) -> Option<String> {
    Some(clean(record?.reason.as_deref()?, limit, &[]))
}
