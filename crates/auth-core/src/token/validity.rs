//! The time for which an access token can be used.

use std::time::Duration;

use super::OAuthToken;
use crate::clock::{self, TOLERANCE_MS, Timestamp};

impl OAuthToken {
    /// Whether the access token is still valid `margin` from `now`, by our clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::{OAuthToken, Timestamp};
    ///
    /// let now = Timestamp::from_unix_millis(0);
    /// let token = OAuthToken::new("made-up".into(), now.after(Duration::from_secs(3600)));
    /// assert!(token.is_valid_for(Duration::from_secs(60), now));
    /// assert!(!token.is_valid_for(Duration::from_secs(3600), now));
    /// ```
    #[must_use]
    #[inline]
    // See decision 0057.
    pub fn is_valid_for(&self, margin: Duration, now: Timestamp) -> bool {
        let end = self.server_time(now).after(margin);
        !self.access.is_empty() && self.expires_at.is_none_or(|expiry| end < expiry)
    }

    /// How long the access token is valid from `now`, by our clock; [`Duration::MAX`] if it never
    /// expires.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::{OAuthToken, Timestamp};
    ///
    /// let now = Timestamp::from_unix_millis(0);
    /// let token = OAuthToken::new("made-up".into(), now.after(Duration::from_secs(3600)));
    /// assert_eq!(token.expires_in(now), Duration::from_secs(3600));
    /// assert_eq!(OAuthToken::new("made-up".into(), None).expires_in(now), Duration::MAX);
    /// ```
    #[must_use]
    #[inline]
    pub fn expires_in(&self, now: Timestamp) -> Duration {
        self.expires_at
            .map_or(Duration::MAX, |at| at.since(self.server_time(now)))
    }

    /// Converts local time to server time.
    #[inline]
    // See decision 0017.
    fn server_time(&self, ours: Timestamp) -> Timestamp {
        ours.shifted(self.metadata.clock_offset_ms.unwrap_or(0))
    }

    /// Whether no refresh is due at `now` if a caller requires `margin`.
    ///
    /// A token that lives less than twice the margin would otherwise be refreshed at every call:
    /// for such a token, the margin is half its lifetime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::{OAuthToken, Timestamp};
    ///
    /// let now = Timestamp::from_unix_millis(0);
    /// let mut token = OAuthToken::new("made-up".into(), now.after(Duration::from_secs(90)));
    /// assert!(!token.is_fresh_for(Duration::from_secs(120), now));
    /// // Its whole lifetime is 90 s, so the margin is 45 s.
    /// token.metadata.signed_in_at = Some(now);
    /// assert!(token.is_fresh_for(Duration::from_secs(120), now));
    /// ```
    #[must_use]
    #[inline]
    // See decision 0009.
    pub fn is_fresh_for(&self, margin: Duration, now: Timestamp) -> bool {
        // Every request takes this path, so it calculates in whole milliseconds.
        let margin = clock::millis(margin);
        let margin = self
            .obtained_at()
            .map_or(margin, |at| margin.min(self.millis_left(at).max(0) / 2));
        !self.access.is_empty() && self.millis_left(now) > margin && !self.is_doubtful(now)
    }

    /// How long the access token is valid from `now`, by our clock; negative if it has expired.
    /// When it is no more [fresh](Self::is_fresh_for) for the margin, by this computer's clock, and the
    /// margin as it counts for this token; `None` if it never expires.
    pub(crate) fn stale_at(&self, margin: Duration) -> Option<(Timestamp, Duration)> {
        let expires_at = self.expires_at?;
        let ours = expires_at.shifted(self.metadata.clock_offset_ms.unwrap_or(0).saturating_neg());
        let margin = self
            .obtained_at()
            .map_or(margin, |at| margin.min(self.expires_in(at) / 2));
        Some((ours.shifted(clock::millis(margin).saturating_neg()), margin))
    }

    #[inline]
    fn millis_left(&self, now: Timestamp) -> i64 {
        let Some(expires_at) = self.expires_at else {
            return i64::MAX;
        };
        let server_time = self.server_time(now).as_unix_millis();
        expires_at.as_unix_millis().saturating_sub(server_time)
    }

    /// Whether the access token is valid for `minimum`, or for half its lifetime if the vendor's
    /// tokens never live that long.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::{OAuthToken, Timestamp};
    ///
    /// let now = Timestamp::from_unix_millis(0);
    /// let token = OAuthToken::new("made-up".into(), now.after(Duration::from_secs(3600)));
    /// assert!(token.lasts(Duration::from_secs(1800), now));
    /// assert!(!token.lasts(Duration::from_secs(7200), now));
    /// ```
    #[must_use]
    pub fn lasts(&self, minimum: Duration, now: Timestamp) -> bool {
        (match self.lifetime() {
            Some(life) if life <= minimum => self.is_valid_for(life / 2, now),
            _ => self.is_valid_for(minimum, now),
        }) && !self.is_doubtful(now)
    }

    /// The lifetime of the access token, if it is known when it was obtained.
    #[inline]
    fn lifetime(&self) -> Option<Duration> {
        Some(self.expires_in(self.obtained_at()?))
    }

    #[inline]
    fn obtained_at(&self) -> Option<Timestamp> {
        self.metadata.refreshed_at.or(self.metadata.signed_in_at)
    }

    /// Whether the recorded expiry is unreliable although it is in the future, and a refresh can
    /// bring another: an API has rejected the access token, or our clock was ahead when the token
    /// was obtained and has been corrected since.
    #[inline]
    pub(crate) fn is_doubtful(&self, now: Timestamp) -> bool {
        let clock_was_ahead = self
            .obtained_at()
            .is_some_and(|at| at > now.shifted(TOLERANCE_MS));
        clock_was_ahead && self.refresh.is_some()
            || self.metadata.rejected.is_some() && self.is_access_rejected()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::TokenResponse;

    #[test]
    fn validity_ends_at_the_very_millisecond() {
        let token = OAuthToken::new("a".into(), Timestamp::from_unix_millis(61_000));
        let margin = Duration::from_secs(60);
        assert!(token.is_valid_for(margin, Timestamp::from_unix_millis(999)));
        assert!(!token.is_valid_for(margin, Timestamp::from_unix_millis(1_000)));
    }

    #[test]
    fn a_clock_that_is_wrong_by_hours_or_years_is_reckoned_with() {
        let true_now = Timestamp::from_unix_millis(1_800_000_000_000);
        for wrong_by_hours in [1, -1, 87_600, -87_600] {
            let ours = true_now.shifted(wrong_by_hours * 3_600_000);
            let mut response = TokenResponse {
                access: "a".into(),
                refresh: None,
                expires_in: Some(Duration::from_secs(600)),
                expires_at: None,
                server_time: Some(true_now),
                scope: None,
                id_token: None,
                resource_url: None,
                notification: None,
            };
            let relative = response.clone().into_token(ours);
            assert_eq!(
                relative.expires_at,
                Some(true_now.after(Duration::from_secs(600)))
            );
            response.expires_at = relative.expires_at;
            for token in [relative, response.into_token(ours)] {
                assert!(token.is_valid_for(Duration::from_secs(599), ours));
                assert!(!token.is_valid_for(Duration::from_secs(600), ours));
                let ahead = -wrong_by_hours * 3_600_000;
                assert_eq!(token.metadata.clock_offset_ms, Some(ahead));
            }
        }
    }
}
