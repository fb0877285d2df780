//! The token that an API refused, on standard input.

use std::io::{self, IsTerminal as _, Read as _};

use llm_auth_core::Secret;

use crate::error::Failure;
use crate::text::not_a_token;

/// The longest token; what is longer is no token.
const LONGEST: u64 = 1024 * 1024;

/// Reads the token; white space around it and the scheme of a header do not count. The flag names standard input, since other
/// users see what stands on a command line.
pub(super) fn read(from: &str) -> Result<Secret, Failure> {
    if from != "-" {
        // It is not repeated: it may be the token.
        return Err(Failure::Usage(
            "--refused takes only `-`: write the token to standard input".into(),
        ));
    }
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::Usage(
            "--refused - reads the token from standard input, which is a terminal".into(),
        ));
    }
    let mut text = String::new();
    let read = stdin.lock().take(LONGEST).read_to_string(&mut text);
    let token = Secret::from(behind_scheme(text.trim()));
    // The buffer is wiped as a secret.
    drop(Secret::from(text));
    match read {
        Ok(_) if token.expose().is_empty() => Err(Failure::Usage(
            "--refused - found no token on standard input".into(),
        )),
        // It is never the stored one, so that the refused token would be printed again.
        Ok(_) => match not_a_token(token.expose()).or_else(|| in_quotes(token.expose())) {
            Some(why) => Err(Failure::Usage(format!(
                "what --refused - found on standard input {why}: write the token alone"
            ))),
            None => Ok(token),
        },
        Err(error) => Err(Failure::Usage(format!(
            "--refused - cannot read standard input: {error}"
        ))),
    }
}

/// As JSON has a token. RFC 6750 section 2.1 allows no quotes in one.
fn in_quotes(text: &str) -> Option<&'static str> {
    text.contains(['"', '\''])
        .then_some("contains quotes, which no token does (`jq -r` prints none)")
}

/// The token of a pasted header's value, `Bearer TOKEN` (RFC 6750 section 2.1); the scheme is in any
/// letter case (RFC 9110 section 11.1).
fn behind_scheme(text: &str) -> &str {
    // A variable that is empty leaves the scheme alone.
    let (scheme, token) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match scheme.eq_ignore_ascii_case("Bearer") {
        true => token.trim_start(),
        false => text,
    }
}
