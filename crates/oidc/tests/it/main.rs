//! Any server against the table of responses, a strict simulated server, and scripted ones.
#![allow(clippy::unwrap_used, reason = "tests")]

mod discovery;

use llm_auth_oidc::provider::Endpoints;
use llm_auth_oidc::{ProviderSpec as _, SecureUrl, Server, ServerClient};
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
