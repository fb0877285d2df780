//! What a caller needs of a session.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::token::OAuthToken;

/// When a stored session is good enough, so that no renewal is due.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    other_than: Option<Secret>,
    minimum: Duration,
    asked_at: Timestamp,
}

impl Demand {
    /// Good for at least `minimum`.
    pub(super) fn valid_for(minimum: Duration, now: Timestamp) -> Self {
        Self {
            other_than: None,
            minimum,
            asked_at: now,
        }
    }

    /// Any that is good now but this one.
    pub(super) fn other_than(refused: &OAuthToken, now: Timestamp) -> Self {
        Self {
            other_than: Some(refused.access.clone()),
            minimum: Duration::ZERO,
            asked_at: now,
        }
    }

    /// Whether the caller insists on a request even if an earlier one was refused for good.
    pub(super) fn insists(&self) -> bool {
        self.other_than.is_some()
    }

    pub(super) fn excludes(&self, token: &OAuthToken) -> bool {
        self.other_than.as_ref() == Some(&token.access)
    }

    pub(super) fn is_met_by(&self, token: &OAuthToken, now: Timestamp) -> bool {
        if self.excludes(token) || !token.is_valid_for(Duration::ZERO, now) {
            return false;
        }
        // Renewed by somebody else since we asked: as fresh as we could make it ourselves.
        let renewed_since = token.notes.renewed_at.is_some_and(|at| at >= self.asked_at);
        renewed_since || token.is_fresh_for(self.minimum, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    fn token(expires: i64, renewed: Option<i64>) -> OAuthToken {
        let mut token = OAuthToken::new("made-up".into(), at(expires));
        token.notes.renewed_at = renewed.map(at);
        token
    }

    #[test]
    fn a_margin_counts_up_to_half_the_life_of_a_token() {
        let demand = Demand::valid_for(MINUTE, at(1000));
        assert!(!demand.is_met_by(&token(1030, None), at(1000)));
        assert!(demand.is_met_by(&token(1030, Some(990)), at(1000)));
        assert!(!demand.is_met_by(&token(1030, Some(990)), at(1011)));
        assert!(!demand.is_met_by(&token(1050, Some(0)), at(1000)));
    }

    #[test]
    fn a_renewal_since_the_question_is_good_enough_if_it_still_lives() {
        let demand = Demand::valid_for(Duration::from_secs(86_400), at(1000));
        assert!(demand.is_met_by(&token(1030, Some(1001)), at(1002)));
        assert!(!demand.is_met_by(&token(1030, Some(1001)), at(1031)));
    }

    #[test]
    fn a_refused_token_meets_no_demand_for_another() {
        let refused = token(5000, None);
        let demand = Demand::other_than(&refused, at(1000));
        assert!(!demand.is_met_by(&refused, at(1000)));
    }
}
