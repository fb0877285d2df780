//! Sign-ins that demand an ID token, against an issuer that signs what a test wants.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use llm_auth_core::provider::{Client, CodeFlow, Flow, IdTokenRules, OAuthConfig};
use llm_auth_core::{
    ErrorKind, ManualClock, OAuthToken, ProviderSpec as _, Result, SecureUrl, Timestamp,
};
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::sign_in::SignIn;

/// A made-up key of no server: it is here for all to see.
const KEY: &str = include_str!("../support/made_up_rsa_key.b64");

const ISSUER: &str = "https://vendor.example";

/// The time of the provider's clock, in seconds.
const NOW: i64 = 1_790_000_000;

/// What an issuer returns, and what it was asked.
#[derive(Debug, Default)]
struct Answers {
    /// The document of the keys, one for each request; the last one repeats.
    keys: VecDeque<Value>,
    discovery: Value,
    token: Value,
    asked: Vec<String>,
}

#[derive(Clone, Debug)]
struct Issuer {
    base: String,
    answers: Arc<Mutex<Answers>>,
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let answers = Answers {
            keys: VecDeque::from([json!({"keys": [{"kty": "EC", "kid": "other"}, jwk("one")]})]),
            discovery: json!({"issuer": ISSUER, "jwks_uri": format!("{base}/keys")}),
            ..Answers::default()
        };
        let issuer = Self {
            base,
            answers: Arc::new(Mutex::new(answers)),
        };
        let served = issuer.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut seen = Vec::new();
                while !is_whole(&seen) && stream.read_buf(&mut seen).await.unwrap_or(0) > 0 {}
                let body = served.answer(&String::from_utf8_lossy(&seen)).to_string();
                let length = body.len();
                let head = "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nConnection: close";
                let response = format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(response.as_bytes()).await.unwrap();
            }
        });
        issuer
    }

    fn answer(&self, request: &str) -> Value {
        let path = request.split(' ').nth(1).unwrap_or_default();
        let mut answers = self.answers.lock().unwrap();
        answers.asked.push(path.to_owned());
        match path {
            "/oauth/token" => answers.token.clone(),
            "/keys" if answers.keys.len() > 1 => answers.keys.pop_front().unwrap(),
            "/keys" => answers.keys[0].clone(),
            _ => answers.discovery.clone(),
        }
    }

    fn asked(&self) -> Vec<String> {
        self.answers.lock().unwrap().asked.clone()
    }

    /// How often the keys were asked for.
    fn looks_for_keys(&self) -> usize {
        let asked = self.asked();
        asked.iter().filter(|path| *path == "/keys").count()
    }

    /// A sign-in whose token response holds the ID token that `token` makes of the nonce.
    async fn sign_in(&self, token: impl FnOnce(&str) -> Value) -> Result<OAuthToken> {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(NOW * 1000)));
        let provider = config().builder().base_url(&self.base).unwrap();
        let sign_in = SignIn::at(provider.clock(clock).build()).await;
        let token = token(&sign_in.request["nonce"]);
        self.answers.lock().unwrap().token = json!({
            "access_token": "made-up", "refresh_token": "made-up-refresh", "id_token": token,
        });
        let state = &sign_in.request["state"];
        let target = format!("/checked/callback?code=made-up&state={state}");
        SignIn::browse(&sign_in.request["redirect_uri"], &target).await;
        sign_in.task.await.unwrap()
    }

    /// The error of a sign-in whose token has these claims besides the valid ones; `null` removes.
    async fn refusal(&self, header: Value, claims: Value) -> String {
        let signed_in = self.sign_in(|nonce| {
            let token = with(valid(nonce), claims);
            json!(signed(
                &with(json!({"alg": "RS256", "kid": "one"}), header),
                &token
            ))
        });
        let error = signed_in.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        let shown = format!("{error:#}");
        assert!(shown.contains("nothing was stored"), "{shown}");
        shown
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lengths = head
        .lines()
        .filter_map(|line| line.strip_prefix("content-length: "));
    lengths.all(|length| length.parse().is_ok_and(|length| body.len() >= length))
}

fn config() -> OAuthConfig {
    let mut config = super::config("checked");
    let known = |path| Some(SecureUrl::known(&format!("{ISSUER}/{path}")));
    config.endpoints.authorization = known("auth");
    config.endpoints.discovery = known(".well-known/openid-configuration");
    config.client = Client::known("app");
    config.scope = "openid email".into();
    let mut flow = CodeFlow::new("/checked/callback");
    flow.id_token = Some(IdTokenRules::new(ISSUER));
    config.flows = vec![Flow::Code(flow)];
    config
}

fn key() -> KeyPair {
    let der = STANDARD.decode(KEY.replace('\n', "")).unwrap();
    KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &PKCS_RSA_SHA256).unwrap()
}

/// The public key: its DER is a modulus of 257 octets and an exponent of three.
fn jwk(id: &str) -> Value {
    let key = key();
    let der = key.der_bytes();
    let (modulus, exponent) = (&der[der.len() - 261..der.len() - 5], &der[der.len() - 3..]);
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
    json!({
        "kty": "RSA", "kid": id, "use": "sig", "alg": "RS256",
        "n": encode(modulus), "e": encode(exponent),
    })
}

fn valid(nonce: &str) -> Value {
    json!({
        "iss": ISSUER, "sub": "made-up-user", "aud": ["app"], "nonce": nonce,
        "iat": NOW, "exp": NOW + 3600,
        "email": "user@example.com", "email_verified": true,
    })
}

/// An object with other members; `null` removes one.
fn with(mut object: Value, others: Value) -> Value {
    for (name, value) in others.as_object().unwrap() {
        object[name] = value.clone();
    }
    let members = object.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    object
}

fn signed(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = key().sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn of_key_one(claims: &Value) -> Value {
    json!(signed(&json!({"alg": "RS256", "kid": "one"}), claims))
}

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
