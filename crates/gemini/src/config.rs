//! Google's endpoints (as google-auth-library 11.3.4 and gemini-cli-core 0.61.0 use them), the
//! scopes and the redirect.

use llm_auth_core::SecureUrl;
use llm_auth_core::provider::{Client, CodeFlow, Flow, OAuthConfig, Operation};

/// The scope of the Gemini API's own OAuth guide (ai.google.dev/gemini-api/docs/oauth).
pub const SCOPE_RETRIEVER: &str = "https://www.googleapis.com/auth/generative-language.retriever";

/// The second scope of the same guide.
pub const SCOPE_CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Lets a sign-in record the e-mail address of the account; not requested by default.
pub const SCOPE_EMAIL: &str = "https://www.googleapis.com/auth/userinfo.email";

/// The name under which a session records the project that is billed.
pub(crate) const QUOTA_PROJECT: &str = "quota_project";

pub(crate) fn google() -> OAuthConfig {
    let token = SecureUrl::known("https://oauth2.googleapis.com/token");
    let mut config = OAuthConfig::new("gemini", token);
    config.title = "Gemini".into();
    let endpoints = &mut config.endpoints;
    let known = |url| Some(SecureUrl::known(url));
    endpoints.authorization = known("https://accounts.google.com/o/oauth2/v2/auth");
    endpoints.revocation = known("https://oauth2.googleapis.com/revoke");
    endpoints.userinfo = known("https://www.googleapis.com/oauth2/v2/userinfo");
    endpoints.api_base = known("https://generativelanguage.googleapis.com");
    config.access_check = Some("/v1beta/models?pageSize=1".into());
    config.client = Client::Required(
        "signing in to Gemini requires your own OAuth client of type \"Desktop app\"".into(),
    );
    config.scope = format!("{SCOPE_CLOUD_PLATFORM} {SCOPE_RETRIEVER}");
    config.identity_scopes = vec![SCOPE_EMAIL.into(), "email".into()];
    let mut flow = CodeFlow::new("/oauth2callback");
    flow.issuer = Some("https://accounts.google.com".into());
    config.flows = vec![Flow::Code(flow)];
    // Without these two, Google issues a refresh token only at the first consent.
    let rules = config.rules(Operation::Authorization);
    rules.add.insert("access_type".into(), "offline".into());
    rules.add.insert("prompt".into(), "consent".into());
    // Google's revocation takes the token alone (developers.google.com/identity/protocols/oauth2).
    let rules = config.rules(Operation::Revocation);
    rules.omit = ["client_id", "client_secret", "token_type_hint"]
        .map(Into::into)
        .into();
    // developers.google.com/identity/protocols/oauth2#expiration
    config.rotates_refresh_tokens = false;
    config
}
