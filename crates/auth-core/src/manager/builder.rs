//! The settings of a manager.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::background::{DEFAULT_EARLY_REFRESH_WINDOW, EarlyRefresh};
use super::change::Changes;
use super::common::Common;
use super::cool_down::CoolDown;
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
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(llm_auth_core::DEFAULT_EXPIRY_MARGIN, Duration::from_secs(60));
/// ```
pub const DEFAULT_EXPIRY_MARGIN: Duration = Duration::from_secs(60);

/// Settings of an [`AuthManager`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::{AuthManager, FileTokenStore, ProviderSpec as _, SecureUrl};
/// use llm_auth_core::provider::OAuthConfig;
///
/// let server = SecureUrl::known("https://auth.example/token");
/// let manager = AuthManager::builder(OAuthConfig::new("example", server).provider())
///     .store(FileTokenStore::directory("sessions"))
///     .account("work")
///     .expiry_margin(Duration::from_secs(120))
///     .build();
/// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use llm_auth_core::{AuthManager, FileTokenStore};
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    ///
    /// let store = Arc::new(FileTokenStore::directory("sessions"));
    /// let work = AuthManager::builder(provider.clone()).store(store.clone()).account("work").build();
    /// let home = AuthManager::builder(provider).store(store).account("home").build();
    /// ```
    #[must_use]
    pub fn store(mut self, store: impl TokenStore + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// The account at the vendor; `default` by default.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// let manager = AuthManager::builder(provider).account("work").build();
    /// assert_eq!(manager.key().account(), "work");
    /// ```
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = account.into();
        self
    }

    /// How long before its expiry an access token is refreshed; [`DEFAULT_EXPIRY_MARGIN`] by
    /// default. For a token that lives less than twice as long, the margin is half its lifetime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// let manager = AuthManager::builder(provider)
    ///     .expiry_margin(Duration::from_secs(120))
    ///     .build();
    /// ```
    #[must_use]
    pub fn expiry_margin(mut self, margin: Duration) -> Self {
        self.expiry_margin = margin;
        self
    }

    /// How long before its expiry a token is refreshed in the background, at most once a minute;
    /// [`DEFAULT_EARLY_REFRESH_WINDOW`] by default, shortened at random by up to a fifth. A window
    /// no longer than the expiry margin disables it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// // No refresh in the background.
    /// let manager = AuthManager::builder(provider)
    ///     .early_refresh_window(Duration::ZERO)
    ///     .build();
    /// ```
    #[must_use]
    pub fn early_refresh_window(mut self, window: Duration) -> Self {
        self.early_refresh_window = window;
        self
    }

    /// The time limit for one call of the provider or the store, [`DEFAULT_CALL_LIMIT`] by default;
    /// waiting for a store's lock may take five times as long. A call that exceeds it is an error.
    /// Choose a longer limit than that of the provider's own requests: after this error it is
    /// unknown whether the server has acted.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// let manager = AuthManager::builder(provider)
    ///     .call_limit(Duration::from_secs(90))
    ///     .build();
    /// ```
    #[must_use]
    pub fn call_limit(mut self, limit: Duration) -> Self {
        self.call_limit = limit;
        self
    }

    /// The clock; the computer's own by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use llm_auth_core::{AuthManager, ManualClock, Timestamp};
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    ///
    /// let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(1_000)));
    /// let manager = AuthManager::builder(provider).clock(clock.clone()).build();
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The manager. Building it reads and sends nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", server).provider();
    /// let manager = AuthManager::builder(provider).build();
    /// let the_same = manager.clone();
    /// ```
    #[must_use]
    pub fn build(self) -> AuthManager {
        let key = SessionKey::new(self.provider.name(), self.account);
        let common = Common {
            provider: self.provider,
            store: self.store,
            clock: self.clock,
            expiry_margin: self.expiry_margin,
            limit: self.call_limit,
            membership: None,
        };
        AuthManager::new(Arc::new(common), key, self.early_refresh_window)
    }
}

impl AuthManager {
    /// The manager of one session, beside others with the same settings.
    pub(crate) fn new(
        common: Arc<Common>,
        key: SessionKey,
        early_refresh_window: Duration,
    ) -> Self {
        let early_refresh = EarlyRefresh::new(early_refresh_window, common.expiry_margin);
        Self {
            shared: Arc::new(Shared {
                foreign: Foreign { common, key },
                early_refresh,
                changes: Changes::default(),
                snapshot: Snapshot::default(),
                unsaved: Unsaved::default(),
                flight: SingleFlight::default(),
                tasks: Tasks::default(),
                cool_down: CoolDown::default(),
                same_again: AtomicI64::new(NEVER),
                sign_in: OnceLock::new(),
            }),
        }
    }
}
