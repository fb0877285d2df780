//! The renewal, as one transaction under the store's lock.

use std::sync::{Arc, PoisonError};

use super::demand::Demand;
use super::{Shared, retry};
use crate::error::{Error, ErrorKind, Result};
use crate::store::StoreGuard;
use crate::text::clean;
use crate::token::OAuthToken;

/// A successor that could not be stored: kept until it can be, and shown to nobody before.
#[derive(Debug)]
pub(super) struct Unsaved {
    successor: OAuthToken,
    spent_fingerprint: Option<String>,
}

impl Shared {
    /// Lock, read again, adopt what others wrote or prepare, note the intent, renew, merge,
    /// store, show. The lock is held to the end.
    pub(super) async fn renew(&self, demand: &Demand) -> Result<Arc<OAuthToken>> {
        let mut guard = self.lock().await?;
        self.renew_locked(guard.as_mut(), demand)
            .await
            .map_err(|error| self.named(error))
    }

    async fn renew_locked(
        &self,
        guard: &mut dyn StoreGuard,
        demand: &Demand,
    ) -> Result<Arc<OAuthToken>> {
        let mut refused: Option<(OAuthToken, Error)> = None;
        loop {
            let Some(stored) = self.own_session(guard.load().await?)? else {
                self.snapshot.store(None);
                return Err(self.not_signed_in());
            };
            let stored = self.save_unsaved(guard, stored).await?;
            if demand.is_met_by(&stored, self.clock.now()) {
                return Ok(self.publish(stored));
            }
            // Only the very token that was refused is over: whoever shares the store without
            // our lock (the Go original) may have renewed in between.
            if let Some((tried, error)) = refused.take()
                && tried.refresh == stored.refresh
            {
                self.mark_refused(guard, stored, &error).await;
                return Err(error);
            }
            if stored.is_refused() && !demand.insists() {
                return Err(refused_before(&stored));
            }
            let Some(spending) = &stored.refresh else {
                return Err(Error::new(
                    ErrorKind::NotSignedIn,
                    "the access token has expired, and the session has no refresh token",
                ));
            };
            let spent_fingerprint = Some(spending.fingerprint());
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
                    successor.notes.refused = None;
                    if let Err(error) = guard.save(&successor).await {
                        self.keep_unsaved(successor, spent_fingerprint);
                        return Err(error);
                    }
                    return Ok(self.publish(successor));
                }
                Err(error) if error.kind() == ErrorKind::RefreshRejected => {
                    let explained = if series.answer_lost || cut_off_before {
                        explain_lost_answer(&error)
                    } else {
                        error
                    };
                    refused = Some((stored, explained));
                }
                Err(error) => {
                    if !series.answer_lost && !cut_off_before {
                        // The server did not take it: the note would only alarm.
                        let _kept: Result<()> = guard.save(&stored).await;
                    }
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
        let waiting = {
            let mut unsaved = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
            unsaved.take()
        };
        let Some(waiting) = waiting else {
            return Ok(stored);
        };
        if stored.refresh.as_ref().map(|refresh| refresh.fingerprint()) != waiting.spent_fingerprint
        {
            return Ok(stored);
        }
        if let Err(error) = guard.save(&waiting.successor).await {
            self.keep_unsaved(waiting.successor, waiting.spent_fingerprint);
            return Err(error);
        }
        Ok(waiting.successor)
    }

    fn keep_unsaved(&self, successor: OAuthToken, spent_fingerprint: Option<String>) {
        let mut unsaved = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        *unsaved = Some(Unsaved {
            successor,
            spent_fingerprint,
        });
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
        self.snapshot.store(None);
    }
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
    let explained = Error::new(ErrorKind::RefreshRejected, message);
    match error.status() {
        Some(status) => explained.with_status(status),
        None => explained,
    }
}
