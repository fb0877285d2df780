//! The records of refreshes that a session carries: begun, failed, rejected.

use std::time::Duration;

use super::{OAuthToken, RefreshRecord};
use crate::clock::{TOLERANCE_MS, Timestamp};

impl OAuthToken {
    /// A record about the current refresh token.
    // See decision 0034.
    pub(crate) fn record(
        &self,
        at: Timestamp,
        reason: Option<String>,
    ) -> Option<Box<RefreshRecord>> {
        let refresh = self.refresh.as_ref()?;
        let mut record = RefreshRecord::new(refresh.fingerprint(), at);
        record.reason = reason;
        Some(Box::new(record))
    }

    /// How long from `now` the server asked not to refresh this session; `None` if it did not.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::{OAuthToken, Timestamp};
    ///
    /// # let refresh = llm_auth_core::Secret::from("made-up-refresh").fingerprint();
    /// # let stored = format!(r#"{{"access": "made-up", "refresh": "made-up-refresh", "expires": 9000,
    /// #     "llm_auth": {{"last_failure": {{"refresh_fingerprint": "{refresh}", "at": 1000, "until": 6000}}}}}}"#);
    /// let session = OAuthToken::from_json(stored.as_bytes())?;
    /// let at = Timestamp::from_unix_millis;
    /// assert_eq!(session.asked_to_wait(at(1_000)), Some(Duration::from_secs(5)));
    /// assert_eq!(session.asked_to_wait(at(6_000)), None);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    // See decision 0057.
    pub fn asked_to_wait(&self, now: Timestamp) -> Option<Duration> {
        let failure = self.metadata.last_failure.as_deref();
        let failure = failure.filter(|record| self.is_about_current(Some(record)))?;
        // A record from a clock that was ahead does not count.
        let wait = failure.until?.since(now);
        (!wait.is_zero() && failure.at <= now.shifted(TOLERANCE_MS)).then_some(wait)
    }

    /// Whether the refresh token's record is about a response that could not be read, not about a
    /// rejection.
    pub(crate) fn is_unread(&self) -> bool {
        self.metadata
            .rejected
            .as_deref()
            .is_some_and(|record| record.unread)
    }

    /// Whether the server has rejected the refresh token and an API the access token, so that the
    /// session is of no use.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::OAuthToken;
    ///
    /// # let refresh = llm_auth_core::Secret::from("made-up-refresh").fingerprint();
    /// # let access = llm_auth_core::Secret::from("made-up").fingerprint();
    /// # let stored = format!(r#"{{"access": "made-up", "refresh": "made-up-refresh", "expires": 9000,
    /// #     "llm_auth": {{"refused": {{"refresh_fingerprint": "{refresh}", "at": 1000, "access_fingerprint": "{access}"}}}}}}"#);
    /// let mut session = OAuthToken::from_json(stored.as_bytes())?;
    /// assert!(session.is_access_rejected());
    /// session.access = "made-up-successor".into();
    /// assert!(!session.is_access_rejected());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    // See decision 0058.
    pub fn is_access_rejected(&self) -> bool {
        let rejection = self.metadata.rejected.as_deref();
        let Some(access) = rejection.and_then(|record| record.access_fingerprint.as_deref()) else {
            return false;
        };
        self.is_about_current(rejection) && access == self.access.fingerprint()
    }

    /// Whether the server has rejected the current refresh token.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::OAuthToken;
    ///
    /// # let refresh = llm_auth_core::Secret::from("made-up-refresh");
    /// # let stored = format!(r#"{{"access": "made-up", "refresh": "made-up-refresh", "expires": 1000,
    /// #     "llm_auth": {{"refused": {{"refresh_fingerprint": "{}", "at": 1000}}}}}}"#, refresh.fingerprint());
    /// let mut session = OAuthToken::from_json(stored.as_bytes())?;
    /// assert!(session.is_rejected());
    /// // The record is about that refresh token, and about no other.
    /// session.refresh = Some("made-up-successor".into());
    /// assert!(!session.is_rejected());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    // See decision 0019.
    pub fn is_rejected(&self) -> bool {
        self.is_about_current(self.metadata.rejected.as_deref())
    }

    /// Whether a refresh with this refresh token began and is not known to have ended, so that the
    /// token may be spent.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::OAuthToken;
    ///
    /// # let refresh = llm_auth_core::Secret::from("made-up-refresh").fingerprint();
    /// # let stored = format!(r#"{{"access": "made-up", "refresh": "made-up-refresh", "expires": 9000,
    /// #     "llm_auth": {{"intent": {{"refresh_fingerprint": "{refresh}", "at": 1000}}}}}}"#);
    /// let session = OAuthToken::from_json(stored.as_bytes())?;
    /// // The process that began a refresh has died.
    /// assert!(session.may_be_spent());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn may_be_spent(&self) -> bool {
        self.is_about_current(self.metadata.in_progress.as_deref())
    }

    /// When a refresh of this refresh token failed last.
    pub(crate) fn failed_at(&self) -> Option<Timestamp> {
        let failure = self.metadata.last_failure.as_deref();
        let failure = failure.filter(|record| self.is_about_current(Some(record)));
        failure.map(|record| record.at)
    }

    /// Whether a refresh of these tokens began, and its end is not recorded: its process may be gone,
    /// or sleep.
    pub(crate) fn has_sleeper(&self) -> bool {
        let metadata = &self.metadata;
        let begun = metadata.in_progress.as_deref();
        let ended = metadata.last_failure.as_deref().map(|record| record.at);
        self.is_about_current(begun) && ended < begun.map(|record| record.at)
    }

    fn is_about_current(&self, record: Option<&RefreshRecord>) -> bool {
        match (record, &self.refresh) {
            (Some(record), Some(refresh)) => record.refresh_fingerprint == refresh.fingerprint(),
            _ => false,
        }
    }
}
