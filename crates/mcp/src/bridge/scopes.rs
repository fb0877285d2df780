//! The scopes that a server misses (RFC 6750 section 3.1).

use crate::{Challenge, printable};

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
    fn another_error_is_none_and_scopes_may_lack() {
        assert_eq!(found(&[r#"Bearer error="invalid_token", scope="a""#]), None);
        assert_eq!(found(&[]), None);
        let bare = "Bearer error=insufficient_scope";
        assert_eq!(found(&[bare]).as_deref(), Some(""));
    }
}
