//! The scopes that a server misses (RFC 6750 section 3.1).

use crate::{Challenge, OAuthToken, printable};

/// The longest list of scopes that is shown.
const LONGEST: usize = 500;

/// The scopes of a challenge with `error="insufficient_scope"`, fit to be shown; empty if it names
/// none. `None` if no header holds such a challenge.
pub(super) fn missing<'a>(headers: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut challenges = headers.flat_map(Challenge::read);
    let challenge = challenges.find(|one| one.parameter("error") == Some("insufficient_scope"))?;
    let scopes = printable(challenge.parameter("scope").unwrap_or_default());
    Some(scopes.chars().take(LONGEST).collect())
}

/// The scopes of a session and those that are missing, each once, as one argument of a shell.
pub(super) fn wanted(session: &OAuthToken, missing: &str) -> String {
    let granted = session.scope.as_deref().unwrap_or_default();
    let granted = printable(granted);
    let mut scopes: Vec<&str> = Vec::new();
    for scope in granted.split_whitespace().chain(missing.split_whitespace()) {
        // RFC 6749 section 3.3 has no quotation mark in a scope.
        if !scopes.contains(&scope) && !scope.contains(['\'', '"', '\\']) {
            scopes.push(scope);
        }
    }
    format!("'{}'", scopes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[&str]) -> Option<String> {
        missing(headers.iter().copied())
    }

    #[test]
    fn the_scopes_are_found_among_several_challenges_and_headers() {
        let header = r#"DPoP algs="ES256", Bearer error="insufficient_scope",scope="a:read b""#;
        assert_eq!(
            found(&["Basic error=x", header]).as_deref(),
            Some("a:read b")
        );
        let hostile = "Bearer error=\"insufficient_scope\", scope=\"a\u{1b}[31m\"";
        assert_eq!(found(&[hostile]).as_deref(), Some("a[31m"));
    }

    #[test]
    fn a_new_sign_in_asks_for_the_old_and_the_missing_scopes() {
        let mut session = OAuthToken::new("made-up".into(), None);
        session.scope = Some("a b".into());
        assert_eq!(wanted(&session, "b c"), "'a b c'");
        assert_eq!(wanted(&session, "c'; rm -rf x; '"), "'a b rm -rf x;'");
    }

    #[test]
    fn another_error_is_none_and_scopes_may_lack() {
        assert_eq!(found(&[r#"Bearer error="invalid_token", scope="a""#]), None);
        assert_eq!(found(&[]), None);
        let bare = "Bearer error=insufficient_scope";
        assert_eq!(found(&[bare]).as_deref(), Some(""));
    }
}
