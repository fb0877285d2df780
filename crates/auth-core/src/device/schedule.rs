//! The schedule of polls.

use std::time::Duration;

/// The pace of a device sign-in, as a value that each vendor sets.
///
/// The default is that of [RFC 8628 section 3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5):
/// 5 s between polls unless the server names an interval, 5 s more for good after each
/// `slow_down`, twice the wait after connection errors.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::PollSchedule;
///
/// let patient = PollSchedule::new().default_interval(Duration::from_secs(10));
/// assert_eq!(patient.first_wait(None), Duration::from_secs(10));
/// assert_eq!(patient.first_wait(Some(Duration::from_secs(2))), Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PollSchedule {
    default_interval: Duration,
    minimum: Duration,
    cap: Duration,
    slow_down_step: Duration,
    error_multiplier: f64,
    timeout: Duration,
    pending_multiplier: f64,
    pending_cap: Duration,
}

impl PollSchedule {
    /// The schedule of the standard.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::PollSchedule;
    ///
    /// assert_eq!(PollSchedule::new().first_wait(None), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            default_interval: Duration::from_secs(5),
            minimum: Duration::from_millis(500),
            cap: Duration::from_secs(60),
            slow_down_step: Duration::from_secs(5),
            error_multiplier: 2.0,
            timeout: Duration::from_secs(86_400),
            pending_multiplier: 1.0,
            pending_cap: Duration::from_secs(10),
        }
    }

    /// The wait if the server names none, or an invalid one; 5 s by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::PollSchedule;
    ///
    /// let schedule = PollSchedule::new().default_interval(Duration::from_secs(2));
    /// assert_eq!(schedule.first_wait(None), Duration::from_secs(2));
    /// ```
    #[must_use]
    pub const fn default_interval(mut self, interval: Duration) -> Self {
        self.default_interval = interval;
        self
    }

    /// The shortest wait, even if the server asks for less; 500 ms by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::PollSchedule;
    ///
    /// let schedule = PollSchedule::new().minimum(Duration::from_secs(3));
    /// assert_eq!(schedule.first_wait(Some(Duration::from_secs(1))), Duration::from_secs(3));
    /// ```
    #[must_use]
    pub const fn minimum(mut self, minimum: Duration) -> Self {
        self.minimum = minimum;
        self
    }

    /// The longest wait after connection errors or `Retry-After`; 60 s by default. A longer
    /// `interval` of the server is honoured.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::PollSchedule;
    ///
    /// let schedule = PollSchedule::new().cap(Duration::from_secs(30));
    /// ```
    #[must_use]
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// The time that each `slow_down` adds permanently; 5 s by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::PollSchedule;
    ///
    /// let schedule = PollSchedule::new().slow_down_step(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn slow_down_step(mut self, step: Duration) -> Self {
        self.slow_down_step = step;
        self
    }

    /// The factor by which each failed request multiplies the wait, until one succeeds; 2 by
    /// default.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::PollSchedule;
    ///
    /// let schedule = PollSchedule::new().error_multiplier(1.5);
    /// ```
    #[must_use]
    pub const fn error_multiplier(mut self, multiplier: f64) -> Self {
        self.error_multiplier = multiplier;
        self
    }

    /// How long to wait for the user in total, if the code does not expire earlier; a day by
    /// default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::PollSchedule;
    ///
    /// let schedule = PollSchedule::new().timeout(Duration::from_secs(600));
    /// ```
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The factor by which each plain "not yet" multiplies the wait, up to `cap`; 1 by default, so
    /// not at all.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::PollSchedule;
    ///
    /// // 5 s, 7.5 s, then 10 s between polls.
    /// let schedule = PollSchedule::new().pending_multiplier(1.5, Duration::from_secs(10));
    /// ```
    #[must_use]
    pub const fn pending_multiplier(mut self, multiplier: f64, cap: Duration) -> Self {
        self.pending_multiplier = multiplier;
        self.pending_cap = cap;
        self
    }

    /// The wait before the first poll, given the `interval` of the device response. Zero counts as
    /// absent, so that it cannot become a busy loop.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::PollSchedule;
    ///
    /// let schedule = PollSchedule::new();
    /// assert_eq!(schedule.first_wait(Some(Duration::from_secs(2))), Duration::from_secs(2));
    /// assert_eq!(schedule.first_wait(Some(Duration::ZERO)), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn first_wait(&self, announced: Option<Duration>) -> Duration {
        let interval = announced
            .filter(|interval| !interval.is_zero())
            .unwrap_or(self.default_interval);
        interval.max(self.minimum)
    }

    pub(super) fn time_limit(&self, expires_in: Duration) -> Duration {
        self.timeout.min(expires_in)
    }

    /// The wait after `slow_down`: a step longer, or as long as the server names, up to the cap.
    pub(super) fn after_slow_down(&self, wait: Duration, named: Option<Duration>) -> Duration {
        let longer = wait.saturating_add(self.slow_down_step);
        longer.max(named.unwrap_or_default().min(self.cap))
    }

    pub(super) fn after_pending(&self, wait: Duration) -> Duration {
        if self.pending_multiplier <= 1.0 || wait >= self.pending_cap {
            return wait;
        }
        multiplied(wait, self.pending_multiplier)
            .min(self.pending_cap)
            .max(wait)
    }

    /// The wait after a failed request: longer than the last one and at least as long as the server
    /// asks, up to the cap, and never shorter than the interval.
    pub(super) fn after_error(
        &self,
        wait: Duration,
        interval: Duration,
        asked: Option<Duration>,
    ) -> Duration {
        multiplied(wait.max(interval), self.error_multiplier.max(1.0))
            .max(asked.unwrap_or_default())
            .min(self.cap)
            .max(interval)
    }
}

impl Default for PollSchedule {
    fn default() -> Self {
        Self::new()
    }
}

fn multiplied(wait: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(wait.as_secs_f64() * by).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_announced_interval_makes_a_busy_loop() {
        let schedule = PollSchedule::new();
        let secs = Duration::from_secs;
        assert_eq!(schedule.first_wait(None), secs(5));
        assert_eq!(schedule.first_wait(Some(Duration::ZERO)), secs(5));
        assert_eq!(
            schedule.first_wait(Some(Duration::from_nanos(1))),
            Duration::from_millis(500)
        );
        assert_eq!(schedule.first_wait(Some(Duration::MAX)), Duration::MAX);
    }

    #[test]
    fn a_pending_multiplier_grows_to_its_own_cap_and_no_further() {
        let schedule = PollSchedule::new().pending_multiplier(1.5, Duration::from_secs(10));
        let mut wait = Duration::from_secs(2);
        for _ in 0..20 {
            wait = schedule.after_pending(wait);
        }
        assert_eq!(wait, Duration::from_secs(10));
        let slow = Duration::from_secs(30);
        assert_eq!(schedule.after_pending(slow), slow);
    }
}
