//! The known session, readable without a lock.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::sync::{Mutex, lock};
use crate::clock::Timestamp;
use crate::token::OAuthToken;

/// The session that callers see. A holder of the store's lock always sets it; a reader without the
/// lock sets it only if it has not changed meanwhile, so that a stale read never overwrites a newer
/// session.
#[derive(Debug, Default)]
// See decision 0018.
pub(super) struct Snapshot {
    session: ArcSwapOption<OAuthToken>,
    epoch: Mutex<u64>,
}

impl Snapshot {
    pub(super) fn get(&self) -> Option<Arc<OAuthToken>> {
        self.session.load_full()
    }

    /// The session, if its access token is valid for the margin: every request takes this path.
    pub(super) fn fresh_for(&self, margin: Duration, now: Timestamp) -> Option<Arc<OAuthToken>> {
        let session = self.session.load();
        let token = session.as_ref()?;
        token.is_fresh_for(margin, now).then(|| Arc::clone(token))
    }

    /// Borrows the session without counting.
    pub(super) fn lend<T>(&self, look: impl FnOnce(&OAuthToken) -> Option<T>) -> Option<T> {
        let session = self.session.load();
        look(session.as_ref()?)
    }

    pub(super) fn set(&self, session: Option<Arc<OAuthToken>>) {
        let mut epoch = lock(&self.epoch);
        *epoch += 1;
        self.session.store(session);
    }

    /// The epoch to compare with after a later read of the store.
    pub(super) fn epoch(&self) -> u64 {
        *lock(&self.epoch)
    }

    pub(super) fn set_if_unchanged(&self, seen: u64, session: Option<Arc<OAuthToken>>) {
        let mut epoch = lock(&self.epoch);
        if *epoch == seen {
            *epoch += 1;
            self.session.store(session);
        }
    }
}
