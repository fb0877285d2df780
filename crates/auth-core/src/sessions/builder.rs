//! The settings of many sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::Sessions;
use super::inner::{Counts, Home, Inner, Times};
use super::live::Live;
use super::schedule::Schedule;
use crate::admission::{Gate, Limits};
use crate::auth_provider::AuthProvider;
use crate::clock::{Clock, SystemClock};
use crate::engine::Claim;
use crate::error::{Error, ErrorKind, Result};
use crate::manager::{
    Common, DEFAULT_CALL_LIMIT, DEFAULT_EARLY_REFRESH_WINDOW, DEFAULT_EXPIRY_MARGIN, Membership,
    Observer,
};
use crate::store::{MemoryTokenStore, TokenStore};

const DEFAULT_JITTER: Duration = Duration::from_secs(60);
const DEFAULT_IDLE_TIME: Duration = Duration::from_secs(3600);
const DEFAULT_CAPACITY: usize = 1_000_000;
const DEFAULT_LIMITS: Limits = Limits {
    total: 64,
    provider: 32,
    host: 16,
};

/// Settings of [`Sessions`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::{FileTokenStore, ProviderSpec as _, SecureUrl, Sessions};
/// use llm_auth_core::provider::OAuthConfig;
///
/// let server = SecureUrl::known("https://auth.example/token");
/// let sessions = Sessions::builder()
///     .provider(OAuthConfig::new("example", server).provider())
///     .store(FileTokenStore::directory("sessions"))
///     .refresh_ahead(Duration::from_secs(600))
///     .idle_time(Duration::from_secs(1800))
///     .build()?;
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Debug)]
pub struct SessionsBuilder {
    providers: Vec<Arc<dyn AuthProvider>>,
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    times: Times,
    limits: Limits,
    expiry_margin: Duration,
    call_limit: Duration,
}

impl SessionsBuilder {
    pub(super) fn new() -> Self {
        Self {
            providers: Vec::new(),
            store: Arc::new(MemoryTokenStore::new()),
            clock: Arc::new(SystemClock),
            times: Times {
                ahead: DEFAULT_EARLY_REFRESH_WINDOW,
                jitter: DEFAULT_JITTER,
                idle: DEFAULT_IDLE_TIME,
                capacity: DEFAULT_CAPACITY,
            },
            limits: DEFAULT_LIMITS,
            expiry_margin: DEFAULT_EXPIRY_MARGIN,
            call_limit: DEFAULT_CALL_LIMIT,
        }
    }

    /// Adds a provider, under its name. At least one is required, and no two may have one name.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl, Sessions};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let (first, second) = (
    /// #     OAuthConfig::new("first", server.clone()).provider(),
    /// #     OAuthConfig::new("second", server).provider(),
    /// # );
    /// let sessions = Sessions::builder().provider(first).provider(second).build()?;
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn provider(mut self, provider: impl AuthProvider + 'static) -> Self {
        self.providers.push(Arc::new(provider));
        self
    }

    /// Where all sessions are kept; in memory by default, so they end with the process.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{FileTokenStore, Sessions};
    ///
    /// let builder = Sessions::builder().store(FileTokenStore::directory("sessions"));
    /// ```
    #[must_use]
    pub fn store(mut self, store: impl TokenStore + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// How long before its expiry an access token is refreshed in the background; 5 minutes
    /// ([`DEFAULT_EARLY_REFRESH_WINDOW`]) by default, at most half the lifetime of a token, and at
    /// least the [expiry margin](Self::expiry_margin), within which callers wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::Sessions;
    ///
    /// let builder = Sessions::builder().refresh_ahead(Duration::from_secs(600));
    /// ```
    #[must_use]
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.times.ahead = ahead;
        self
    }

    /// The longest random delay of a refresh after that, 1 minute by default and never more than
    /// half of the time before the expiry: sessions that began together do not stay together. Zero
    /// disables it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::Sessions;
    ///
    /// let builder = Sessions::builder().jitter(Duration::from_secs(120));
    /// ```
    #[must_use]
    pub fn jitter(mut self, longest: Duration) -> Self {
        self.times.jitter = longest;
        self
    }

    /// How many refreshes are in progress at once, 64 by default; at least 1, at most 200.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = llm_auth_core::Sessions::builder().concurrency(128);
    /// ```
    #[must_use]
    pub fn concurrency(mut self, limit: u32) -> Self {
        self.limits.total = limit.clamp(1, MOST_TURNS);
        self
    }

