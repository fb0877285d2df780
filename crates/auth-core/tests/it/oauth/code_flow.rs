//! Code flows as living providers have them: a key for a code, a client that is issued during the
//! sign-in, a registered port.

use std::collections::BTreeMap;
use std::time::Duration;

use llm_auth_core::provider::{
    BodyFormat, Call, CallbackOutcome, Client, CodeFlow, ErrorResponse, Flow, IdTokenRules,
    JsonObject, LoopbackHost, OAuthConfig, Operation, Response, SignInStart, TokenResponse,
};
use llm_auth_core::{
    AuthProvider as _, ClientCredentials, EndpointRole, Error, ErrorKind, ProviderSpec, Result,
    Secret, SecureUrl,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::sign_in::SignIn;
use crate::support::script::Script;

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
        config.id_token = Some(IdTokenRules::claims(None));
        config.flows = vec![Flow::Code(CodeFlow::new("/nonces/callback"))];
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

/// A program that was registered before: the sign-in names the client that was issued then.
#[derive(Debug)]
struct Registered;

impl ProviderSpec for Registered {
    fn config(&self) -> OAuthConfig {
        let mut config = super::config("registered");
        config.endpoints.authorization = Some(SecureUrl::known("https://vendor.example/auth"));
        config.client = Client::Required("sign in to be registered".into());
        config.flows = vec![Flow::Code(CodeFlow::new("/registered/callback"))];
        config
    }

    fn start(&self) -> Result<SignInStart> {
        let mut start = SignInStart::default();
        start.client = Some(ClientCredentials::new("issued-before", None));
        start.parameters.insert("host".into(), "made-up".into());
        Ok(start)
    }
}

#[tokio::test]
async fn a_client_that_was_issued_to_an_earlier_sign_in_is_named_from_the_start() {
    let script = Script::start(&[(200, r#"{"access_token":"made-up"}"#)]).await;
    let sign_in = SignIn::begin(Registered, &script.base).await;
    assert_eq!(sign_in.request["client_id"], "issued-before");
    assert_eq!(sign_in.request["host"], "made-up");
    let target = format!(
        "/registered/callback?code=made-up&state={}",
        sign_in.request["state"]
    );
    let uri = &sign_in.request["redirect_uri"];
    assert_eq!(SignIn::browse(uri, &target).await, 200);
    let session = sign_in.task.await.unwrap().unwrap();
    assert_eq!(
        &session.metadata.provider_data["client_id"],
        "issued-before"
    );
    let sent = &script.sent()[0];
    assert_eq!(sent.parameter("client_id"), Some("issued-before"));
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
    assert_eq!(&data["client_id"], "issued-1");
    assert_eq!(&data["host_id"], "made-up-host");
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
        assert!(why.contains("no client id was issued"), "{why}");
    }
    assert!(script.sent().is_empty());
    let target = format!("/auth/callback?code={code}&state={state}&client_id=issued-1");
    let uri = &sign_in.request["redirect_uri"];
    assert_eq!(SignIn::browse(uri, &target).await, 200);
    let session = sign_in.task.await.unwrap().unwrap();
    assert_eq!(&session.metadata.provider_data["client_id"], "issued-1");
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
    let rename = |operation, name: &str, to: &str| {
        let mut config = Issuing { port: 8020 }.config();
        let rules = config.rules(operation);
        rules.rename.insert(name.into(), to.into());
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
        rename(Operation::Authorization, "scope", "state"),
        rename(Operation::Exchange, "redirect_uri", "code_verifier"),
    ] {
        let provider = config.provider();
        let error = provider.authenticate(&llm_auth_core::Silent);
        // A sign-in that has begun waits for the browser.
        let error = timeout(Duration::from_secs(10), error).await.unwrap();
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("protects the sign-in"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_flow_that_requires_an_issuer_names_it() {
    let mut config = Issuing { port: 8020 }.config();
    let Some(Flow::Code(flow)) = config.flows.first_mut() else {
        panic!("no code flow");
    };
    flow.requires_issuer = true;
    let error = config.provider().authenticate(&llm_auth_core::Silent).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("requires an issuer"), "{error}");
}

#[tokio::test]
async fn a_registered_port_that_browsers_block_is_an_error() {
    for port in [0, 80, 6000] {
        let provider = Issuing { port }.provider();
        let error = provider.authenticate(&llm_auth_core::Silent).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Config, "{port}");
    }
}

/// A code flow as the RFCs have it, with the e-mail address as the user's name.
fn standard() -> OAuthConfig {
    let mut config = super::config("standard");
    let endpoints = &mut config.endpoints;
    endpoints.authorization = Some(SecureUrl::known("https://vendor.example/auth"));
    endpoints.userinfo = Some(SecureUrl::known("https://vendor.example/userinfo"));
    config.client = Client::known("made-up-id");
    config.identity_scopes = vec!["email".into()];
    config.flows = vec![Flow::Code(CodeFlow::new("/cb"))];
    config
}

#[tokio::test]
async fn a_code_that_grants_less_than_every_call_needs_is_no_sign_in() {
    let body = r#"{"access_token":"made-up","scope":"b"}"#;
    let script = Script::start(&[(200, body)]).await;
    let mut config = standard();
    config.required_scope = Some("a".into());
    let sign_in = SignIn::begin(config, &script.base).await;
    let error = sign_in.redeem().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let said = error.to_string();
    assert!(said.contains("granted a scope without a"), "{said}");
}

#[tokio::test]
async fn a_userinfo_server_gets_the_access_token_only_if_it_is_trusted() {
    let token = r#"{"access_token":"made-up","scope":"email"}"#;
    let user = r#"{"email":"user@example.com","email_verified":true}"#;
    for (is_trusted, identity) in [(false, None), (true, Some("user@example.com"))] {
        let script = Script::start(&[(200, token)]).await;
        let elsewhere = Script::start(&[(200, user)]).await;
        let userinfo = SecureUrl::new(&format!("{}/userinfo", elsewhere.base)).unwrap();
        let mut builder = standard().builder().base_url(&script.base).unwrap();
        if is_trusted {
            builder = builder.trust_endpoint(elsewhere.base.parse().unwrap());
        }
        let builder = builder.endpoint(EndpointRole::Userinfo, userinfo);
        let sign_in = SignIn::at(builder.build()).await;
        let session = sign_in.redeem().await.unwrap();
        assert_eq!(session.metadata.identity.as_deref(), identity);
        assert_eq!(elsewhere.sent().len(), usize::from(is_trusted));
    }
}
