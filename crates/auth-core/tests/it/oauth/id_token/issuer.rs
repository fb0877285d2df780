//! An issuer of ID tokens, which signs what a test wants.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use llm_auth_core::provider::{Client, CodeFlow, DeviceFlow, Flow, IdTokenRules, OAuthConfig};
use llm_auth_core::{
    AuthProvider as _, ErrorKind, ManualClock, OAuthToken, PollSchedule, ProviderSpec as _, Result,
    SecureUrl, Silent, Timestamp,
};
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::oauth::sign_in::SignIn;

/// A made-up key of no server: it is here for all to see.
pub(super) const KEY: &str = include_str!("../../support/made_up_rsa_key.b64");

pub(super) const ISSUER: &str = "https://vendor.example";

/// The time of the provider's clock, in seconds.
pub(super) const NOW: i64 = 1_790_000_000;

/// What an issuer returns, and what it was asked.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The document of the keys, one for each request; the last one repeats.
    pub(super) keys: VecDeque<Value>,
    pub(super) discovery: Value,
    pub(super) token: Value,
    pub(super) user: Value,
    pub(super) asked: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Issuer {
    pub(super) base: String,
    pub(super) rules: IdTokenRules,
    pub(super) answers: Arc<Mutex<Answers>>,
}

impl Issuer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let answers = Answers {
            keys: VecDeque::from([json!({"keys": [{"kty": "EC", "kid": "other"}, jwk("one")]})]),
            discovery: json!({"issuer": ISSUER, "jwks_uri": format!("{base}/keys")}),
            ..Answers::default()
        };
        let issuer = Self {
            base,
            rules: IdTokenRules::new(ISSUER),
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

    pub(super) fn answer(&self, request: &str) -> Value {
        let path = request.split(' ').nth(1).unwrap_or_default();
        let mut answers = self.answers.lock().unwrap();
        answers.asked.push(path.to_owned());
        match path {
            "/userinfo" => answers.user.clone(),
            "/device" => json!({
                "device_code": "made-up-device", "user_code": "MADE-UP", "expires_in": 600,
                "verification_uri": "https://vendor.example/device",
            }),
            "/oauth/token" => answers.token.clone(),
            "/keys" if answers.keys.len() > 1 => answers.keys.pop_front().unwrap(),
            "/keys" => answers.keys[0].clone(),
            _ => answers.discovery.clone(),
        }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.answers.lock().unwrap().asked.clone()
    }

    /// How often the keys were asked for.
    pub(super) fn looks_for_keys(&self) -> usize {
        let asked = self.asked();
        asked.iter().filter(|path| *path == "/keys").count()
    }

    /// A sign-in whose token response holds the ID token that `token` makes of the nonce.
    pub(super) async fn sign_in(&self, token: impl FnOnce(&str) -> Value) -> Result<OAuthToken> {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(NOW * 1000)));
        let config = self.config(Flow::Code(CodeFlow::new("/checked/callback")));
        let provider = config.builder().base_url(&self.base).unwrap();
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

    /// A sign-in in the device flow, which has no nonce.
    pub(super) async fn device_sign_in(&self, token: Value) -> Result<OAuthToken> {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(NOW * 1000)));
        let config = self.config(Flow::Device(DeviceFlow::default()));
        let provider = config.builder().base_url(&self.base).unwrap();
        self.answers.lock().unwrap().token = json!({
            "access_token": "made-up", "refresh_token": "made-up-refresh", "id_token": token,
        });
        let blink = Duration::from_millis(1);
        let schedule = PollSchedule::new().default_interval(blink).minimum(blink);
        let provider = provider.clock(clock).schedule(schedule).build();
        provider.authenticate(&Silent).await
    }

    pub(super) fn config(&self, flow: Flow) -> OAuthConfig {
        let mut config = crate::oauth::config("checked");
        let known = |path| Some(SecureUrl::known(&format!("{ISSUER}/{path}")));
        config.endpoints.authorization = known("auth");
        config.endpoints.device_authorization = known("device");
        config.endpoints.userinfo = known("userinfo");
        config.endpoints.discovery = known(".well-known/openid-configuration");
        config.client = Client::known("app");
        config.scope = "openid email".into();
        config.identity_scopes = vec!["email".into()];
        config.id_token = Some(self.rules.clone());
        config.flows = vec![flow];
        config
    }

    /// The error of a sign-in whose token has these claims besides the valid ones; `null` removes.
    pub(super) async fn refusal(&self, header: Value, claims: Value) -> String {
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

pub(super) fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lengths = head
        .lines()
        .filter_map(|line| line.strip_prefix("content-length: "));
    lengths.all(|length| length.parse().is_ok_and(|length| body.len() >= length))
}

pub(super) fn key() -> KeyPair {
    let der = STANDARD.decode(KEY.replace('\n', "")).unwrap();
    KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &PKCS_RSA_SHA256).unwrap()
}

/// The public key: its DER is a modulus of 257 octets and an exponent of three.
pub(super) fn jwk(id: &str) -> Value {
    let key = key();
    let der = key.der_bytes();
    let (modulus, exponent) = (&der[der.len() - 261..der.len() - 5], &der[der.len() - 3..]);
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
    json!({
        "kty": "RSA", "kid": id, "use": "sig", "alg": "RS256",
        "n": encode(modulus), "e": encode(exponent),
    })
}

pub(super) fn valid(nonce: &str) -> Value {
    json!({
        "iss": ISSUER, "sub": "made-up-user", "aud": ["app"], "nonce": nonce,
        "iat": NOW, "exp": NOW + 3600,
        "email": "user@example.com", "email_verified": true,
    })
}

/// An object with other members; `null` removes one.
pub(super) fn with(mut object: Value, others: Value) -> Value {
    for (name, value) in others.as_object().unwrap() {
        object[name] = value.clone();
    }
    let members = object.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    object
}

pub(super) fn signed(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = key().sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub(super) fn of_key_one(claims: &Value) -> Value {
    json!(signed(&json!({"alg": "RS256", "kid": "one"}), claims))
}
