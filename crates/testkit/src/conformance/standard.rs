//! The standard server, set up from a provider's configuration.

use llm_auth_core::provider::{
    BodyFormat, Client, CodeFlow, DeviceFlow, LoopbackHost, OAuthConfig, Operation,
};
use llm_auth_core::{EndpointRole, FlowKind};
use serde_json::json;

use crate::providers::StandardProvider;

/// The server for one flow of a configuration whose client is known.
///
/// `Err` is a rule of the configuration that the standard server does not have.
pub(super) fn standard(
    config: &OAuthConfig,
    flow: FlowKind,
    first_client: Option<&str>,
) -> Result<StandardProvider, String> {
    if let Some(what) = unknown_rule(config, flow) {
        return Err(format!(
            "{what}, which the standard server does not have: simulate this provider in the testkit"
        ));
    }
    let client = config.client.credentials();
    let mut provider = match (client, first_client) {
        (_, Some(first)) => StandardProvider::new(first).issues_clients("testkit-issued-"),
        (Some(client), None) => StandardProvider::new(&client.id),
        (None, None) => {
            return Err("the standard server knows no request without a client".into());
        }
    };
    if let Some(secret) = client.and_then(|client| client.secret.as_ref()) {
        provider = provider.client_secret(secret.expose());
    }
    for (role, url) in config.endpoints.iter() {
        let path = path(url.as_str());
        provider = match role {
            EndpointRole::Authorization => provider.authorization_path(path),
            EndpointRole::DeviceAuthorization => provider.device_authorization_path(path),
            EndpointRole::Token => provider.token_path(path),
            EndpointRole::Revocation => provider.revocation_path(path),
            EndpointRole::Userinfo => provider.user_info_path(path),
            EndpointRole::Discovery => provider.discovery_path(path),
            _ => provider,
        };
    }
    let start = match flow {
        FlowKind::Code => Operation::Authorization,
        _ => Operation::DeviceAuthorization,
    };
    for (name, value) in config.requests.get(&start).iter().flat_map(|r| &r.add) {
        provider = provider.parameter(name, value);
    }
    if let Some(code) = config.code_flow() {
        provider = redirects(provider, code);
    }
    if let Some(rules) = &config.id_token {
        provider = provider.id_tokens(rules.issuer.as_deref().unwrap_or_default());
    }
    Ok(provider
        .scopes(config.scope.split_whitespace())
        .user(json!({
            "sub": "testkit-user",
            "name": "Testkit Person",
            "preferred_username": "testkit-person",
            "email": "person@testkit.example",
            "email_verified": true,
        })))
}

/// The registered redirect URIs.
fn redirects(mut provider: StandardProvider, flow: &CodeFlow) -> StandardProvider {
    let redirect = &flow.redirect;
    if redirect.host == LoopbackHost::Localhost {
        for port in &redirect.ports {
            provider = provider.redirect_uri(format!("http://localhost:{port}{}", redirect.path));
        }
        if redirect.ports.is_empty() || flow.secret_path {
            provider = provider.localhost_redirects();
        }
    }
    provider
}

fn unknown_rule(config: &OAuthConfig, flow: FlowKind) -> Option<String> {
    let used = match flow {
        FlowKind::Code => [Operation::Authorization, Operation::Exchange],
        _ => [Operation::DeviceAuthorization, Operation::Poll],
    };
    let after = [Operation::Refresh, Operation::Revocation];
    for operation in used.into_iter().chain(after) {
        let rules = config.requests.get(&operation);
        if rules.is_some_and(|rules| !rules.rename.is_empty() || !rules.omit.is_empty()) {
            return Some(format!(
                "{operation:?} requests omit or rename parameters of the standard"
            ));
        }
    }
    if config.body != BodyFormat::default() {
        return Some(format!("requests are {:?}", config.body));
    }
    if matches!(config.client, Client::None) {
        return Some("requests name no client".into());
    }
    let device = config.device_flow().filter(|_| flow == FlowKind::Device)?;
    if device.echoes_state {
        return Some("a device flow has a state".into());
    }
    (device.grant_type != DeviceFlow::default().grant_type)
        .then(|| format!("polls have the grant type {}", device.grant_type))
}

/// The path of an absolute URL.
fn path(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split('?').next().unwrap_or_default().to_owned()
}