    /// How many of them are of one provider, 32 by default; at least 1.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = llm_auth_core::Sessions::builder().provider_concurrency(64);
    /// ```
    #[must_use]
    pub fn provider_concurrency(mut self, limit: u32) -> Self {
        self.limits.provider = limit.max(1);
        self
    }

    /// How many of them go to one server (scheme, host and port of the token endpoint), 16 by
    /// default; at least 1. A server in trouble gets fewer.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = llm_auth_core::Sessions::builder().host_concurrency(32);
    /// ```
    #[must_use]
    pub fn host_concurrency(mut self, limit: u32) -> Self {
        self.limits.host = limit.max(1);
        self
    }

    /// How long a session that no caller looks up or holds stays in memory, 1 hour by default. The
    /// store keeps it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = llm_auth_core::Sessions::builder().idle_time(Duration::from_secs(600));
    /// ```
    #[must_use]
    pub fn idle_time(mut self, idle: Duration) -> Self {
        self.times.idle = idle;
        self
    }

    /// How many sessions are in memory at most, 1,000,000 by default. For a further one, a session
    /// that was unused for long leaves. Sessions that a caller holds, or that are not stored yet, stay
    /// even if there are more.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = llm_auth_core::Sessions::builder().capacity(10_000);
    /// ```
    #[must_use]
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.times.capacity = sessions;
        self
    }

    /// As [`AuthManagerBuilder::expiry_margin`](crate::AuthManagerBuilder::expiry_margin), for all
    /// sessions.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = llm_auth_core::Sessions::builder().expiry_margin(Duration::from_secs(120));
    /// ```
    #[must_use]
    pub fn expiry_margin(mut self, margin: Duration) -> Self {
        self.expiry_margin = margin;
        self
    }

    /// As [`AuthManagerBuilder::call_limit`](crate::AuthManagerBuilder::call_limit), for all
    /// sessions.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = llm_auth_core::Sessions::builder().call_limit(Duration::from_secs(90));
    /// ```
    #[must_use]
    pub fn call_limit(mut self, limit: Duration) -> Self {
        self.call_limit = limit;
        self
    }

    /// The clock; the computer's own by default. After a [`ManualClock`](crate::ManualClock) was
    /// moved, call [`Sessions::check_clock`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use llm_auth_core::{ManualClock, Sessions, Timestamp};
    ///
    /// let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(1_000)));
    /// let builder = Sessions::builder().clock(clock.clone());
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The sessions. Building them reads and sends nothing, and starts no thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without a provider, and if two have one name.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{ErrorKind, Sessions};
    ///
    /// let error = Sessions::builder().build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// ```
    pub fn build(self) -> Result<Sessions> {
        let mut numbers = HashMap::new();
        for (number, provider) in self.providers.iter().enumerate() {
            let name: Arc<str> = provider.name().into();
            if numbers.insert(Arc::clone(&name), number).is_some() {
                let message = format!("two providers are named {name}; give one another name");
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        if numbers.is_empty() {
            let message = "there is no provider; add one to the builder of the sessions";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let times = Times {
            ahead: self.times.ahead.max(self.expiry_margin),
            ..self.times
        };
        let wake = Arc::new(Notify::new());
        let gate = Arc::new(Gate::new(
            self.limits,
            numbers.len(),
            Arc::clone(&self.clock),
            Arc::clone(&wake),
        ));
        let (total, of_provider) = (self.limits.total, self.limits.provider);
        let inner = Arc::new_cyclic(|inner: &std::sync::Weak<Inner>| {
            let providers = self.providers.into_iter().zip(0_u32..);
            let homes = providers.map(|(provider, number)| Home {
                name: provider.name().into(),
                common: Arc::new(Common {
                    provider,
                    store: Arc::clone(&self.store),
                    clock: Arc::clone(&self.clock),
                    expiry_margin: self.expiry_margin,
                    limit: self.call_limit,
                    membership: Some(Membership {
                        gate: Arc::clone(&gate),
                        provider: number,
                        observer: inner.clone() as std::sync::Weak<dyn Observer>,
                    }),
                }),
                live: Live::new(),
            });
            Inner {
                homes: homes.collect(),
                started: self.clock.now(),
                times,
                schedule: Mutex::new(Schedule::new(total, of_provider, numbers.len())),
                numbers,
                clock: Arc::clone(&self.clock),
                gate,
                wake,
                has_driver: Claim::default(),
                is_closed: AtomicBool::new(false),
                last_sweep: AtomicI64::new(i64::MIN),
                counts: Counts::default(),
                none_working: Notify::new(),
            }
        });
        Ok(Sessions { inner })
    }
}

/// A process has so many turns for all its managers; see decision 0053.
const MOST_TURNS: u32 = 200;
