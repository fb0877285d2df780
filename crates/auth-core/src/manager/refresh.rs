//! The refresh, as one transaction under the store's lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::foreign::Guard;
use super::requirement::Requirement;
use super::{SessionChange, Shared, retry};
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::clean;
use crate::token::OAuthToken;

/// The pauses before a failed save is tried again.
const SAVE_PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// How a transaction succeeded.
enum Done {
    /// The stored session is good enough, and known already.
    Kept(Arc<OAuthToken>),
    /// Another process had stored a session that is good enough.
    Reloaded(Arc<OAuthToken>),
    Refreshed(Arc<OAuthToken>),
}

/// A rejection that counts only if the session that was tried is still stored.
pub(super) struct Rejected {
    pub(super) tried: OAuthToken,
    pub(super) error: Error,
    pub(super) may_be_spent: bool,
    /// The server has not rejected the token, but its response with a 2xx status cannot be read.
    pub(super) unread: bool,
}

/// How a transaction failed.
struct Failed {
    error: Error,
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
    fn again(error: Error) -> Self {
        Self {
            is_old: true,
            ..Self::from(error)
        }
    }
}

impl Shared {
    /// The work of one flight: a check without the lock, then the transaction. It reports the
    /// result to the watchers.
    pub(super) async fn run_refresh(&self, requirement: &Requirement) -> Result<Arc<OAuthToken>> {
        let outcome = match self.look(requirement).await {
            Ok(Some(done)) => Ok(done),
            Ok(None) => self.transaction(requirement).await,
            Err(error) => return Err(error),
        };
        let outcome = outcome.map_err(|failed| Failed {
            error: self.with_session(failed.error),
            ..failed
        });
        match &outcome {
            Ok(Done::Kept(_)) => {}
            Ok(Done::Reloaded(token)) => {
                self.changes
                    .send(SessionChange::Reloaded(Arc::clone(token)));
            }
            Ok(Done::Refreshed(token)) => {
                self.changes
                    .send(SessionChange::Refreshed(Arc::clone(token)));
            }
            Err(Failed { is_old: true, .. }) => {}
            Err(Failed { error, unsaved, .. }) => {
                let error = error.clone();
                self.changes.send(match error.kind() {
                    _ if *unsaved => SessionChange::SaveFailed(error),
                    _ if error.is_verdict() => SessionChange::Over(error),
                    _ => SessionChange::RefreshFailed(error),
                });
            }
        }
        match outcome {
            Ok(Done::Kept(token) | Done::Reloaded(token) | Done::Refreshed(token)) => Ok(token),
            Err(failed) => Err(failed.error),
        }
    }

    /// The stored session, if it satisfies the requirement; read once, without the lock.
    async fn look(&self, requirement: &Requirement) -> Result<Option<Done>> {
        if self.unsaved.is_waiting() {
            return Ok(None);
        }
        let known = self.snapshot.get();
        // The previous flight may have ended since the caller checked.
        if let Some(token) = &known
            && requirement.satisfied_by(token, self.clock.now())
        {
            return Ok(Some(Done::Kept(Arc::clone(token))));
        }
        match self.read().await? {
            None => Err(self.not_signed_in()),
            Some(token) if requirement.satisfied_by(&token, self.clock.now()) => {
                Ok(Some(Done::found(token, known.as_deref())))
            }
            Some(_) => Ok(None),
        }
    }

