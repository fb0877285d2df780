//! The settings of a manager.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::background::{DEFAULT_EARLY_REFRESH_WINDOW, EarlyRefresh};
use super::change::Changes;
use super::foreign::{DEFAULT_CALL_LIMIT, Foreign};
use super::shared::NEVER;
use super::single_flight::SingleFlight;
use super::snapshot::Snapshot;
use super::unsaved::Unsaved;
use super::{AuthManager, Shared};
use crate::auth_provider::AuthProvider;
use crate::clock::{Clock, SystemClock};
use crate::engine::Tasks;
use crate::session::{DEFAULT_ACCOUNT, SessionKey};
use crate::store::{MemoryTokenStore, TokenStore};

/// How long before its expiry an access token is refreshed by default: 60 s, as in gochat.
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

    /// The account at the vendor; `default` by default.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = account.into();
        self
    }

    /// How long before its expiry an access token is refreshed; [`DEFAULT_EXPIRY_MARGIN`] by
    /// default. For a token that lives less than twice as long, the margin is half its lifetime.
    #[must_use]
    pub fn expiry_margin(mut self, margin: Duration) -> Self {
        self.expiry_margin = margin;
        self
    }

    /// How long before its expiry a token is refreshed in the background, at most once a minute;
    /// [`DEFAULT_EARLY_REFRESH_WINDOW`] by default, shortened at random by up to a fifth. A window
    /// no longer than the expiry margin disables it.
    #[must_use]
    pub fn early_refresh_window(mut self, window: Duration) -> Self {
        self.early_refresh_window = window;
        self
    }

    /// The time limit for one call of the provider or the store, [`DEFAULT_CALL_LIMIT`] by default;
    /// waiting for a store's lock may take five times as long. A call that exceeds it is an error.
    /// Choose a longer limit than that of the provider's own requests: after this error it is
    /// unknown whether the server has acted.
    #[must_use]
    pub fn call_limit(mut self, limit: Duration) -> Self {
        self.call_limit = limit;
        self
    }

    /// The clock; the computer's own by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The manager. Building it reads and sends nothing.
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
                early_refresh: EarlyRefresh::new(self.early_refresh_window, self.expiry_margin),
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
