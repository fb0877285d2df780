//! Whether a sign-in may replace the session of the account that it is for.

use llm_auth_core::{Clock as _, OAuthToken, SessionKey, SystemClock, printable};

use crate::error::Failure;
use crate::session::resolve::{self, Named};
use crate::session::state::state_of;

/// The account that a sign-in is for.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) key: SessionKey,
    pub(super) named: Named,
}

/// Whether a new session may be stored under that account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Fits,
    /// The account is named after another user.
    NamedAfterAnother,
    /// It holds the session of another user.
    Occupied,
}

impl Policy {
    pub(super) fn judge(&self, new: &OAuthToken, stored: Option<&OAuthToken>) -> Verdict {
        let is_explicit = self.named.is_explicit(stored);
        // If the account is not named, what is stored there decides.
        let is_decided_by_name = is_explicit || stored.is_none();
        if is_decided_by_name && resolve::is_of_another(&self.key, owner(new)) {
            Verdict::NamedAfterAnother
        } else if is_explicit || may_replace(new, stored) {
            Verdict::Fits
        } else {
            Verdict::Occupied
        }
    }

    /// Whether the account that a session was stored under instead becomes the current one.
    pub(super) fn makes_current(&self, verdict: Verdict, stored: Option<&OAuthToken>) -> bool {
        // For one call another account was named: that says nothing of the next ones.
        !(verdict == Verdict::NamedAfterAnother && self.named.is_explicit(stored))
    }

    /// What the user should know of the session that is there, before they go on.
    pub(super) fn notice(&self, stored: Option<&OAuthToken>) -> Option<String> {
        // What is over can be replaced without a word.
        let stored = stored
            .filter(|stored| ["valid", "renewable"].contains(&state_of(stored, SystemClock.now())));
        let stored = stored?;
        let account = match self.account() {
            account if account.is_empty() => "This store".to_owned(),
            account => format!("Account {account}"),
        };
        let is_explicit = self.named.is_explicit(Some(stored));
        Some(match owner(stored).map(printable) {
            Some(owner) if is_explicit => {
                format!("{account} is signed in as {owner}; this sign-in replaces that session.")
            }
            Some(owner) => format!(
                "{account} is signed in as {owner}. The same person again replaces that session; \
                 another user gets a separate account."
            ),
            None if is_explicit => {
                format!("{account} is signed in already; this sign-in replaces that session.")
            }
            None => format!(
                "{account} is signed in already; this sign-in replaces that session. To keep both, \
                 stop it and name a new account with --account NAME."
            ),
        })
    }

    /// Why a session is stored as this account instead; an error if the store has room for one.
    pub(super) fn why_elsewhere(
        &self,
        verdict: Verdict,
        new: &OAuthToken,
        stored: Option<&OAuthToken>,
        instead: &SessionKey,
        provider: &str,
    ) -> Result<String, Failure> {
        let account = self.account();
        let user = owner(new).map(printable);
        if verdict == Verdict::NamedAfterAnother {
            let user = user.unwrap_or_default();
            if matches!(self.named, Named::File) {
                return Err(Failure::Config {
                    message: format!(
                        "you signed in as {user}, not as {account}; nothing is stored"
                    ),
                    advice: format!(
                        "sign in again and choose {account} in the browser, or leave out --account"
                    ),
                });
            }
            let instead = printable(instead.account());
            return Ok(format!(
                "You signed in as {user}, not as {account}: the session is stored as account \
                 {instead}."
            ));
        }
        let occupant = printable(stored.and_then(owner).unwrap_or("another user"));
        let unknown = match user {
            Some(_) => String::new(),
            None => format!(", and {provider} did not say who signed in now"),
        };
        Ok(format!(
            "Account {account} belongs to {occupant}, whose session is kept{unknown}; this one gets \
             an account of its own."
        ))
    }

    fn account(&self) -> String {
        printable(self.key.account())
    }
}

/// Whether a new session of this user may replace it. One of no known user may be replaced: of two
/// sign-ins the later one counts.
pub(super) fn may_replace(new: &OAuthToken, stored: Option<&OAuthToken>) -> bool {
    let Some(before) = stored.and_then(owner) else {
        return true;
    };
    owner(new).is_some_and(|owner| owner.eq_ignore_ascii_case(before))
}

fn owner(session: &OAuthToken) -> Option<&str> {
    session.metadata.identity.as_deref()
}

#[cfg(test)]
mod tests {
    use llm_auth_core::Timestamp;

    use super::*;

    fn session(identity: &str) -> OAuthToken {
        let mut session = OAuthToken::new("made-up".into(), Timestamp::default());
        session.metadata.identity = (!identity.is_empty()).then(|| identity.to_owned());
        session
    }

    /// The account, whether it was named, who is signed in there, and who signs in now.
    #[test]
    fn only_a_named_account_gives_way_to_another_user_unless_it_is_named_after_one() {
        use Verdict::{Fits, NamedAfterAnother, Occupied};
        const NONE: Option<&str> = None;
        for (account, is_named, stored, new, verdict) in [
            ("default", false, NONE, "mia@example.com", Fits),
            (
                "default",
                false,
                Some("mia@example.com"),
                "Mia@example.com",
                Fits,
            ),
            (
                "default",
                false,
                Some("mia@example.com"),
                "tom@example.com",
                Occupied,
            ),
            ("default", false, Some("mia@example.com"), "", Occupied),
            ("default", false, Some(""), "tom@example.com", Fits),
            (
                "work",
                true,
                Some("mia@example.com"),
                "tom@example.com",
                Fits,
            ),
            (
                "mia@example.com",
                true,
                NONE,
                "tom@example.com",
                NamedAfterAnother,
            ),
            (
                "mia@example.com",
                true,
                Some("mia@example.com"),
                "tom@example.com",
                Occupied,
            ),
            (
                "mia@example.com",
                true,
                Some("ann@example.com"),
                "tom@example.com",
                NamedAfterAnother,
            ),
            (
                "mia@example.com",
                true,
                Some("ann@example.com"),
                "mia@example.com",
                Fits,
            ),
            (
                "mia@example.com",
                false,
                Some("ann@example.com"),
                "ann@example.com",
                Fits,
            ),
        ] {
            let policy = Policy {
                key: SessionKey::new("made-up", account),
                named: match is_named {
                    true => Named::Account(account.to_owned()),
                    false => Named::Nothing,
                },
            };
            let judged = policy.judge(&session(new), stored.map(session).as_ref());
            assert_eq!(judged, verdict, "{account} {is_named} {stored:?} {new}");
        }
    }
}
