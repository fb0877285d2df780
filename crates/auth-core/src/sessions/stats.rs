//! Counts of many sessions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::inner::Inner;

/// Counts of [`Sessions`](super::Sessions) since they were built.
///
/// # Examples
///
/// ```
/// # use llm_auth_core::{ProviderSpec as _, SecureUrl, Sessions};
/// # use llm_auth_core::provider::OAuthConfig;
/// # let server = SecureUrl::known("https://auth.example/token");
/// # let provider = OAuthConfig::new("example", server).provider();
/// # let sessions = Sessions::builder().provider(provider).build()?;
/// assert_eq!(sessions.stats().in_progress, 0);
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SessionsStats {
    /// Sessions in memory.
    pub live: usize,
    /// Refreshes that wait for their turn or for their server: of the schedule, and of callers.
    pub waiting: usize,
    /// Refreshes in progress.
    pub in_progress: usize,
    /// Refreshes that a server granted.
    pub refreshed: u64,
    /// Refreshes that a server rejected, or that did not reach it.
    pub failed: u64,
    /// Sessions that left memory because no caller used them.
    pub evicted: u64,
    /// The longest time after it was due that a refresh in the background began.
    pub longest_lag: Duration,
}

impl SessionsStats {
    pub(super) fn of(inner: &Inner) -> Self {
        let counts = &inner.counts;
        let latest = counts.latest_ms.load(Ordering::Relaxed);
        let waiting = inner.schedule().waiting() + inner.gate.waiting();
        Self {
            live: inner.len(),
            waiting,
            in_progress: usize::try_from(inner.gate.running()).unwrap_or(usize::MAX),
            refreshed: counts.refreshed.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            evicted: counts.evicted.load(Ordering::Relaxed),
            longest_lag: Duration::from_millis(u64::try_from(latest).unwrap_or(0)),
        }
    }
}