    async fn transaction(&self, requirement: &Requirement) -> std::result::Result<Done, Failed> {
        self.early_refresh.tried(self.clock.now());
        let known = self.snapshot.get();
        match self.foreign.lock().await {
            Ok(mut guard) => {
                let known = known.as_deref();
                let ended = self.refresh_locked(&mut guard, requirement, known).await;
                guard.release().await;
                ended
            }
            // The holder of the lock may have stored a session meanwhile.
            Err(error) => match self.read().await {
                Ok(Some(token)) if requirement.satisfied_by(&token, self.clock.now()) => {
                    Ok(Done::found(token, known.as_deref()))
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Reads again, uses a session that another process stored or prepares the save, records the
    /// intent, refreshes, merges, stores, publishes. It holds the lock to the end.
    async fn refresh_locked(
        &self,
        guard: &mut Guard<'_>,
        requirement: &Requirement,
        known: Option<&OAuthToken>,
    ) -> std::result::Result<Done, Failed> {
        let mut rejected: Option<Rejected> = None;
        loop {
            let stored = self.check_owner(guard.load().await?)?;
            let Some(stored) = self.save_unsaved(guard, stored).await? else {
                self.snapshot.set(None);
                return Err(self.not_signed_in().into());
            };
            let now = self.clock.now();
            if requirement.satisfied_by(&stored, now) {
                return Ok(Done::found(self.publish(stored), known));
            }
            // Only the rejected token is over: a program that shares the store without this lock
            // (the Go original) may have refreshed in between.
            if let Some(rejected) = rejected.take()
                && rejected.tried.refresh == stored.refresh
            {
                self.record_rejection(guard, &rejected, requirement).await;
                return Err(rejected.error.into());
            }
            if stored.is_refused() && !(requirement.is_forced() && stored.is_unread()) {
                return Err(Failed::again(rejected_before(&stored)));
            }
            stored.refresh_token()?;
            if let Some(wait) = stored.asked_to_wait(now)
                && !requirement.is_forced()
            {
                return Err(Failed::again(wait_longer(&stored, wait)));
            }
            let cut_off_before = stored.may_be_spent();
            let mut noted = stored.clone();
            noted.metadata.in_progress = stored.record(now, None);
            guard.prepare(Some(&noted)).await?;

            // From here until the successor is stored, the process does not end by itself.
            guard.critical = Some(engine::critical()?);
            let series = retry::refresh(&self.foreign, &stored).await;
            match series.outcome {
                Ok(response) => {
                    let successor = self.succeed(response, &stored);
                    return self.store_successor(guard, successor, stored).await;
                }
                Err(error) if error.kind() == ErrorKind::RefreshRejected => {
                    let may_be_spent = series.answer_lost || cut_off_before;
                    rejected = Some(Rejected {
                        tried: stored,
                        error: match may_be_spent {
                            true => explain_lost_response(&error),
                            false => error,
                        },
                        may_be_spent,
                        unread: false,
                    });
                }
                // The server has done it: the token is spent, and its successor cannot be read.
                Err(error)
                    if error.has_whole_unread_success()
                        && self.foreign.provider.rotates_refresh_tokens() =>
                {
                    rejected = Some(Rejected {
                        tried: stored,
                        error: match error.is_transient() {
                            true => spent_for_nothing(&error),
                            false => error,
                        },
                        may_be_spent: true,
                        unread: true,
                    });
                }
                Err(error) => {
                    let may_be_spent = series.answer_lost || cut_off_before;
                    self.record_failure(guard, &stored, &error, may_be_spent)
                        .await;
                    return Err(error.into());
                }
            }
        }
    }

    /// The successor of the stored session, from the response.
    fn succeed(&self, response: OAuthToken, stored: &OAuthToken) -> OAuthToken {
        let mut successor = response.inheriting(stored);
        successor.metadata.provider = Some(self.key().provider().to_owned());
        successor.metadata.account = Some(self.key().account().to_owned());
        successor.metadata.refreshed_at = Some(self.clock.now());
        successor.metadata.in_progress = None;
        successor.metadata.last_failure = None;
        successor.metadata.rejected = None;
        successor
    }

    async fn store_successor(
        &self,
        guard: &mut Guard<'_>,
        successor: OAuthToken,
        stored: OAuthToken,
    ) -> std::result::Result<Done, Failed> {
        if let Err(error) = save_with_retries(guard, &successor).await {
            self.unsaved.keep(successor, Some(stored));
            return Err(Failed {
                unsaved: true,
                ..Failed::from(error)
            });
        }
        self.refreshed_to_same(successor.access == stored.access);
        Ok(Done::Refreshed(self.publish(successor)))
    }

    /// Stores the unsaved session, if it is still the successor of the stored one.
    async fn save_unsaved(
        &self,
        guard: &mut Guard<'_>,
        stored: Option<OAuthToken>,
    ) -> std::result::Result<Option<OAuthToken>, Failed> {
        let Some(waiting) = self.unsaved.take(stored.as_ref()) else {
            return Ok(stored);
        };
        if let Err(error) = guard.save(&waiting).await {
            self.unsaved.keep(waiting, stored);
            return Err(Failed {
                unsaved: true,
                ..Failed::from(error)
            });
        }
        Ok(Some(waiting))
    }

    /// Stores the unsaved session, and returns it; `None` without one.
    pub(super) async fn save_waiting_locked(
        &self,
        guard: &mut Guard<'_>,
    ) -> Result<Option<OAuthToken>> {
        let stored = self.check_owner(guard.load().await?)?;
        let before = stored.clone();
        let saved = self.save_unsaved(guard, stored).await;
        let saved = saved.map_err(|failed| failed.error)?;
        Ok(saved.filter(|saved| before.is_none_or(|before| !before.has_same_tokens(saved))))
    }
}

impl Done {
    fn found(token: Arc<OAuthToken>, known: Option<&OAuthToken>) -> Self {
        match known {
            Some(known) if !known.has_same_tokens(&token) => Self::Reloaded(token),
            _ => Self::Kept(token),
        }
    }
}

/// Saves, with retries: the old refresh token is spent, and on Windows a virus scanner may hold the
/// file for a moment.
pub(super) async fn save_with_retries(guard: &mut Guard<'_>, session: &OAuthToken) -> Result<()> {
    let mut saved = guard.save(session).await;
    for pause in SAVE_PAUSES {
        if saved.is_ok() {
            break;
        }
        sleep(pause).await;
        saved = guard.save(session).await;
    }
    saved
}

fn rejected_before(stored: &OAuthToken) -> Error {
    let reason = stored.metadata.rejected.as_ref();
    let reason = reason.and_then(|record| record.reason.as_deref());
    let message = reason.map_or_else(
        || "the refresh token was rejected earlier".to_owned(),
        |reason| clean(reason, 400, &[]),
    );
    Error::new(ErrorKind::RefreshRejected, message)
}

fn wait_longer(stored: &OAuthToken, wait: Duration) -> Error {
    let seconds = wait.as_secs().max(1);
    let reason = stored.metadata.last_failure.as_ref();
    let reason = reason.and_then(|record| record.reason.as_deref());
    let reason = reason.map_or_else(String::new, |reason| {
        format!(" (its last response: {})", clean(reason, 200, &[]))
    });
    Error::new(
        ErrorKind::RateLimited,
        format!("the server asked for no request in the next {seconds} s{reason}"),
    )
    .with_retry_after(Some(wait))
}

fn spent_for_nothing(error: &Error) -> Error {
    let message = format!(
        "{}; the server has spent the refresh token, so it is not sent again",
        error.message()
    );
    let status = error.status().unwrap_or_default();
    Error::new(ErrorKind::RefreshRejected, message)
        .with_status(status)
        .with_source(error.clone())
}

fn explain_lost_response(error: &Error) -> Error {
    let message = format!(
        "{}; the response to an earlier refresh was lost, so the refresh token was probably spent by it",
        error.message()
    );
    let explained =
        Error::new(ErrorKind::RefreshRejected, message).with_verdict(error.is_verdict());
    match error.status() {
        Some(status) => explained.with_status(status),
        None => explained,
    }
}
