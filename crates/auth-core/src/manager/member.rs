//! A manager that is one of many: when its session is due, and its turn at the gate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::common::Membership;
use super::requirement::Requirement;
use super::{AuthManager, Shared};
use crate::admission::{Lane, Pass};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::Operation;
use crate::token::OAuthToken;

/// How long a refresh waits for its turn once it has the lock of its session, which other processes
/// may need.
const TURN_UNDER_LOCK: Duration = Duration::from_secs(5);

impl Shared {
    /// Waits for the turn of a refresh; `None` for a single manager.
    pub(super) async fn admitted(
        &self,
        requirement: &Requirement,
        token: Option<&Arc<OAuthToken>>,
    ) -> Result<Option<Pass>> {
        let Some(membership) = &self.foreign.common.membership else {
            return Ok(None);
        };
        // It is stored first, and that needs no turn.
        if self.unsaved.is_waiting() {
            return Ok(None);
        }
        let lane = self.lane_at(membership, token.map(|token| &**token));
        let entered = membership.gate.enter(lane, requirement.is_forced()).await;
        entered.map(Some).map_err(|error| self.with_session(error))
    }

    /// The same for a refresh that gave its turn away while it waited for the lock.
    pub(super) async fn admitted_under_lock(
        &self,
        requirement: &Requirement,
        token: &OAuthToken,
    ) -> Result<Option<Pass>> {
        let Some(membership) = &self.foreign.common.membership else {
            return Ok(None);
        };
        let lane = self.lane_at(membership, Some(token));
        let entered = membership
            .gate
            .enter_with_lock(lane, requirement.is_forced());
        match timeout(TURN_UNDER_LOCK, entered).await {
            Ok(entered) => entered.map(Some).map_err(|error| self.with_session(error)),
            Err(_elapsed) => Err(Error::new(
                ErrorKind::Transient,
                "too many refreshes are in progress at this server, so nothing was sent; try again",
            )
            .with_session(self.key())),
        }
    }

    /// Whether the sessions that it belongs to are shut down.
    pub(super) fn is_shut_down(&self) -> bool {
        let membership = self.foreign.common.membership.as_ref();
        membership.is_some_and(|membership| membership.gate.is_closed())
    }

    /// Where a refresh of this session goes; `None` for a single manager.
    pub(crate) fn lane(&self, token: &OAuthToken) -> Option<Lane> {
        let membership = self.foreign.common.membership.as_ref()?;
        Some(self.lane_at(membership, Some(token)))
    }

    fn lane_at(&self, membership: &Membership, token: Option<&OAuthToken>) -> Lane {
        let provider = &self.foreign.common.provider;
        // The schedule of all sessions survives a provider that panics.
        let recipient = catch_unwind(AssertUnwindSafe(|| {
            token.and_then(|token| provider.recipient(Operation::Refresh, token).ok().flatten())
        }));
        // A provider that names no server has one.
        let host = recipient.ok().flatten();
        let host = host.map_or_else(|| self.key().provider().to_owned(), |url| url.base());
        membership.gate.lane(membership.provider, &host)
    }

    /// Lets the many learn of the session that is known now.
    pub(super) fn tell_observer(self: &Arc<Self>) {
        if let Some(membership) = &self.foreign.common.membership
            && let Some(observer) = membership.observer.upgrade()
        {
            observer.session_known(self);
        }
    }

    /// The session that callers see.
    pub(crate) fn known_token(&self) -> Option<Arc<OAuthToken>> {
        self.snapshot.get()
    }

    /// Reads the stored session, for those who are not callers.
    pub(crate) async fn look(self: &Arc<Self>) -> Result<()> {
        let looked = self.read().await.map(drop);
        self.tell_observer();
        looked
    }

    /// Refreshes the session if it is not valid for `ahead`.
    pub(crate) async fn refresh_ahead(self: Arc<Self>, ahead: Duration) -> Result<Arc<OAuthToken>> {
        let requirement = Requirement::fresh_for(ahead, self.now());
        self.join(&requirement).await
    }

    /// Ends the turn of a refresh with the server's response.
    pub(super) fn report(
        &self,
        pass: Pass,
        outcome: &Result<OAuthToken>,
        failed_before: Option<Timestamp>,
    ) {
        if let Some(membership) = &self.foreign.common.membership
            && let Some(observer) = membership.observer.upgrade()
        {
            observer.responded(membership.provider, outcome.as_ref().err());
        }
        pass.report(outcome, failed_before);
    }

    /// Waits until all its work that has begun is finished and stored.
    pub(crate) async fn idle(&self) {
        self.tasks.idle().await;
    }

    /// Whether it holds a session that the store does not have.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.unsaved.is_waiting()
    }

    /// The provider's number at the gate.
    pub(crate) fn provider_number(&self) -> u32 {
        let membership = self.foreign.common.membership.as_ref();
        membership.map_or(0, |membership| membership.provider)
    }

    /// Whether it holds a session that the store does not have, or may lose, and that a caller could
    /// still use.
    pub(crate) fn must_stay(&self) -> bool {
        self.unsaved.is_waiting() || self.unsaved.is_kept_at(self.now())
    }
}

#[cfg(test)]
impl Shared {
    /// As if the store had refused this session.
    pub(crate) fn keep_unsaved(&self, token: Option<OAuthToken>) {
        match token {
            Some(token) => self.unsaved.keep(token, None),
            None => self.unsaved.clear(),
        }
    }
}

impl AuthManager {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}
