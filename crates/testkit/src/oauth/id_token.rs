//! ID tokens (OpenID Connect Core section 2), signed with a key that is here for all to see.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};

use crate::clock::Clock;

/// A made-up key, in base64 of PKCS #8.
const KEY: &str = include_str!("made_up_rsa_key.b64");

const KEY_ID: &str = "testkit-key";

/// How long an ID token is valid, in seconds.
const LIFETIME: i64 = 3600;

/// What an issuer says in each of its tokens.
#[derive(Clone, Debug)]
pub(crate) struct IdTokens {
    pub(crate) issuer: String,
    /// The claims about the user.
    pub(crate) user: Value,
}

impl IdTokens {
    /// The token for a client whose authorization request had this nonce.
    pub(crate) fn issue(&self, client_id: &str, nonce: Option<&str>, clock: &Clock) -> String {
        let now = clock.now_ms() / 1000;
        let mut claims = self.user.clone();
        claims["iss"] = json!(self.issuer);
        claims["aud"] = json!([client_id]);
        claims["iat"] = json!(now);
        claims["exp"] = json!(now + LIFETIME);
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        signed(&claims)
    }
}

/// The public key (RFC 7517).
pub(crate) fn keys() -> Value {
    let key = key();
    let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
    json!({"keys": [{
        "kty": "RSA", "kid": KEY_ID, "use": "sig", "alg": "RS256",
        "n": encode(&public.n),
        "e": encode(&public.e),
    }]})
}

/// RFC 7515 section 7.1.
fn signed(claims: &Value) -> String {
    let header = json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"});
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode(&header), encode(claims));
    let key = key();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    #[expect(clippy::expect_used, reason = "the key is compiled in")]
    key.sign(
        &RSA_PKCS1_SHA256,
        &random,
        message.as_bytes(),
        &mut signature,
    )
    .expect("the key signs");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[expect(clippy::expect_used, reason = "the key is compiled in")]
fn key() -> KeyPair {
    let der = STANDARD.decode(KEY.replace('\n', ""));
    let der = der.expect("the key is base64");
    KeyPair::from_pkcs8(&der).expect("the key is a key")
}

#[cfg(test)]
mod tests {
    use ring::signature::RSA_PKCS1_2048_8192_SHA256;

    use super::*;

    #[test]
    fn a_token_has_the_claims_of_its_sign_in_and_the_signature_of_the_key() {
        let tokens = IdTokens {
            issuer: "https://issuer.example".into(),
            user: json!({"sub": "made-up"}),
        };
        let token = tokens.issue("app", Some("made-up-nonce"), &Clock::default());
        let (message, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = PublicKeyComponents::<Vec<u8>>::from(key().public());
        let verified = public.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature);
        verified.unwrap();
        let claims = message.split_once('.').unwrap().1;
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], json!(["app"]));
        assert_eq!(claims["nonce"], "made-up-nonce");
        assert_eq!(claims["iss"], "https://issuer.example");
    }
}
