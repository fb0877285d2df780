//! Code flows as living providers have them: a key for a code, a client that is issued during the
//! sign-in, a registered port.

use std::collections::BTreeMap;

use llm_auth_core::provider::{
    BodyFormat, Call, CallbackOutcome, Client, CodeFlow, ErrorResponse, Flow, JsonObject,
    LoopbackHost, OAuthConfig, Operation, Response, TokenResponse,
};
use llm_auth_core::{
    AuthProvider as _, ClientCredentials, Error, ErrorKind, LoginEvent, OAuthToken, ProviderSpec,
    Result, Secret, SecureUrl, UserPrompt, async_trait,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::support::script::Script;

/// A user who pastes what the test sends.
#[derive(Debug)]
struct Person {
    shown: mpsc::UnboundedSender<String>,
    ignored: mpsc::UnboundedSender<String>,
    pasted: Mutex<mpsc::UnboundedReceiver<String>>,
}

#[async_trait]
impl UserPrompt for Person {
    fn notify(&self, event: &LoginEvent<'_>) {
        let _gone = match event {
            LoginEvent::AuthorizationUrl { url, .. } => self.shown.send((*url).to_owned()),
            LoginEvent::Ignored { why, .. } => self.ignored.send((*why).to_owned()),
            _ => Ok(()),
        };
    }

    async fn pasted(&self) -> Secret {
        match self.pasted.lock().await.recv().await {
            Some(text) => text.into(),
            None => std::future::pending().await,
        }
    }
}

/// A sign-in that waits for the browser.
struct SignIn {
    /// The parameters of the authorization request, decoded.
    request: BTreeMap<String, String>,
    paste: mpsc::UnboundedSender<String>,
    ignored: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<Result<OAuthToken>>,
}

impl SignIn {
    async fn begin(spec: impl ProviderSpec, base: &str) -> Self {
        let provider = spec.builder().base_url(base).unwrap().build();
        let (show, mut shown) = mpsc::unbounded_channel();
        let (ignore, ignored) = mpsc::unbounded_channel();
        let (paste, pasted) = mpsc::unbounded_channel();
        let person = Person {
            shown: show,
            ignored: ignore,
            pasted: Mutex::new(pasted),
        };
        let task = tokio::spawn(async move { provider.authenticate(&person).await });
        let url = shown.recv().await.unwrap();
        let query = url.split_once('?').unwrap().1;
        let request = form_urlencoded::parse(query.as_bytes()).into_owned();
        Self {
            request: request.collect(),
            paste,
            ignored,
            task,
        }
    }

    /// Requests a target at the redirect URI's host, and returns the status.
    async fn browse(redirect_uri: &str, target: &str) -> u16 {
        let authority = redirect_uri.split('/').nth(2).unwrap();
        let port = authority.rsplit_once(':').unwrap().1;
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await;
        let mut stream = stream.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        String::from_utf8_lossy(&head[9..]).parse().unwrap()
    }
}

/// As OpenRouter: no client, JSON, other names, no `state` in the response, an API key.
#[derive(Debug)]
struct Keys;

impl ProviderSpec for Keys {
    fn config(&self) -> OAuthConfig {
        let mut config = super::config("keys");
        config.endpoints.authorization = Some(SecureUrl::known("https://vendor.example/auth"));
        config.body = BodyFormat::Json;
        let mut flow = CodeFlow::new("/keys/callback");
        flow.secret_path = true;
        config.flows = vec![Flow::Code(flow)];
        let rules = config.rules(Operation::Authorization);
        rules.omit.push("response_type".into());
        let renamed = ("redirect_uri".into(), "callback_url".into());
        rules.rename.insert(renamed.0, renamed.1);
        let rules = config.rules(Operation::Exchange);
        rules.omit = vec!["grant_type".into(), "redirect_uri".into()];
        let method = ("code_challenge_method".into(), "S256".into());
        rules.add.insert(method.0, method.1);
        config
    }

    fn error_response(
        &self,
        call: &Call<'_>,
        response: &Response,
        fields: &JsonObject,
    ) -> Option<ErrorResponse> {
        let error = call.error_response(fields)?;
        Some(match response.status() {
            403 => error.meaning("invalid_grant"),
            _ => error,
        })
    }

    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        TokenResponse::read_api_key(&call.read(response)?, "key", None)
    }
}

/// As Glewlwyd: no request without a nonce.
#[derive(Debug)]
struct Nonces;

