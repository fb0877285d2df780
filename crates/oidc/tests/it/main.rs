//! Any server against the table of responses, a strict simulated server, and scripted ones.
#![allow(clippy::unwrap_used, reason = "tests")]

mod discovery;

use llm_auth_core::MemoryTokenStore;
use llm_auth_oidc::provider::Endpoints;
use llm_auth_oidc::{
    AuthManager, ErrorKind, OAuthToken, ProviderSpec as _, SecureUrl, Server, ServerClient,
};
use llm_auth_testkit::{Conformance, Failures};

/// A server with everything that a sign-in can use.
fn server() -> Server {
    let known = |path| SecureUrl::known(&format!("https://auth.example/{path}"));
    let mut endpoints = Endpoints::new(known("token"));
    endpoints.authorization = Some(known("authorize"));
    endpoints.device_authorization = Some(known("device"));
    endpoints.revocation = Some(known("revoke"));
    endpoints.userinfo = Some(known("userinfo"));
    endpoints.api_base = Some(SecureUrl::known("https://api.example/v1"));
    let mut server = Server::new("company", endpoints);
    server.issuer = Some("https://auth.example".into());
    server.client = Some(ServerClient::new("native-cli"));
    server.scope = "openid email".into();
    server
}

#[tokio::test]
async fn a_manager_hands_out_no_token_that_was_made_for_another_server() {
    let store = MemoryTokenStore::new();
    let manager = |server: Server| {
        let builder = AuthManager::builder(server.provider());
        builder.store(store.clone()).build()
    };
    let mut other = server();
    other.resource = Some("https://other.example".into());
    let (running, other) = (manager(server()), manager(other));
    // What a sign-in of another process has stored under the same name.
    let session = OAuthToken::new("made-up".into(), None);
    let session = other.provider().import_session(session).unwrap();
    other.insert_session(session).await.unwrap();
    assert_eq!(other.token().await.unwrap().access.expose(), "made-up");
    let error = running.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("made for other servers"),
        "{error}"
    );
    assert!(running.refresh().await.is_err());
    // It can be removed, or replaced.
    assert!(running.forget().await.unwrap());
}

#[tokio::test]
async fn a_sign_out_leaves_a_session_that_goes_to_another_server() {
    let store = MemoryTokenStore::new();
    let manager = |server: Server| {
        let builder = AuthManager::builder(server.provider());
        builder.store(store.clone()).build()
    };
    let mut other = server();
    let known = |path| SecureUrl::known(&format!("https://other.example/{path}"));
    other.endpoints.token = known("token");
    other.endpoints.revocation = Some(known("revoke"));
    let (waiting, other) = (manager(server()), manager(other));
    let session = OAuthToken::new("made-up".into(), None);
    let session = other.provider().import_session(session).unwrap();
    other.insert_session(session).await.unwrap();
    let error = waiting.logout().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(other.load().await.unwrap().is_some());
}

#[test]
fn a_server_that_describes_itself_again_keeps_what_its_preset_said() {
    let mut before = server();
    before.title = "Made-up".into();
    before.api_headers.insert("x-team".into(), "models".into());
    before
        .error_codes
        .insert("odd".into(), "invalid_grant".into());
    let prompt = ("prompt".to_owned(), "consent".to_owned());
    before.authorization_parameters.extend([prompt]);
    before.scope_in_refresh = true;
    before.access_check = Some("me".into());
    let mut described = server();
    described.take_over(&before);
    assert_eq!(described, before);
}

#[tokio::test]
async fn any_server_conforms() -> Result<(), Failures> {
    Conformance::of(server().builder())
        .wire_cases(0)
        .check()
        .await
}

#[tokio::test]
async fn a_server_with_every_setting_conforms() -> Result<(), Failures> {
    let mut server = server();
    server.resource = Some("https://api.example/".into());
    server.audience = Some("models".into());
    server.requires_issuer = true;
    server.scope_in_refresh = true;
    server.prefers_device = true;
    let parameters = &mut server.authorization_parameters;
    parameters.insert("prompt".into(), "consent".into());
    Conformance::of(server.builder())
        .wire_cases(0)
        .check()
        .await
}
