//! The renewal, as one transaction under the store's lock.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::demand::Demand;
use super::{SessionChange, Shared, retry};
use crate::error::{Error, ErrorKind, Result};
use crate::store::StoreGuard;
use crate::text::clean;
use crate::token::OAuthToken;

/// The pauses before a failed save is tried again.
const SAVE_PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// A successor that could not be stored: kept until it can be, and shown to nobody before.
#[derive(Debug)]
pub(super) struct Unsaved {
    successor: OAuthToken,
    spent: OAuthToken,
}

impl Unsaved {
    /// The successor, if it follows what is stored now and not something that is over.
    pub(super) fn following(self, stored: &OAuthToken) -> Option<OAuthToken> {
        let same = self.spent.access == stored.access && self.spent.refresh == stored.refresh;
        same.then_some(self.successor)
    }
}

impl Shared {
    /// Lock, read again, adopt what others wrote or prepare, note the intent, renew, merge,
    /// store, show. The lock is held to the end.
    pub(super) async fn renew(&self, demand: &Demand) -> Result<Arc<OAuthToken>> {
        let mut guard = self.lock().await?;
        let renewed = self.renew_locked(guard.as_mut(), demand).await;
        let renewed = renewed.map_err(|error| self.named(error));
        self.changes.tell(match &renewed {
            Ok((token, true)) => SessionChange::Renewed(Arc::clone(token)),
            Ok((token, false)) => SessionChange::Adopted(Arc::clone(token)),
            Err(error) => match error.kind() {
                _ if error.is_verdict() => SessionChange::Over(error.clone()),
                ErrorKind::Store => SessionChange::SaveFailed(error.clone()),
                _ => SessionChange::RenewalFailed(error.clone()),
            },
        });
        renewed.map(|(token, _own)| token)
    }

    async fn renew_locked(
        &self,
        guard: &mut dyn StoreGuard,
        demand: &Demand,
    ) -> Result<(Arc<OAuthToken>, bool)> {
        let mut refused: Option<(OAuthToken, Error, bool)> = None;
        loop {
            let Some(stored) = self.own_session(guard.load().await?)? else {
                self.snapshot.set(None);
                return Err(self.not_signed_in());
            };
            let stored = self.save_unsaved(guard, stored).await?;
            if demand.is_met_by(&stored, self.clock.now()) {
                return Ok((self.publish(stored), false));
            }
            // Only the very token that was refused is over: whoever shares the store without
            // our lock (the Go original) may have renewed in between.
            if let Some((tried, error, may_be_spent)) = refused.take()
                && tried.refresh == stored.refresh
            {
                if error.is_verdict() {
                    self.mark_refused(guard, stored, &error).await;
                } else {
                    self.note_failure(guard, &stored, &error, may_be_spent)
                        .await;
                }
                return Err(error);
            }
            if stored.is_refused() {
                return Err(refused_before(&stored));
            }
            stored.refresh_token()?;
            let cut_off_before = stored.may_be_spent();
            let mut noted = stored.clone();
            noted.notes.intent = stored.mark(self.clock.now(), None);
            guard.prepare(Some(&noted)).await?;

            let series = retry::refresh(self.provider.as_ref(), &stored).await;
            match series.outcome {
                Ok(answer) => {
                    let mut successor = answer.inheriting(&stored);
                    successor.notes.provider = Some(self.key.provider().to_owned());
                    successor.notes.renewed_at = Some(self.clock.now());
                    successor.notes.intent = None;
                    successor.notes.last_failure = None;
                    successor.notes.refused = None;
                    if let Err(error) = save_patiently(guard, &successor).await {
                        self.keep_unsaved(Unsaved {
                            successor,
                            spent: stored,
                        });
                        return Err(error);
                    }
                    return Ok((self.publish(successor), true));
                }
                Err(error) if error.kind() == ErrorKind::RefreshRejected => {
                    let may_be_spent = series.answer_lost || cut_off_before;
                    let explained = if may_be_spent {
                        explain_lost_answer(&error)
                    } else {
                        error
                    };
                    refused = Some((stored, explained, may_be_spent));
                }
                Err(error) => {
                    let may_be_spent = series.answer_lost || cut_off_before;
                    self.note_failure(guard, &noted, &error, may_be_spent).await;
                    return Err(error);
                }
            }
        }
    }

