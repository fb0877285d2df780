//! The refresh, as one transaction under the store's lock.

mod outcome;
mod records;
mod rejection;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use self::outcome::{Done, Failed, Outcome};
use self::records::forbids_request;
use self::rejection::Rejected;
use super::foreign::Guard;
use super::requirement::Requirement;
use super::{Shared, retry};
use crate::admission::Pass;
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::token::OAuthToken;

/// The pauses before a failed save is tried again.
const SAVE_PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// The pause between later tries, while a lease lasts.
const LEASE_PAUSE: Duration = Duration::from_millis(500);

/// How often a waiting caller looks at a session that others change before it only waits.
const MOST_CHANGES: usize = 3;

/// The remaining lifetime of an access token that gives a holder of an ended lease time to come
/// back.
const SLEEPERS_TIME: Duration = Duration::from_secs(60);

/// The end of a wait for the lock.
enum Locked<'a> {
    Locked(Guard<'a>),
    Found(Done),
}

/// One refresh of one session.
pub(super) struct Refresh<'a> {
    session: &'a Shared,
    /// What the caller that started it requires.
    requirement: &'a Requirement,
    /// The session that callers see.
    known: Option<Arc<OAuthToken>>,
    /// The session that was read without the lock.
    seen: Option<Arc<OAuthToken>>,
    /// The turn of one of many sessions; `None` for a single manager.
    pass: Option<Pass>,
}

impl<'a> Refresh<'a> {
    /// A look at the store without the lock, then the transaction. It reports the result to the
    /// watchers.
    pub(super) async fn run(
        session: &Shared,
        requirement: &Requirement,
    ) -> Result<Arc<OAuthToken>> {
        let mut refresh = Refresh {
            session,
            requirement,
            known: session.snapshot.get(),
            seen: None,
            pass: None,
        };
        let outcome = match refresh.look().await? {
            Some(done) => Ok(done),
            None => refresh.transaction().await,
        };
        let outcome = outcome.map_err(|failed| failed.with_session(session.key()));
        if let Some(change) = outcome::change(&outcome) {
            session.changes.send(change);
        }
        match outcome {
            Ok(Done::Kept(token) | Done::Reloaded(token) | Done::Refreshed(token)) => Ok(token),
            Err(failed) => Err(failed.error),
        }
    }

    /// The stored session, if it satisfies the requirement; read once, without the lock.
    // See decision 0056.
    async fn look(&mut self) -> Result<Option<Done>> {
        let session = self.session;
        if session.unsaved.is_waiting() {
            return Ok(None);
        }
        // The previous flight may have ended since the caller checked.
        if let Some(token) = &self.known
            && self.is_satisfied_by(token)
        {
            return Ok(Some(Done::Kept(Arc::clone(token))));
        }
        let rejected = self.requirement.rejected();
        if let Some(token) = rejected.and_then(|rejected| session.just_confirmed(rejected)) {
            return Ok(Some(Done::Kept(token)));
        }
        match session.read().await? {
            None => Err(session.not_signed_in()),
            Some(token) if self.is_satisfied_by(&token) => Ok(Some(self.found(token))),
            token => {
                // A rejection is in the session's records.
                let may_pause =
                    |token: &&OAuthToken| !self.requirement.is_forced() && !token.is_rejected();
                let failure = token.as_deref().filter(may_pause);
                if let Some(error) = failure.and_then(|token| session.cool_down.failure_of(token)) {
                    return Err(error);
                }
                self.seen = token;
                Ok(None)
            }
        }
    }

