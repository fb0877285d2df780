//! What many managers share: the settings, the provider and the store.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Shared;
use crate::admission::Gate;
use crate::auth_provider::AuthProvider;
use crate::clock::Clock;
use crate::error::Error;
use crate::store::TokenStore;

/// One for each provider of a [`Sessions`](crate::Sessions), or for a single manager.
pub(crate) struct Common {
    pub(crate) provider: Arc<dyn AuthProvider>,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) expiry_margin: Duration,
    /// The time limit for one call of the provider or the store.
    pub(crate) limit: Duration,
    /// `None` for a single manager.
    pub(crate) membership: Option<Membership>,
}

/// That a manager is one of many.
pub(crate) struct Membership {
    pub(crate) gate: Arc<Gate>,
    /// The number of the provider at the gate.
    pub(crate) provider: u32,
    pub(crate) observer: Weak<dyn Observer>,
}

/// Learns what the members do.
pub(crate) trait Observer: Send + Sync {
    /// A member has read or stored a session.
    fn session_known(self: Arc<Self>, member: &Arc<Shared>);

    /// A server has granted a refresh, or not.
    fn responded(&self, provider: u32, failure: Option<&Error>);
}
