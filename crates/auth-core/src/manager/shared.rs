//! The state that clones of a manager share, and the ways to a refresh.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::background::EarlyRefresh;
use super::change::Changes;
use super::cool_down::CoolDown;
use super::foreign::{Foreign, LOCK_FACTOR};
use super::refresh::Refresh;
use super::requirement::Requirement;
use super::single_flight::SingleFlight;
use super::snapshot::Snapshot;
use super::unsaved::Unsaved;
use crate::clock::Timestamp;
use crate::engine::{self, Tasks};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::session::SessionKey;
use crate::token::OAuthToken;

pub(crate) struct Shared {
    pub(super) foreign: Foreign,
    pub(super) early_refresh: EarlyRefresh,
    pub(super) changes: Changes,
    pub(super) snapshot: Snapshot,
    pub(super) unsaved: Unsaved,
    pub(super) flight: SingleFlight,
    pub(super) tasks: Tasks,
    pub(super) cool_down: CoolDown,
    /// When a refresh last returned the same access token again, in Unix milliseconds.
    pub(super) same_again: AtomicI64,
    /// One sign-in at a time; most sessions never need one.
    pub(super) sign_in: OnceLock<Box<Mutex<()>>>,
}

/// Before any instant of a working clock.
pub(super) const NEVER: i64 = i64::MIN;

/// The remaining lifetime that a call of the API needs.
const LAST_MOMENT: Duration = Duration::from_secs(5);

/// How long a refresh that returned the same access token counts: another one would return it
/// again.
// See decision 0056.
const SAME_AGAIN: Duration = Duration::from_secs(5);

/// How long a caller waits for one flight, in calls beyond its wait for the lock. Each call has its
/// own limit; this one is for a call that blocks its thread, which is not allowed.
const FLIGHT_CALLS: u32 = 10;

/// How often a caller joins a flight that started for a caller with a lower requirement.
const JOINS: usize = 3;

impl Shared {
    pub(crate) fn key(&self) -> &SessionKey {
        &self.foreign.key
    }

    pub(super) fn now(&self) -> Timestamp {
        self.foreign.common.clock.now()
    }

    /// A session that satisfies the requirement, refreshed if necessary.
    pub(super) async fn obtain(
        self: &Arc<Self>,
        requirement: Requirement,
    ) -> Result<Arc<OAuthToken>> {
        if let Some(token) = self.snapshot.get()
            && requirement.satisfied_by(&token, self.now())
        {
            return Ok(token);
        }
        let io = engine::io().map_err(|error| self.with_session(error))?;
        let limit = self
            .foreign
            .common
            .limit
            .saturating_mul(LOCK_FACTOR + FLIGHT_CALLS);
        let mut joins = 1;
        loop {
            let flight = self.join(&requirement);
            let flight = {
                // These timers run even if a call blocks the thread of the transactions.
                let _timers = io.enter();
                // Boxed, so that callers who need not wait have a small future.
                Box::pin(timeout(limit, flight))
            };
            let token = flight
                .await
                .unwrap_or_else(|_elapsed| Err(self.does_not_end()))?;
            // Otherwise that flight had started for a caller with a lower requirement.
            if requirement.accepts(&token, self.now()) || joins == JOINS {
                return Ok(token);
            }
            joins += 1;
        }
    }

    /// Joins the flight in progress, or starts one; it goes on even if the future is dropped.
    pub(super) fn join(
        self: &Arc<Self>,
        requirement: &Requirement,
    ) -> impl Future<Output = Result<Arc<OAuthToken>>> + Send + 'static {
        self.flight.join_or_start(&self.tasks, || {
            let (owned, requirement) = (Arc::clone(self), requirement.clone());
            async move {
                let outcome = Refresh::run(&owned, &requirement).await;
                owned.save_later();
                owned.tell_observer();
                outcome
            }
        })
    }

    /// The session as it is stored, read without the lock.
    pub(super) async fn read(&self) -> Result<Option<Arc<OAuthToken>>> {
        let seen = self.snapshot.epoch();
        let stored = self.check_usable(self.foreign.load().await?)?.map(Arc::new);
        // A session read without the lock may be outdated, and one whose successor waits in memory is:
        // callers must reach the transaction, which stores that first.
        if !self.unsaved.is_waiting() {
            self.snapshot
                .set_if_unchanged(seen, stored.clone().filter(is_usable));
        }
        Ok(stored)
    }

    /// The known session, if its access token is still valid.
    pub(super) fn still_good(&self) -> Option<Arc<OAuthToken>> {
        let token = self.snapshot.get()?;
        let good = token.is_valid_for(LAST_MOMENT, self.now());
        good.then_some(token)
    }

    /// Checks that the stored session is this one: a credential goes only to the server that issued
    /// it (RFC 6749 section 10.4), and to no other account.
    pub(super) fn check_owner(&self, stored: Option<OAuthToken>) -> Result<Option<OAuthToken>> {
        if let Some(token) = &stored {
            token.check_owner(self.key(), || {
                self.foreign.common.store.location(self.key())
            })?;
        }
        Ok(stored)
    }

    /// Checks that its tokens may be handed out and refreshed: it is this session, and was made with
    /// this provider.
    pub(super) fn check_usable(&self, stored: Option<OAuthToken>) -> Result<Option<OAuthToken>> {
        let stored = self.check_owner(stored)?;
        if let Some(token) = &stored {
            let issued = self.foreign.common.provider.check_issued(token);
            issued.map_err(|error| self.with_session(error))?;
        }
        Ok(stored)
    }

    pub(super) fn publish(&self, token: OAuthToken) -> Arc<OAuthToken> {
        let token = Arc::new(token);
        self.snapshot
            .set(Some(Arc::clone(&token)).filter(is_usable));
        token
    }

    /// Records whether a refresh returned the same access token again.
    pub(super) fn refreshed_to_same(&self, same: bool) {
        let at = match same {
            true => self.now().as_unix_millis(),
            false => NEVER,
        };
        self.same_again.store(at, Ordering::Relaxed);
    }

    /// The known session, if a refresh returned this access token again a moment ago.
    pub(super) fn just_confirmed(&self, rejected: &Secret) -> Option<Arc<OAuthToken>> {
        let at = Timestamp::from_unix_millis(self.same_again.load(Ordering::Relaxed));
        let now = self.now();
        let recent = at <= now && now.since(at) < SAME_AGAIN;
        let token = recent.then(|| self.snapshot.get()).flatten()?;
        (token.access == *rejected).then_some(token)
    }

    fn does_not_end(&self) -> Error {
        Error::new(ErrorKind::Transient, "the refresh did not finish").with_session(self.key())
    }

    pub(super) fn not_signed_in(&self) -> Error {
        Error::new(ErrorKind::NotSignedIn, "not signed in").with_session(self.key())
    }

    pub(super) fn with_session(&self, error: Error) -> Error {
        error.with_session(self.key())
    }
}

/// Whether callers may receive it: not if an API has rejected its access token and the server its
/// refresh token.
fn is_usable(token: &Arc<OAuthToken>) -> bool {
    !token.is_access_rejected()
}
