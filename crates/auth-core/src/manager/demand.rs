//! What a caller needs of a session.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::token::OAuthToken;

/// When a stored session is good enough, so that no renewal is due.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    other_than: Option<Secret>,
    lasting: Lasting,
    asked_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
enum Lasting {
    /// The standing margin of the manager, which bends to short-lived tokens.
    Margin(Duration),
    /// What this caller asked for.
    Minimum(Duration),
}

impl Demand {
    /// Good for the manager's standing margin.
    pub(super) fn fresh_for(margin: Duration, now: Timestamp) -> Self {
        Self {
            other_than: None,
            lasting: Lasting::Margin(margin),
            asked_at: now,
        }
    }

    /// Good for at least `minimum`.
    pub(super) fn valid_for(minimum: Duration, now: Timestamp) -> Self {
        Self {
            other_than: None,
            lasting: Lasting::Minimum(minimum),
            asked_at: now,
        }
    }

    /// Any that is good now but this one.
    pub(super) fn other_than(refused: &OAuthToken, now: Timestamp) -> Self {
        Self {
            other_than: Some(refused.access.clone()),
            lasting: Lasting::Minimum(Duration::ZERO),
            asked_at: now,
        }
    }

    /// Whether a stored session will do as it is.
    pub(super) fn is_met_by(&self, token: &OAuthToken, now: Timestamp) -> bool {
        let lasts = match self.lasting {
            Lasting::Margin(margin) => token.is_fresh_for(margin, now),
            Lasting::Minimum(minimum) => token.lasts(minimum, now),
        };
        !self.excludes(token) && (lasts || self.is_news(token) && is_alive(token, now))
    }

    /// Whether a renewal that others began will do: it was made since we asked, so our own would
    /// bring nothing better, be it over on arrival.
    pub(super) fn accepts(&self, token: &OAuthToken, now: Timestamp) -> bool {
        self.is_met_by(token, now) || !self.excludes(token) && self.is_news(token)
    }

    fn excludes(&self, token: &OAuthToken) -> bool {
        self.other_than.as_ref() == Some(&token.access)
    }

    fn is_news(&self, token: &OAuthToken) -> bool {
        let obtained_at = token.notes.renewed_at.or(token.notes.signed_in_at);
        obtained_at.is_some_and(|at| at >= self.asked_at)
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

    fn token(expires: i64, renewed: Option<i64>) -> OAuthToken {
        let mut token = OAuthToken::new("made-up".into(), at(expires));
        token.notes.renewed_at = renewed.map(at);
        token
    }

    #[test]
    fn a_margin_counts_up_to_half_the_life_of_a_token() {
        let demand = Demand::fresh_for(MINUTE, at(1000));
        assert!(!demand.is_met_by(&token(1030, None), at(1000)));
        assert!(demand.is_met_by(&token(1030, Some(990)), at(1000)));
        assert!(!demand.is_met_by(&token(1030, Some(990)), at(1011)));
        assert!(!demand.is_met_by(&token(1050, Some(0)), at(1000)));
    }

    #[test]
    fn a_minimum_is_kept_to_the_second_if_the_vendor_can_keep_it() {
        let demand = Demand::valid_for(MINUTE, at(1000));
        assert!(!demand.is_met_by(&token(1059, Some(900)), at(1000)));
        assert!(demand.is_met_by(&token(1061, Some(900)), at(1000)));
        assert!(demand.is_met_by(&token(1040, Some(995)), at(1000)));
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
