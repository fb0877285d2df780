//! PKCE on the side of the server (RFC 7636), written apart from the client's own code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::http::Form;

/// The `code_challenge` of an authorization request, or why it is rejected.
pub(crate) fn challenge(form: &Form) -> Result<String, &'static str> {
    let challenge = form
        .get("code_challenge")
        .ok_or("code_challenge is required")?;
    match form.get("code_challenge_method") {
        Some("S256") => {}
        Some(_) => return Err("code_challenge_method must be S256"),
        None => return Err("code_challenge_method is required"),
    }
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(alphabet) {
        return Err("code_challenge is not the 43 base64url characters of a SHA-256 digest");
    }
    Ok(challenge.to_owned())
}

/// The `code_challenge` of a request that may do without, or why it is rejected.
pub(crate) fn challenge_if_any(form: &Form) -> Result<Option<String>, &'static str> {
    let names = ["code_challenge", "code_challenge_method"];
    if names.iter().all(|name| form.get(name).is_none()) {
        return Ok(None);
    }
    challenge(form).map(Some)
}

/// Checks a `code_verifier` against the challenge that opened the grant.
pub(crate) fn verify(verifier: Option<&str>, challenge: &str) -> Result<(), &'static str> {
    let verifier = verifier.ok_or("code_verifier is required")?;
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err("code_verifier is not 43 to 128 unreserved characters");
    }
    if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge {
        Ok(())
    } else {
        Err("code_verifier does not match the code_challenge")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_pair_of_the_rfc_is_accepted() {
        assert_eq!(verify(Some(VERIFIER), CHALLENGE), Ok(()));
    }

    #[test]
    fn a_missing_short_long_or_other_verifier_is_refused() {
        let long = "a".repeat(129);
        let other = "b".repeat(43);
        for verifier in [None, Some("short"), Some(long.as_str()), Some(&*other)] {
            assert!(verify(verifier, CHALLENGE).is_err(), "{verifier:?}");
        }
    }

    #[test]
    fn plain_and_padded_challenges_are_refused() {
        for (method, challenge_text) in [
            ("plain", CHALLENGE.to_owned()),
            ("S256", format!("{CHALLENGE}%3D")),
            ("S256", "a".repeat(42)),
        ] {
            let body = format!("code_challenge={challenge_text}&code_challenge_method={method}");
            assert!(challenge(&Form::parse(body.as_bytes()).unwrap()).is_err());
        }
    }
}