    /// Stores what an earlier renewal could not store, if it still follows what is stored now.
    async fn save_unsaved(
        &self,
        guard: &mut dyn StoreGuard,
        stored: OAuthToken,
    ) -> Result<OAuthToken> {
        let Some(successor) = self.take_unsaved(&stored) else {
            return Ok(stored);
        };
        if let Err(error) = guard.save(&successor).await {
            self.keep_unsaved(Unsaved {
                successor,
                spent: stored,
            });
            return Err(error);
        }
        Ok(successor)
    }

    /// A successor of what is stored that could not be stored itself; any other is dropped.
    pub(super) fn take_unsaved(&self, stored: &OAuthToken) -> Option<OAuthToken> {
        let waiting = {
            let mut unsaved = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
            unsaved.take()
        };
        waiting?.following(stored)
    }

    fn keep_unsaved(&self, waiting: Unsaved) {
        let mut unsaved = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        *unsaved = Some(Box::new(waiting));
    }

    /// Notes why a renewal failed, and takes the note of intent back if the server did not take
    /// the refresh token: it would only alarm. What somebody else stored meanwhile stays.
    async fn note_failure(
        &self,
        guard: &mut dyn StoreGuard,
        noted: &OAuthToken,
        error: &Error,
        may_be_spent: bool,
    ) {
        if let Ok(Some(mut stored)) = guard.load().await
            && stored == *noted
        {
            let reason = Some(error.message().to_owned());
            stored.notes.last_failure = stored.mark(self.clock.now(), reason);
            if !may_be_spent {
                stored.notes.intent = None;
            }
            if let Err(error) = guard.save(&stored).await {
                tracing::warn!(%error, "cannot note that a renewal failed");
            }
        }
    }

    /// Marks the session as over; nothing of it is erased.
    async fn mark_refused(
        &self,
        guard: &mut dyn StoreGuard,
        mut stored: OAuthToken,
        error: &Error,
    ) {
        let reason = Some(error.message().to_owned());
        stored.notes.refused = stored.mark(self.clock.now(), reason);
        stored.notes.intent = None;
        // Without the mark the next call asks the server again, and hears the same.
        if let Err(error) = guard.save(&stored).await {
            tracing::warn!(%error, "cannot mark the session as refused");
        }
        self.snapshot.set(None);
    }
}

/// Saves, again after a moment if need be: the old refresh token is spent, and on Windows a
/// virus scanner may hold the file just now.
async fn save_patiently(guard: &mut dyn StoreGuard, successor: &OAuthToken) -> Result<()> {
    let mut saved = guard.save(successor).await;
    for pause in SAVE_PAUSES {
        if saved.is_ok() {
            break;
        }
        sleep(pause).await;
        saved = guard.save(successor).await;
    }
    saved
}

fn refused_before(stored: &OAuthToken) -> Error {
    let reason = stored.notes.refused.as_ref();
    let reason = reason.and_then(|mark| mark.reason.as_deref());
    let message = reason.map_or_else(
        || "the refresh token was refused earlier".to_owned(),
        |reason| clean(reason, 400, &[]),
    );
    Error::new(ErrorKind::RefreshRejected, message)
}

fn explain_lost_answer(error: &Error) -> Error {
    let message = format!(
        "{}; the answer to an earlier renewal was lost, so the refresh token was probably spent by it",
        error.message()
    );
    let explained =
        Error::new(ErrorKind::RefreshRejected, message).with_verdict(error.is_verdict());
    match error.status() {
        Some(status) => explained.with_status(status),
        None => explained,
    }
}
