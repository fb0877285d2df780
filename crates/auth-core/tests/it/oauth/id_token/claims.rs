//! ID tokens whose claims are checked and whose signature is not, since they come from the token
//! endpoint.

use llm_auth_core::ErrorKind;
use llm_auth_core::provider::IdTokenRules;
use serde_json::{Value, json};

use super::issuer::{ISSUER, Issuer, NOW, signed, valid, with};

async fn issuer() -> Issuer {
    let mut issuer = Issuer::start().await;
    issuer.rules = IdTokenRules::claims(Some(ISSUER.into()));
    issuer.answers.lock().unwrap().user = json!({
        "sub": "made-up-user", "email": "userinfo@example.com", "email_verified": true,
    });
    issuer
}

/// A token of an algorithm that this library does not know.
fn token(claims: &Value) -> Value {
    json!(signed(&json!({"alg": "EdDSA", "kid": "other"}), claims))
}

#[tokio::test]
async fn a_token_of_any_algorithm_counts_without_keys() {
    let issuer = issuer().await;
    let session = issuer.sign_in(|nonce| token(&valid(nonce))).await.unwrap();
    let identity = session.metadata.identity.as_deref();
    assert_eq!(identity, Some("user@example.com"));
    assert_eq!(issuer.asked(), ["/oauth/token"]);
}

#[tokio::test]
async fn a_response_without_an_id_token_is_enough() {
    let issuer = issuer().await;
    let session = issuer.sign_in(|_| json!(null)).await.unwrap();
    let identity = session.metadata.identity.as_deref();
    assert_eq!(identity, Some("userinfo@example.com"));
}

#[tokio::test]
async fn a_wrong_claim_ends_the_sign_in_in_both_flows() {
    let issuer = issuer().await;
    for (claims, named) in [
        (json!({"iss": "https://other.example"}), "`iss`"),
        (json!({"aud": "other"}), "`aud`"),
        (json!({"azp": "other"}), "`azp`"),
        (json!({"sub": null}), "`sub`"),
        (json!({"sub": 5}), "`sub`"),
        (json!({"sub": ""}), "`sub`"),
        (json!({"exp": NOW - 5}), "`exp`"),
        (json!({"nbf": NOW + 6}), "`nbf`"),
    ] {
        let wrong = |nonce: &str| token(&with(valid(nonce), claims.clone()));
        for refused in [
            issuer.sign_in(wrong).await,
            issuer.device_sign_in(wrong("of no request")).await,
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.to_string().contains(named), "{claims}: {error}");
        }
    }
    let other = issuer.sign_in(|_| token(&valid("of another sign-in")));
    let error = other.await.unwrap_err().to_string();
    assert!(error.contains("`nonce`"), "{error}");
}

#[tokio::test]
async fn the_device_flow_reads_the_identity_from_the_token_too() {
    let issuer = issuer().await;
    let session = issuer.device_sign_in(token(&valid("of no request"))).await;
    let identity = session.unwrap().metadata.identity;
    assert_eq!(identity.as_deref(), Some("user@example.com"));
}

#[tokio::test]
async fn a_server_whose_issuer_is_unknown_may_name_any() {
    let mut issuer = issuer().await;
    issuer.rules = IdTokenRules::claims(None);
    let claims = |nonce: &str| with(valid(nonce), json!({"iss": "https://other.example"}));
    issuer.sign_in(|nonce| token(&claims(nonce))).await.unwrap();
}

#[tokio::test]
async fn userinfo_about_another_user_than_the_token_identifies_no_user() {
    let issuer = issuer().await;
    let claims = |nonce: &str| with(valid(nonce), json!({"email": null}));
    for (sub, identity) in [
        (json!("made-up-user"), Some("userinfo@example.com")),
        (json!("other-user"), None),
        (json!(null), None),
    ] {
        issuer.answers.lock().unwrap().user["sub"] = sub;
        let session = issuer.sign_in(|nonce| token(&claims(nonce))).await;
        let found = session.unwrap().metadata.identity;
        assert_eq!(found.as_deref(), identity);
    }
}
