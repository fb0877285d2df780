//! How a manager is put together.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::background::{Advisory, DEFAULT_EARLY_REFRESH_WINDOW};
use super::change::Changes;
use super::foreign::{DEFAULT_CALL_LIMIT, Foreign};
use super::shared::NEVER;
use super::single_flight::SingleFlight;
use super::snapshot::Snapshot;
use super::unsaved::Unsaved;
use super::{AuthManager, Shared};
use crate::clock::{Clock, SystemClock};
use crate::engine::Tasks;
use crate::provider::AuthProvider;
use crate::session::{DEFAULT_ACCOUNT, SessionKey};
use crate::store::{MemoryTokenStore, TokenStore};

/// How long before its expiry an access token is refreshed, unless it is set: 60 s, as gochat has it.
pub const DEFAULT_EXPIRY_MARGIN: Duration = Duration::from_secs(60);

/// Settings of an [`AuthManager`].
#[derive(Debug)]
pub struct AuthManagerBuilder {
    provider: Arc<dyn AuthProvider>,
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    account: String,
    expiry_margin: Duration,
    early_refresh_window: Duration,
    call_limit: Duration,
}

impl AuthManagerBuilder {
    pub(super) fn new(provider: Arc<dyn AuthProvider>) -> Self {
        Self {
            provider,
            store: Arc::new(MemoryTokenStore::new()),
            clock: Arc::new(SystemClock),
            account: DEFAULT_ACCOUNT.into(),
            expiry_margin: DEFAULT_EXPIRY_MARGIN,
            early_refresh_window: DEFAULT_EARLY_REFRESH_WINDOW,
            call_limit: DEFAULT_CALL_LIMIT,
        }
    }

    /// Where the session is kept; in memory by default, so it ends with the process. Managers of
    /// many accounts share a store in an [`Arc`].
    #[must_use]
    pub fn store(mut self, store: impl TokenStore + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Which of several accounts at the vendor; `default` by default.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = account.into();
        self
    }

    /// How long before its expiry an access token is refreshed; [`DEFAULT_EXPIRY_MARGIN`] by default. For a token
    /// that lives less than twice as long, half its life counts.
    #[must_use]
    pub fn expiry_margin(mut self, margin: Duration) -> Self {
        self.expiry_margin = margin;
        self
    }

    /// How long before its expiry a refresh is begun beside the traffic, at most once a minute;
    /// [`DEFAULT_EARLY_REFRESH_WINDOW`] by default, shortened by up to a fifth at random. Not longer
    /// than the expiry margin switches it off.
    #[must_use]
    pub fn early_refresh_window(mut self, window: Duration) -> Self {
        self.early_refresh_window = window;
        self
    }

    /// The longest that one call of the provider or the store may take, [`DEFAULT_CALL_LIMIT`]
    /// by default; waiting for a store's lock may take five times as long. A call that takes
    /// longer is an error. Longer than the limit of the provider's own requests, please: after
    /// such an error it is not known whether the server has acted.
    #[must_use]
    pub fn call_limit(mut self, limit: Duration) -> Self {
        self.call_limit = limit;
        self
    }

    /// Where the time comes from; the computer's clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The manager. Nothing is read or sent yet.
    #[must_use]
    pub fn build(self) -> AuthManager {
        let key = SessionKey::new(self.provider.name(), self.account);
        AuthManager {
            shared: Arc::new(Shared {
                foreign: Foreign {
                    provider: self.provider,
                    store: self.store,
                    key,
                    limit: self.call_limit,
                },
                clock: self.clock,
                expiry_margin: self.expiry_margin,
                advisory: Advisory::new(self.early_refresh_window, self.expiry_margin),
                changes: Changes::default(),
                snapshot: Snapshot::default(),
                unsaved: Unsaved::default(),
                flight: SingleFlight::default(),
                tasks: Tasks::default(),
                same_again: AtomicI64::new(NEVER),
                sign_in: OnceLock::new(),
            }),
        }
    }
}