    async fn transaction(&mut self) -> Outcome {
        let session = self.session;
        session.early_refresh.tried(session.now());
        self.known = session.snapshot.get();
        let token = self.seen.as_ref().or(self.known.as_ref());
        let admitted = session.admitted(self.requirement, token).await;
        self.pass = admitted.map_err(Failed::again)?;
        let mut pass = self.pass.take();
        let locked = Pass::lend(&mut pass, self.lock()).await;
        self.pass = pass;
        let failed = match locked {
            Ok(Locked::Found(done)) => return Ok(done),
            Ok(Locked::Locked(mut guard)) => {
                let outcome = self.under_lock(&mut guard).await;
                guard.release().await;
                match outcome {
                    Err(failed) if failed.error.kind() == ErrorKind::LeaseLost => failed,
                    outcome => return outcome,
                }
            }
            Err(error) => error.into(),
        };
        // The holder of the lock may have stored a session meanwhile.
        match session.read().await {
            Ok(Some(token)) if self.is_satisfied_by(&token) => Ok(self.found(token)),
            _ => Err(failed),
        }
    }

    /// Waits for the lock, or for a session that makes it unnecessary.
    async fn lock(&mut self) -> Result<Locked<'a>> {
        let session = self.session;
        for _ in 0..MOST_CHANGES {
            let Some(seen) = self.seen.take() else { break };
            let guard = session.foreign.lock_unless_changed(&seen).await?;
            if let Some(guard) = guard {
                return Ok(Locked::Locked(guard));
            }
            if let Some(done) = self.look().await? {
                return Ok(Locked::Found(done));
            }
        }
        let guard = match session.unsaved.is_waiting() {
            true => session.foreign.lock_patiently().await,
            false => session.foreign.lock().await,
        };
        guard.map(Locked::Locked)
    }

    /// Reads again, uses a session that another process stored or prepares the save, records the
    /// intent, refreshes, merges, stores, publishes. It holds the lock to the end.
    async fn under_lock(&mut self, guard: &mut Guard<'_>) -> Outcome {
        let session = self.session;
        let mut rejected: Option<Rejected> = None;
        loop {
            let stored = session.load_locked(guard).await?;
            let stored = session.save_unsaved(guard, stored).await;
            let Some(stored) = stored.map_err(Failed::unsaved)? else {
                session.snapshot.set(None);
                return Err(session.not_signed_in().into());
            };
            if self.is_satisfied_by(&stored) || self.may_wait_for_sleeper(guard, &stored) {
                return Ok(self.found(session.publish(stored)));
            }
            // Only the rejected token is over: a program that shares the store without this lock
            // (the Go original) may have refreshed in between.
            if let Some(rejected) = rejected.take()
                && rejected.tried.refresh == stored.refresh
            {
                self.record_rejection(guard, &rejected).await;
                return Err(rejected.error.into());
            }
            stored.refresh_token()?;
            let now = session.now();
            if let Some(error) = forbids_request(&stored, self.requirement, now) {
                return Err(Failed::again(error));
            }
            let pass = match self.pass.take() {
                None => session.admitted_under_lock(self.requirement, &stored).await,
                pass => Ok(pass),
            };
            let pass = pass.map_err(Failed::again)?;
            let mut recorded = stored.clone();
            recorded.metadata.in_progress = stored.record(now, None);
            guard.prepare(Some(&recorded)).await?;

            // From here until the successor is stored, the process does not end by itself.
            guard.critical = Some(engine::critical()?);
            let series = retry::refresh(guard, &stored).await;
            if let Some(pass) = pass {
                session.report(pass, &series.outcome, stored.failed_at());
            }
            match &series.outcome {
                Ok(_response) => session.cool_down.succeeded(),
                Err(error) if error.kind() == ErrorKind::LeaseLost => {}
                Err(error) => session.cool_down.failed(&stored, error),
            }
            let may_be_spent = series.response_lost || stored.may_be_spent();
            match series.outcome {
                Ok(response) => return self.store(guard, response, stored).await,
                Err(error) if self.is_rejection(&error) => {
                    rejected = Some(Rejected::new(stored, error, may_be_spent));
                }
                // Its holder, or the next one, records what happens from now on.
                Err(error) if error.kind() == ErrorKind::LeaseLost => return Err(error.into()),
                Err(error) => {
                    self.record_failure(guard, &stored, &error, may_be_spent)
                        .await;
                    return Err(error.into());
                }
            }
        }
    }

    /// Merges the response with the session that it replaces, stores the successor and publishes
    /// it.
    async fn store(
        &self,
        guard: &mut Guard<'_>,
        response: OAuthToken,
        stored: OAuthToken,
    ) -> Outcome {
        let session = self.session;
        let mut successor = response.inheriting(&stored);
        let metadata = &mut successor.metadata;
        metadata.provider = Some(session.key().provider().to_owned());
        metadata.account = Some(session.key().account().to_owned());
        metadata.refreshed_at = Some(session.now());
        metadata.in_progress = None;
        metadata.last_failure = None;
        metadata.rejected = None;
        if let Err(error) = finish_with_retries(guard, &successor).await {
            return self.not_saved(guard, successor, stored, error).await;
        }
        session.refreshed_to_same(successor.access == stored.access);
        if session.foreign.common.store.may_lose_saves() {
            session.unsaved.keep_saved(successor.clone(), stored);
        }
        Ok(Done::Refreshed(session.publish(successor)))
    }

    /// What becomes of a successor that the store did not take. After a lost lease that depends on
    /// what another holder has done.
    async fn not_saved(
        &self,
        guard: &mut Guard<'_>,
        successor: OAuthToken,
        stored: OAuthToken,
        error: Error,
    ) -> Outcome {
        let session = self.session;
        if error.kind() == ErrorKind::LeaseLost
            && let Ok(now) = guard.load().await
        {
            match session.check_owner(now)? {
                None => {
                    session.snapshot.set(None);
                    session.revoke_unstored(&successor).await;
                    return Err(session.not_signed_in().into());
                }
                // A later sign-in or refresh; the server may have ended this one for it.
                Some(now) if !now.has_same_tokens(&stored) => {
                    let now = session.publish(now);
                    return match self.is_satisfied_by(&now) {
                        true => Ok(self.found(now)),
                        false => Err(error.into()),
                    };
                }
                Some(_) => {}
            }
        }
        session.unsaved.keep(successor, Some(stored));
        Err(Failed::unsaved(error))
    }

    /// Whether another holder may still sleep with a response that it has yet to store, and the
    /// access token is good enough to give it time: a second use of a refresh token ends the session
    /// at a strict server.
    fn may_wait_for_sleeper(&self, guard: &Guard<'_>, stored: &OAuthToken) -> bool {
        let session = self.session;
        guard.is_lease()
            && stored.has_sleeper()
            && self.requirement.is_of_manager()
            && stored.is_valid_for(SLEEPERS_TIME, session.now())
    }

    fn is_satisfied_by(&self, token: &OAuthToken) -> bool {
        let now = self.session.now();
        self.requirement.satisfied_by(token, now)
    }

    /// A stored session that is good enough: the known one, or another process's.
    fn found(&self, token: Arc<OAuthToken>) -> Done {
        match &self.known {
            Some(known) if !known.has_same_tokens(&token) => Done::Reloaded(token),
            _ => Done::Kept(token),
        }
    }
}

/// Saves as the last thing under this lock, with retries: the old refresh token is spent, and on
/// Windows a virus scanner may hold the file for a moment.
///
/// A store that grants leases may be away for longer. Other hosts wait for this lease, and the next
/// holder would send the spent token: as long as the lease lasts, nothing is lost by trying.
pub(super) async fn finish_with_retries(guard: &mut Guard<'_>, session: &OAuthToken) -> Result<()> {
    let mut pauses = SAVE_PAUSES.into_iter();
    loop {
        let saved = guard.finish(session).await;
        match &saved {
            Err(error) if error.kind() != ErrorKind::LeaseLost => {}
            _ => return saved,
        }
        let left = guard.lease_left();
        let pause = pauses
            .next()
            .or_else(|| left.map(|left| left.min(LEASE_PAUSE)));
        match pause.filter(|pause| !pause.is_zero()) {
            Some(pause) => sleep(pause).await,
            None => return saved,
        }
    }
}
