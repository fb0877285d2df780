//! What a caller requires of a session.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::token::OAuthToken;

/// The condition for a stored session to need no refresh.
#[derive(Clone, Debug)]
pub(super) struct Requirement {
    other_than: Option<Secret>,
    freshness: Freshness,
    asked_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
enum Freshness {
    /// The default margin of the manager, which shrinks for short-lived tokens.
    Margin(Duration),
    /// The minimum that this caller asked for.
    Minimum(Duration),
    /// Only a refresh since the caller asked, as a user demands it.
    Refreshed,
}

impl Requirement {
    /// Valid for the manager's default margin.
    pub(super) fn fresh_for(margin: Duration, now: Timestamp) -> Self {
        Self {
            other_than: None,
            freshness: Freshness::Margin(margin),
            asked_at: now,
        }
    }

    /// Valid for at least `minimum`.
    pub(super) fn valid_for(minimum: Duration, now: Timestamp) -> Self {
        Self {
            other_than: None,
            freshness: Freshness::Minimum(minimum),
            asked_at: now,
        }
    }

    /// Any session that is valid now, except this one.
    pub(super) fn other_than(rejected: &OAuthToken, now: Timestamp) -> Self {
        Self {
            other_than: Some(rejected.access.clone()),
            freshness: Freshness::Minimum(Duration::ZERO),
            asked_at: now,
        }
    }

    /// A session that is refreshed from now on.
    pub(super) fn refreshed(now: Timestamp) -> Self {
        Self {
            other_than: None,
            freshness: Freshness::Refreshed,
            asked_at: now,
        }
    }

    /// Whether a user demands the refresh, so that the server's request to wait does not count.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.freshness, Freshness::Refreshed)
    }

    /// Whether the session may last for less than is required, because no caller named that length.
    pub(super) fn is_of_manager(&self) -> bool {
        matches!(self.freshness, Freshness::Margin(_)) && self.other_than.is_none()
    }

    /// The access token that an API has rejected.
    pub(super) fn rejected(&self) -> Option<&Secret> {
        self.other_than.as_ref()
    }

    /// Whether a stored session satisfies the requirement.
    pub(super) fn satisfied_by(&self, token: &OAuthToken, now: Timestamp) -> bool {
        let lasts = match self.freshness {
            Freshness::Margin(margin) => token.is_fresh_for(margin, now),
            Freshness::Minimum(minimum) => token.lasts(minimum, now),
            Freshness::Refreshed => false,
        };
        !self.excludes(token) && (lasts || self.is_newer(token, now) && is_alive(token, now))
    }

    /// Whether the refresh of another caller satisfies the requirement: it was made since this
    /// caller asked, so one more would bring nothing better, even if the new token has expired
    /// already or is the old one again.
    pub(super) fn accepts(&self, token: &OAuthToken, now: Timestamp) -> bool {
        self.satisfied_by(token, now) || self.is_newer(token, now)
    }

    fn excludes(&self, token: &OAuthToken) -> bool {
        self.other_than.as_ref() == Some(&token.access)
    }

    fn is_newer(&self, token: &OAuthToken, now: Timestamp) -> bool {
        let metadata = &token.metadata;
        let obtained_at = match self.freshness {
            Freshness::Refreshed => metadata.refreshed_at,
            _ => metadata.refreshed_at.or(metadata.signed_in_at),
        };
        obtained_at.is_some_and(|at| at >= self.asked_at) && !token.is_doubtful(now)
    }
}

fn is_alive(token: &OAuthToken, now: Timestamp) -> bool {
    token.is_valid_for(Duration::ZERO, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    fn token(expires: i64, refreshed: Option<i64>) -> OAuthToken {
        let mut token = OAuthToken::new("made-up".into(), at(expires));
        token.metadata.refreshed_at = refreshed.map(at);
        token
    }

    #[test]
    fn a_margin_counts_up_to_half_the_life_of_a_token() {
        let requirement = Requirement::fresh_for(MINUTE, at(1000));
        assert!(!requirement.satisfied_by(&token(1030, None), at(1000)));
        assert!(requirement.satisfied_by(&token(1030, Some(990)), at(1000)));
        assert!(!requirement.satisfied_by(&token(1030, Some(990)), at(1011)));
        assert!(!requirement.satisfied_by(&token(1050, Some(0)), at(1000)));
    }

    #[test]
    fn a_minimum_is_kept_to_the_second_if_the_vendor_can_keep_it() {
        let requirement = Requirement::valid_for(MINUTE, at(1000));
        assert!(!requirement.satisfied_by(&token(1059, Some(900)), at(1000)));
        assert!(requirement.satisfied_by(&token(1061, Some(900)), at(1000)));
        assert!(requirement.satisfied_by(&token(1040, Some(995)), at(1000)));
    }

    #[test]
    fn a_refresh_since_the_request_is_good_enough_if_it_still_lives() {
        let requirement = Requirement::valid_for(Duration::from_secs(86_400), at(1000));
        assert!(requirement.satisfied_by(&token(1030, Some(1001)), at(1002)));
        assert!(!requirement.satisfied_by(&token(1030, Some(1001)), at(1031)));
    }

    #[test]
    fn a_refresh_since_the_request_is_accepted_even_if_it_brought_the_same_token() {
        let same = token(5000, Some(1001));
        let requirement = Requirement::other_than(&same, at(1000));
        assert!(!requirement.satisfied_by(&same, at(1002)));
        assert!(requirement.accepts(&same, at(1002)));
        assert!(!requirement.accepts(&token(5000, Some(999)), at(1002)));
    }

    #[test]
    fn a_demanded_refresh_is_satisfied_by_one_made_since_only() {
        let requirement = Requirement::refreshed(at(1000));
        assert!(!requirement.satisfied_by(&token(5000, Some(999)), at(1000)));
        assert!(requirement.satisfied_by(&token(5000, Some(1001)), at(1002)));
    }

    #[test]
    fn a_refused_token_meets_no_requirement_for_another() {
        let refused = token(5000, None);
        let requirement = Requirement::other_than(&refused, at(1000));
        assert!(!requirement.satisfied_by(&refused, at(1000)));
    }
}
