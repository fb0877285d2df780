//! The check of an ID token (OpenID Connect Core section 3.1.3.7). This module fetches nothing.

mod keys;
mod signature;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::{Timestamp, millis};
use crate::error::Result;
use crate::http::JsonObject;
use crate::json;
use crate::sanitize::clean;
use crate::secret::Secret;

pub(crate) use self::keys::KeySet;

/// The one algorithm that counts. Any other may be chosen by an attacker: `none` needs no key, and
/// with `HS256` the public key would be the secret.
const ALGORITHM: &str = "RS256";

/// How far the clocks of the two sides may differ.
const TOLERANCE: std::time::Duration = std::time::Duration::from_secs(5);

/// What an ID token must say.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    /// Any, if there is none.
    pub(crate) issuer: Option<&'a str>,
    /// The client that the token must be for.
    pub(crate) client_id: &'a str,
    /// That of the authorization request, if there was one.
    pub(crate) nonce: Option<&'a Secret>,
    pub(crate) now: Timestamp,
}

/// Why an ID token does not count.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// None of the keys has the name in the token: there may be new ones.
    UnknownKey,
    /// It is wrong, in words.
    Invalid(String),
}

type Checked<T> = std::result::Result<T, Refusal>;

/// The claims of a token that is for this client, for this sign-in, and valid now. Its signature is
/// not checked: it must come from its issuer directly.
pub(crate) fn check_unsigned(token: &Secret, expected: &Expected<'_>) -> Checked<JsonObject> {
    let claims = read_object(Parts::read(token.expose())?.claims)?;
    check_claims(&claims, expected)?;
    Ok(claims)
}

/// The same for a token that is genuine, whatever it came through.
///
/// # Errors
///
/// The outer one if this program cannot check any signature.
pub(crate) fn check(
    token: &Secret,
    keys: &KeySet,
    expected: &Expected<'_>,
) -> Result<Checked<JsonObject>> {
    let parts = match Parts::read(token.expose()).and_then(Parts::of_our_algorithm) {
        Ok(parts) => parts,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let candidates = match keys.named(parts.header.text("kid")) {
        Ok(candidates) => candidates,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let verifier = signature::Verifier::rs256()?;
    let is_genuine = |key: &Vec<u8>| verifier.accepts(key, parts.signed, &parts.signature);
    if !candidates.into_iter().any(is_genuine) {
        return Ok(invalid("its signature is wrong"));
    }
    Ok(read_object(parts.claims).and_then(|claims| {
        check_claims(&claims, expected)?;
        Ok(claims)
    }))
}

/// A token in the compact form (RFC 7515 section 7.1).
struct Parts<'a> {
    header: JsonObject,
    claims: &'a str,
    /// The two parts that the signature is about.
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn read(token: &'a str) -> Checked<Self> {
        let parts: Vec<_> = token.split('.').collect();
        let &[header, claims, signature] = &*parts else {
            return invalid("it is no signed token");
        };
        let signed = &token.as_bytes()[..header.len() + 1 + claims.len()];
        let header = read_object(header)?;
        if header.has("crit") {
            // RFC 7515 section 4.1.11: what is not understood must not be ignored.
            return invalid("it has an extension that is not known");
        }
        Ok(Self {
            header,
            claims,
            signed,
            signature: decode(signature)?,
        })
    }

    fn of_our_algorithm(self) -> Checked<Self> {
        if self.header.text("alg") == Some(ALGORITHM) {
            return Ok(self);
        }
        let named = self.header.text("alg").map(|name| clean(name, 20, &[]));
        let named = named.unwrap_or_else(|| "no known algorithm".into());
        invalid(&format!("it is signed with {named}, not with {ALGORITHM}"))
    }
}

fn check_claims(claims: &JsonObject, expected: &Expected<'_>) -> Checked<()> {
    if let Some(issuer) = expected.issuer
        && claims.text("iss") != Some(issuer)
    {
        return invalid(&format!("it is not from {issuer} (`iss`)"));
    }
    if claims.text("sub").is_none_or(str::is_empty) {
        return invalid("it names no user (`sub`)");
    }
    check_audience(claims, expected.client_id)?;
    let nonce = claims.text("nonce").map(Secret::from);
    if expected.nonce.is_some() && nonce.as_ref() != expected.nonce {
        return invalid("it belongs to another sign-in (`nonce`)");
    }
    let now = expected.now;
    let tolerance = millis(TOLERANCE);
    if now >= instant(claims, "exp")?.shifted(tolerance) {
        return invalid("it has expired (`exp`); check the clock of this computer");
    }
    let mut begins = vec![("iat", instant(claims, "iat")?)];
    if claims.has("nbf") {
        begins.push(("nbf", instant(claims, "nbf")?));
    }
    match begins
        .into_iter()
        .find(|(_, from)| *from > now.shifted(tolerance))
    {
        None => Ok(()),
        Some((name, _)) => invalid(&format!(
            "it is not valid yet (`{name}`); check the clock of this computer"
        )),
    }
}

/// One audience or several; with several, the token says for which of them it was made.
fn check_audience(claims: &JsonObject, client_id: &str) -> Checked<()> {
    let audiences = match claims.text("aud") {
        Some(only) => vec![only],
        None => claims.texts("aud").unwrap_or_default(),
    };
    if !audiences.contains(&client_id) {
        return invalid("it is for another client (`aud`)");
    }
    match claims.text("azp") {
        Some(party) if party == client_id => Ok(()),
        None if audiences.len() == 1 && !claims.has("azp") => Ok(()),
        _ => invalid("it was made for another client (`azp`)"),
    }
}

/// An instant in seconds since 1970 (RFC 7519 section 2).
fn instant(claims: &JsonObject, name: &str) -> Checked<Timestamp> {
    match claims.number(name) {
        Ok(Some(seconds)) => Ok(from_seconds(seconds)),
        _ => invalid(&format!("it has no `{name}`")),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it saturates")]
fn from_seconds(seconds: f64) -> Timestamp {
    Timestamp::from_unix_millis((seconds * 1000.0) as i64)
}

fn read_object(part: &str) -> Checked<JsonObject> {
    let bytes = decode(part)?;
    match json::parse(&bytes) {
        Ok(members) => Ok(JsonObject::new(members, None, std::sync::Arc::default())),
        Err(_may_quote_it) => invalid("it is no signed token"),
    }
}

fn decode(part: &str) -> Checked<Vec<u8>> {
    URL_SAFE_NO_PAD
        .decode(part)
        .or_else(|_| invalid("it is no signed token"))
}

fn invalid<T>(why: &str) -> Checked<T> {
    Err(Refusal::Invalid(why.to_owned()))
}