impl ProviderSpec for Nonces {
    fn config(&self) -> OAuthConfig {
        let mut config = super::config("nonces");
        config.endpoints.authorization = Some(SecureUrl::known("https://vendor.example/auth"));
        let mut flow = CodeFlow::new("/nonces/callback");
        flow.sends_nonce = true;
        config.flows = vec![Flow::Code(flow)];
        config
    }
}

#[tokio::test]
async fn a_request_has_a_nonce_of_its_own_if_the_server_wants_one() {
    let script = Script::start(&[]).await;
    let one = SignIn::begin(Nonces, &script.base).await;
    let other = SignIn::begin(Nonces, &script.base).await;
    assert_eq!(one.request["nonce"].len(), 43);
    assert_ne!(one.request["nonce"], one.request["state"]);
    assert_ne!(one.request["nonce"], other.request["nonce"]);
    one.task.abort();
    other.task.abort();
}

#[tokio::test]
async fn a_code_is_exchanged_for_a_key_that_never_expires() {
    let script = Script::start(&[(200, r#"{"key":"sk-made-up","user_id":null}"#)]).await;
    let sign_in = SignIn::begin(Keys, &script.base).await;
    let names: Vec<_> = sign_in.request.keys().map(String::as_str).collect();
    let expected = [
        "callback_url",
        "code_challenge",
        "code_challenge_method",
        "state",
    ];
    assert_eq!(names, expected);
    let callback = &sign_in.request["callback_url"];
    let path = callback.splitn(4, '/').nth(3).unwrap();
    let secret = path.strip_prefix("keys/callback/").unwrap();
    assert_eq!(secret.len(), 43);
    assert_ne!(secret, sign_in.request["state"]);
    // A program that does not know the secret brings no code.
    let guessed = SignIn::browse(callback, "/keys/callback?code=made-up-code").await;
    assert_eq!(guessed, 404);
    let target = format!("/{path}?code=made-up-code");
    assert_eq!(SignIn::browse(callback, &target).await, 200);
    let session = sign_in.task.await.unwrap().unwrap();
    assert_eq!(session.access.expose(), "sk-made-up");
    assert_eq!((session.expires_at, session.refresh), (None, None));
    assert!(session.metadata.provider_data.is_empty());
    let mut sent = script.sent()[0].json();
    let verifier = sent["code_verifier"].take();
    assert_eq!(verifier.as_str().unwrap().len(), 43);
    let expected = json!({
        "code": "made-up-code", "code_challenge_method": "S256", "code_verifier": null,
    });
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_code_that_the_provider_does_not_know_is_expired_by_its_own_words() {
    let body = r#"{"error":{"code":403,"message":"made-up reason"}}"#;
    let script = Script::start(&[(403, body)]).await;
    let sign_in = SignIn::begin(Keys, &script.base).await;
    let callback = &sign_in.request["callback_url"];
    let path = callback.splitn(4, '/').nth(3).unwrap();
    SignIn::browse(callback, &format!("/{path}?code=made-up-code")).await;
    let error = sign_in.task.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    assert!(error.to_string().contains("made-up reason"), "{error}");
}

/// As "Sign in with ChatGPT": the server issues the client during the sign-in. The port is
/// registered, and the host is `localhost`.
#[derive(Debug)]
struct Issuing {
    port: u16,
}

impl ProviderSpec for Issuing {
    fn config(&self) -> OAuthConfig {
        let mut config = super::config("issuing");
        let endpoints = &mut config.endpoints;
        endpoints.authorization = Some(SecureUrl::known("https://vendor.example/auth"));
        endpoints.userinfo = Some(SecureUrl::known("https://vendor.example/userinfo"));
        config.client = Client::known("dynamic");
        config.scope = "openid email".into();
        config.identity_scopes = vec!["email".into()];
        let mut flow = CodeFlow::new("/auth/callback");
        flow.redirect.host = LoopbackHost::Localhost;
        flow.redirect.ports = vec![self.port];
        config.flows = vec![Flow::Code(flow)];
        config
    }

    fn callback(&self, parameters: &BTreeMap<String, Secret>) -> Result<CallbackOutcome> {
        let issued = parameters
            .get("client_id")
            .ok_or_else(|| Error::new(ErrorKind::Protocol, "no client id was issued"))?;
        let mut outcome = CallbackOutcome::default();
        outcome.client = Some(ClientCredentials::new(issued.expose(), None));
        let data = &mut outcome.session_data;
        data.insert("host_id".into(), "made-up-host".into());
        Ok(outcome)
    }
}

/// A port that is free now.
async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_client_that_is_issued_in_the_callback_redeems_the_code_and_stays_with_the_session() {
    let script = Script::start(&[
        (
            200,
            r#"{"access_token":"made-up","refresh_token":"made-up"}"#,
        ),
        (200, r#"{"email":"user@example.com","email_verified":true}"#),
    ])
    .await;
    let port = free_port().await;
    let sign_in = SignIn::begin(Issuing { port }, &script.base).await;
    assert_eq!(sign_in.request["client_id"], "dynamic");
    let uri = &sign_in.request["redirect_uri"];
    assert_eq!(*uri, format!("http://localhost:{port}/auth/callback"));
    let state = &sign_in.request["state"];
    let target = format!("/auth/callback?code=made-up&state={state}&client_id=issued-1");
    // The redirect URI names localhost, so a request with another Host is none of it.
    let elsewhere = format!("http://127.0.0.1:{port}/auth/callback");
    assert_eq!(SignIn::browse(&elsewhere, &target).await, 421);
    assert_eq!(SignIn::browse(uri, &target).await, 200);
    let session = sign_in.task.await.unwrap().unwrap();
    let data = &session.metadata.provider_data;
    assert_eq!(data["client_id"], "issued-1");
    assert_eq!(data["host_id"], "made-up-host");
    let identity = session.metadata.identity.as_deref();
    assert_eq!(identity, Some("user@example.com"));
    let sent = script.sent();
    assert_eq!(sent[0].parameter("client_id"), Some("issued-1"));
    assert_eq!(sent[1].target, "/userinfo");
}

#[tokio::test]
async fn a_callback_that_lacks_what_the_provider_needs_redeems_nothing() {
    let script = Script::start(&[]).await;
    let port = free_port().await;
    let sign_in = SignIn::begin(Issuing { port }, &script.base).await;
    let state = &sign_in.request["state"];
    let target = format!("/auth/callback?code=made-up&state={state}");
    SignIn::browse(&sign_in.request["redirect_uri"], &target).await;
    let error = sign_in.task.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("no client id was issued"));
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn a_pasted_code_without_what_the_provider_needs_leaves_it_to_the_browser() {
    let body = r#"{"access_token":"made-up","scope":"openid"}"#;
    let script = Script::start(&[(200, body)]).await;
    let port = free_port().await;
    let mut sign_in = SignIn::begin(Issuing { port }, &script.base).await;
    let state = &sign_in.request["state"];
    let code = "made-up-code-of-the-browser";
    // More often than wrong codes are tried: none of these reaches the server.
    for text in [code, code, &format!("?code={code}&state={state}"), code] {
        sign_in.paste.send(text.to_owned()).unwrap();
        let why = sign_in.ignored.recv().await.unwrap();
        assert!(why.contains("the other parameters"), "{why}");
    }
    assert!(script.sent().is_empty());
    let target = format!("/auth/callback?code={code}&state={state}&client_id=issued-1");
    let uri = &sign_in.request["redirect_uri"];
    assert_eq!(SignIn::browse(uri, &target).await, 200);
    let session = sign_in.task.await.unwrap().unwrap();
    assert_eq!(session.metadata.provider_data["client_id"], "issued-1");
    assert_eq!(script.sent()[0].parameter("code"), Some(code));
}

#[tokio::test]
async fn a_registered_port_that_another_program_uses_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let provider = Issuing { port }.provider();
    let error = provider.authenticate(&llm_auth_core::Silent).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Callback);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn a_rule_that_weakens_the_code_flow_opens_nothing() {
    let omit = |operation, name: &str| {
        let mut config = Issuing { port: 8020 }.config();
        config.rules(operation).omit.push(name.into());
        config
    };
    let mut plain = Issuing { port: 8020 }.config();
    let rules = plain.rules(Operation::Authorization);
    let method = ("code_challenge_method".into(), "plain".into());
    rules.add.insert(method.0, method.1);
    for config in [
        omit(Operation::Authorization, "state"),
        omit(Operation::Authorization, "code_challenge"),
        omit(Operation::Exchange, "code_verifier"),
        plain,
    ] {
        let error = config.provider().authenticate(&llm_auth_core::Silent).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("protects the sign-in"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_registered_port_that_browsers_block_is_an_error() {
    for port in [0, 80, 6000] {
        let provider = Issuing { port }.provider();
        let error = provider.authenticate(&llm_auth_core::Silent).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Config, "{port}");
    }
}
