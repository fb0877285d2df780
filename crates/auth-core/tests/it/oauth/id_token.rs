//! Sign-ins that demand an ID token, against an issuer that signs what a test wants.

mod claims;
mod issuer;

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use llm_auth_core::ErrorKind;
use serde_json::json;

use self::issuer::{Issuer, NOW, jwk, of_key_one, signed, valid, with};

#[tokio::test]
async fn the_verified_address_in_a_valid_id_token_is_the_identity_of_the_session() {
    let issuer = Issuer::start().await;
    let session = issuer.sign_in(|nonce| of_key_one(&valid(nonce))).await;
    let session = session.unwrap();
    let identity = session.metadata.identity.as_deref();
    assert_eq!(identity, Some("user@example.com"));
    let stored = session.to_json().unwrap();
    assert!(!stored.expose().contains("id_token"));
    // The keys come first: if there are none, no code is spent.
    let discovery = "/.well-known/openid-configuration";
    assert_eq!(issuer.asked(), [discovery, "/keys", "/oauth/token"]);
}

#[tokio::test]
async fn an_address_that_is_not_verified_identifies_no_user() {
    for unverified in [json!(false), json!(null), json!(1)] {
        let issuer = Issuer::start().await;
        let claims = |nonce: &str| with(valid(nonce), json!({"email_verified": unverified}));
        let session = issuer.sign_in(|nonce| of_key_one(&claims(nonce))).await;
        assert_eq!(session.unwrap().metadata.identity, None);
    }
}

#[tokio::test]
async fn every_claim_that_is_wrong_is_named_and_ends_the_sign_in() {
    let issuer = Issuer::start().await;
    for (claims, named) in [
        (json!({"iss": "https://other.example"}), "`iss`"),
        (json!({"iss": null}), "`iss`"),
        (json!({"aud": "other"}), "`aud`"),
        (json!({"aud": ["other"]}), "`aud`"),
        (json!({"aud": null}), "`aud`"),
        (json!({"aud": ["app", "other"]}), "`azp`"),
        (json!({"aud": ["app", "other"], "azp": "other"}), "`azp`"),
        (json!({"aud": "app", "azp": "other"}), "`azp`"),
        (json!({"nonce": "made-up"}), "`nonce`"),
        (json!({"nonce": null}), "`nonce`"),
        (json!({"exp": NOW - 5}), "`exp`"),
        (json!({"exp": null}), "`exp`"),
        (json!({"iat": NOW + 6}), "`iat`"),
        (json!({"iat": null}), "`iat`"),
        (json!({"nbf": NOW + 6}), "`nbf`"),
    ] {
        let shown = issuer.refusal(json!({}), claims.clone()).await;
        assert!(shown.contains(named), "{claims}: {shown}");
    }
}

#[tokio::test]
async fn clocks_may_differ_by_five_seconds_and_several_audiences_need_the_party() {
    let issuer = Issuer::start().await;
    for claims in [
        json!({"exp": NOW - 4}),
        json!({"iat": NOW + 5, "nbf": NOW + 5}),
        json!({"aud": "app"}),
        json!({"aud": ["other", "app"], "azp": "app"}),
    ] {
        let token = |nonce: &str| of_key_one(&with(valid(nonce), claims.clone()));
        issuer.sign_in(token).await.expect("a valid token");
    }
}

#[tokio::test]
async fn no_other_algorithm_and_no_unknown_extension_counts() {
    let issuer = Issuer::start().await;
    for algorithm in ["none", "HS256", "RS384", "PS256", "ES256", "rs256"] {
        let shown = issuer.refusal(json!({"alg": algorithm}), json!({})).await;
        assert!(shown.contains(algorithm), "{shown}");
    }
    let shown = issuer.refusal(json!({"crit": ["b64"]}), json!({})).await;
    assert!(shown.contains("extension"), "{shown}");
}

#[tokio::test]
async fn a_token_that_another_key_signed_or_that_was_changed_is_no_token_of_the_issuer() {
    let issuer = Issuer::start().await;
    let mut other = jwk("one");
    let modulus = other["n"].as_str().unwrap().replace('A', "B");
    other["n"] = json!(modulus);
    issuer.answers.lock().unwrap().keys = VecDeque::from([json!({"keys": [other]})]);
    let shown = issuer.refusal(json!({}), json!({})).await;
    assert!(shown.contains("signature"), "{shown}");

    let issuer = Issuer::start().await;
    let forged = issuer.sign_in(|nonce| {
        let token = of_key_one(&valid(nonce));
        let token: Vec<_> = token.as_str().unwrap().split('.').collect();
        let claims = with(valid(nonce), json!({"email": "other@example.com"}));
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        json!(format!("{}.{claims}.{}", token[0], token[2]))
    });
    let shown = forged.await.unwrap_err().to_string();
    assert!(shown.contains("signature"), "{shown}");
}

#[tokio::test]
async fn what_is_no_token_at_all_ends_the_sign_in_and_is_not_shown() {
    let issuer = Issuer::start().await;
    for token in [
        json!(null),
        json!(""),
        json!("secret"),
        json!("c.e.c.r.t"),
        json!("!.!.!"),
    ] {
        let error = issuer.sign_in(|_| token.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        let shown = format!("{error:#} {error:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("c.e.c"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once_more_and_then_missing() {
    let issuer = Issuer::start().await;
    let old = json!({"keys": [jwk("zero")]});
    let new = json!({"keys": [jwk("zero"), jwk("one")]});
    issuer.answers.lock().unwrap().keys = VecDeque::from([old.clone(), new]);
    let session = issuer.sign_in(|nonce| of_key_one(&valid(nonce))).await;
    session.expect("the key is there at the second look");
    assert_eq!(issuer.looks_for_keys(), 2);

    let issuer = Issuer::start().await;
    issuer.answers.lock().unwrap().keys = VecDeque::from([old]);
    let shown = issuer.refusal(json!({}), json!({})).await;
    assert!(shown.contains("no such key"), "{shown}");
    assert_eq!(issuer.looks_for_keys(), 2);
}

#[tokio::test]
async fn a_token_without_the_name_of_its_key_is_clear_only_if_there_is_one_key() {
    let issuer = Issuer::start().await;
    let token = |nonce: &str| json!(signed(&json!({"alg": "RS256"}), &valid(nonce)));
    issuer.sign_in(token).await.expect("there is one RSA key");
    let two = json!({"keys": [jwk("one"), jwk("two")]});
    issuer.answers.lock().unwrap().keys = VecDeque::from([two]);
    let shown = issuer.refusal(json!({"kid": null}), json!({})).await;
    assert!(shown.contains("`kid`"), "{shown}");
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_spends_no_code() {
    for (name, value, named) in [
        ("issuer", json!("https://other.example"), "not from"),
        ("jwks_uri", json!("http://other.example/keys"), "`jwks_uri`"),
        ("jwks_uri", json!(null), "`jwks_uri`"),
    ] {
        let issuer = Issuer::start().await;
        issuer.answers.lock().unwrap().discovery[name] = value;
        let error = issuer.sign_in(|nonce| of_key_one(&valid(nonce))).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
        assert!(!issuer.asked().contains(&"/oauth/token".to_owned()));
    }
}
