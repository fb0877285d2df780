//! The wall clock, behind a trait.

mod calendar;

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
#[cfg(not(target_os = "linux"))]
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// An instant in Unix milliseconds, as gochat's token file and MiniMax write it.
///
/// All arithmetic saturates: an absurd lifetime from a server cannot overflow it.
///
/// `Display` prints RFC 3339 in UTC, to the second, or to the millisecond with `{:.3}`. A year that
/// RFC 3339 cannot hold has a sign and as many digits as necessary.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use llm_auth_core::Timestamp;
///
/// let expiry = Timestamp::from_unix_millis(1_795_644_720_000);
/// assert_eq!(expiry.to_string(), "2026-11-25T22:12:00Z");
/// let system: SystemTime = expiry.into();
/// assert_eq!(Timestamp::from(system + Duration::from_secs(60)), expiry.after(Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// An instant from Unix milliseconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::Timestamp;
    ///
    /// let start = Timestamp::from_unix_millis(0);
    /// assert_eq!(start.to_string(), "1970-01-01T00:00:00Z");
    /// ```
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The instant in Unix milliseconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_unix_millis(1_000).as_unix_millis(), 1_000);
    /// ```
    #[must_use]
    pub const fn as_unix_millis(self) -> i64 {
        self.0
    }

    /// This instant and a length after it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::Timestamp;
    ///
    /// let start = Timestamp::from_unix_millis(1_000);
    /// assert_eq!(start.after(Duration::from_secs(2)).as_unix_millis(), 3_000);
    /// assert_eq!(start.after(Duration::MAX).as_unix_millis(), i64::MAX);
    /// ```
    #[must_use]
    pub fn after(self, length: Duration) -> Self {
        self.shifted(millis(length))
    }

    /// This instant moved by some milliseconds, forward or back.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::Timestamp;
    ///
    /// let start = Timestamp::from_unix_millis(1_000);
    /// assert_eq!(start.shifted(-1_000), Timestamp::from_unix_millis(0));
    /// ```
    #[must_use]
    pub const fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// How long from `earlier` to this instant; zero if it is not later.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::Timestamp;
    ///
    /// let (start, end) = (Timestamp::from_unix_millis(1_000), Timestamp::from_unix_millis(3_500));
    /// assert_eq!(end.since(start), Duration::from_millis(2_500));
    /// assert_eq!(start.since(end), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A length in whole milliseconds, at most `i64::MAX`.
#[inline]
pub(crate) fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// The end of a wait of any length, up to `Duration::MAX` for "for ever".
pub(crate) fn deadline(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait)
        .unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 86_400))
}

/// A difference between two clocks that is ignored: a `Date` header has whole seconds, and a
/// response takes time to arrive.
pub(crate) const TOLERANCE_MS: i64 = 30_000;

/// How far a server's clock is ahead of ours, in milliseconds; 0 within the tolerance.
pub(crate) fn offset(server: Option<Timestamp>, now: Timestamp) -> i64 {
    let ahead = server.map_or(0, |server| server.0.saturating_sub(now.0));
    if ahead.saturating_abs() < TOLERANCE_MS {
        0
    } else {
        ahead
    }
}

/// The source of the wall-clock time.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Clock, Timestamp};
///
/// /// Reads a clock that this program corrects itself.
/// #[derive(Debug)]
/// struct Corrected;
///
/// impl Clock for Corrected {
///     fn now(&self) -> Timestamp {
///         // ...
///         Timestamp::from_unix_millis(1_795_644_720_000)
///     }
/// }
///
/// assert_eq!(Corrected.now().to_string(), "2026-11-25T22:12:00Z");
/// ```
pub trait Clock: Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The computer's own clock; on Linux the coarse one, which is a few milliseconds behind and ten
/// times as fast to read.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Clock as _, SystemClock, Timestamp};
///
/// assert!(SystemClock.now() > Timestamp::from_unix_millis(1_767_225_600_000));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[cfg(target_os = "linux")]
    fn now(&self) -> Timestamp {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        Timestamp(
            now.tv_sec
                .saturating_mul(1000)
                .saturating_add(now.tv_nsec / 1_000_000),
        )
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// A clock that stands still until it is set; for tests.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use llm_auth_core::{Clock as _, ManualClock, OAuthToken, Timestamp};
///
/// let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(0)));
/// let token = OAuthToken::new("made-up".into(), clock.now().after(Duration::from_secs(3600)));
/// assert!(token.is_valid_for(Duration::ZERO, clock.now()));
///
/// clock.advance(Duration::from_secs(3600));
/// assert!(!token.is_valid_for(Duration::ZERO, clock.now()));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this instant.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Clock as _, ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::new(Timestamp::from_unix_millis(1_000));
    /// assert_eq!(clock.now(), Timestamp::from_unix_millis(1_000));
    /// ```
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_unix_millis()))
    }

    /// Sets the clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Clock as _, ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::default();
    /// clock.set(Timestamp::from_unix_millis(1_000));
    /// assert_eq!(clock.now(), Timestamp::from_unix_millis(1_000));
    /// ```
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_unix_millis(), Ordering::SeqCst);
    }

    /// Advances the clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::{Clock as _, ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::default();
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(clock.now(), Timestamp::from_unix_millis(1_000));
    /// ```
    pub fn advance(&self, length: Duration) {
        self.set(self.now().after(length));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_lifetime_saturates() {
        let far = Timestamp::from_unix_millis(5).after(Duration::MAX);
        assert_eq!(far.as_unix_millis(), i64::MAX);
        assert_eq!(
            Timestamp::from_unix_millis(i64::MIN).since(far),
            Duration::ZERO
        );
    }

    #[test]
    fn the_system_clock_is_past_2026() {
        assert!(SystemClock.now() > Timestamp::from_unix_millis(1_767_225_600_000));
    }
}
