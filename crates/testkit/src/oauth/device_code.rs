//! Device flows: one grant between the code request and its tokens (RFC 8628).

use std::time::{Duration, Instant};

use super::pkce;
use super::tokens::MUST_BE_ESCAPED;
use crate::random;
use crate::settings::{Approval, Settings};

/// The grant type of a poll (RFC 8628 section 3.4).
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Debug)]
pub(crate) struct DeviceGrant {
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) device_code: String,
    pub(crate) user_code: String,
    /// The anti-CSRF value of the approval page.
    pub(crate) csrf: String,
    /// As announced; each `slow_down` makes the required one longer.
    pub(crate) interval: Duration,
    pub(crate) lifetime: Duration,
    challenge: Option<String>,
    created: Instant,
    required: Duration,
    last_poll: Option<Instant>,
    polls: u32,
    decision: Decision,
    spent: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    Open,
    Approved,
    Denied,
}

/// The outcome of a poll.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Poll {
    OtherClient,
    Spent,
    Expired,
    BadVerifier(&'static str),
    SlowDown,
    Pending,
    Denied,
    /// Approved, for this scope.
    Granted(String),
}

impl DeviceGrant {
    pub(crate) fn new(
        client_id: &str,
        scope: &str,
        challenge: Option<String>,
        rules: &Settings,
    ) -> Self {
        Self {
            client_id: client_id.to_owned(),
            scope: scope.to_owned(),
            device_code: format!("testkit-device-{}{MUST_BE_ESCAPED}", random::hex(16)),
            user_code: random::user_code(),
            csrf: random::hex(16),
            interval: rules.interval,
            lifetime: rules.code_lifetime,
            challenge,
            created: Instant::now(),
            required: rules.interval,
            last_poll: None,
            polls: 0,
            decision: Decision::Open,
            spent: false,
        }
    }

    pub(crate) fn decision(&self) -> Decision {
        self.decision
    }

    pub(crate) fn decide(&mut self, decision: Decision) {
        if self.decision == Decision::Open {
            self.decision = decision;
        }
    }

    pub(crate) fn expired(&self) -> bool {
        self.created.elapsed() >= self.lifetime
    }

    /// The interval that its polls must keep now.
    pub(crate) fn required(&self) -> Duration {
        self.required
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.decision == Decision::Open && !self.spent && !self.expired()
    }

    /// Records a poll; `true` if it came sooner than allowed.
    pub(crate) fn arrives(&mut self) -> bool {
        let now = Instant::now();
        self.polls = self.polls.saturating_add(1);
        let waited = self
            .last_poll
            .replace(now)
            .map(|last| now.duration_since(last));
        // Five percent of slack for timers that round.
        waited.is_some_and(|waited| waited < self.required.mul_f64(0.95))
    }

    pub(crate) fn poll(
        &mut self,
        client_id: &str,
        verifier: Option<&str>,
        too_fast: bool,
        rules: &Settings,
    ) -> Poll {
        if self.client_id != client_id {
            return Poll::OtherClient;
        }
        if self.spent {
            return Poll::Spent;
        }
        if self.expired() {
            return Poll::Expired;
        }
        let verified = match (&self.challenge, verifier) {
            (Some(challenge), _) => pkce::verify(verifier, challenge),
            (None, Some(_)) => Err("code_verifier without a code_challenge"),
            (None, None) => Ok(()),
        };
        if let Err(why) = verified {
            return Poll::BadVerifier(why);
        }
        if too_fast {
            self.required = self.required.saturating_add(rules.slow_down_step);
            return Poll::SlowDown;
        }
        match self.decision_under(rules.approval) {
            Decision::Open => Poll::Pending,
            Decision::Denied => Poll::Denied,
            Decision::Approved => {
                self.spent = true;
                Poll::Granted(self.scope.clone())
            }
        }
    }

    fn decision_under(&mut self, approval: Approval) -> Decision {
        self.decide(match approval {
            Approval::Manual => Decision::Open,
            Approval::Auto => Decision::Approved,
            Approval::AutoAfter(time) if self.created.elapsed() < time => Decision::Open,
            Approval::AutoAfterPolls(polls) if self.polls <= polls => Decision::Open,
            Approval::AutoAfter(_) | Approval::AutoAfterPolls(_) => Decision::Approved,
            Approval::Deny => Decision::Denied,
        });
        self.decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn rules() -> Settings {
        Settings::default()
    }

    fn grant(rules: &Settings) -> DeviceGrant {
        DeviceGrant::new("client", "scope", Some(CHALLENGE.to_owned()), rules)
    }

    #[test]
    fn a_second_poll_at_once_is_too_fast_and_the_interval_grows() {
        let rules = rules();
        let mut grant = grant(&rules);
        assert!(!grant.arrives());
        assert!(grant.arrives());
        let outcome = grant.poll("client", Some(VERIFIER), true, &rules);
        assert_eq!(outcome, Poll::SlowDown);
        assert_eq!(grant.required, Duration::from_secs(7));
    }

    #[test]
    fn an_approved_code_is_good_for_one_poll() {
        let mut rules = rules();
        rules.approval = Approval::Auto;
        let mut grant = grant(&rules);
        let mut poll = || grant.poll("client", Some(VERIFIER), false, &rules);
        assert_eq!(
            (poll(), poll()),
            (Poll::Granted("scope".to_owned()), Poll::Spent)
        );
    }

    #[test]
    fn approval_after_two_polls_gives_two_pending_responses() {
        let mut rules = rules();
        rules.approval = Approval::AutoAfterPolls(2);
        let mut grant = grant(&rules);
        let mut outcomes = Vec::new();
        for _ in 0..3 {
            grant.arrives();
            outcomes.push(grant.poll("client", Some(VERIFIER), false, &rules));
        }
        let granted = Poll::Granted("scope".to_owned());
        assert_eq!(outcomes, [Poll::Pending, Poll::Pending, granted]);
    }

    #[test]
    fn an_expired_code_stays_expired_even_when_approved() {
        let mut rules = rules();
        rules.code_lifetime = Duration::ZERO;
        let mut grant = grant(&rules);
        grant.decide(Decision::Approved);
        let outcome = grant.poll("client", Some(VERIFIER), false, &rules);
        assert_eq!(outcome, Poll::Expired);
    }
}
