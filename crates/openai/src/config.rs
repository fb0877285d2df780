//! What is known of OpenAI's servers, as data.

use llm_auth_core::SecureUrl;
use llm_auth_core::provider::{Client, CodeFlow, Flow, IdTokenRules, OAuthConfig, Operation};

/// The client that a first sign-in names, to be issued one of its own.
///
/// # Examples
///
/// ```
/// assert_eq!(llm_auth_openai::FIRST_CLIENT, "dynamic_agent_client");
/// ```
pub const FIRST_CLIENT: &str = "dynamic_agent_client";

pub(crate) const NO_NAME: &str = "signing in with ChatGPT requires the name of your own program: \
                                  use `OpenAi::new`";

const ISSUER: &str = "https://auth.openai.com";

/// The API that the access token is for (RFC 8707).
const RESOURCE: &str = "https://api.openai.com/v1";

/// The scope that lets the program use the user's ChatGPT plan.
const PLAN_SCOPE: &str = "chatgpt.tokens.use.direct";

/// What the terms of 2026-09-29 say about the use of the tokens, in section 2.
const NO_HAND_OUT: &str = "OpenAI's terms of \"Sign in with ChatGPT\" (section 2) allow the user's \
                           plan only for the application that the user connected, not as an API for \
                           other tools";

/// The same, section 1.
const LOCAL_ONLY: &str = "OpenAI's terms of \"Sign in with ChatGPT\", section 1: tokens stay local \
                          and under the user's control";

/// The codes of a refresh token that is no good any more, besides `invalid_grant`.
const TERMINAL: [&str; 5] = [
    "invalid_refresh_token",
    "token_expired",
    "refresh_token_expired",
    "refresh_token_invalidated",
    "refresh_token_reused",
];

pub(crate) fn config() -> OAuthConfig {
    let known = |path: &str| SecureUrl::known(&format!("{ISSUER}/{path}"));
    let mut config = OAuthConfig::new("openai", known("api/accounts/oauth/token"));
    config.title = "ChatGPT".into();
    let endpoints = &mut config.endpoints;
    endpoints.authorization = Some(known("api/accounts/authorize"));
    endpoints.revocation = Some(known("api/accounts/oauth/revoke"));
    endpoints.discovery = Some(known(".well-known/openid-configuration"));
    endpoints.api_base = Some(SecureUrl::known(RESOURCE));
    config.access_check = Some("models".into());
    // A sign-in has the client of its registration.
    config.client = Client::Required(NO_NAME.into());
    config.scope = format!("openid profile email offline_access resource.invoke {PLAN_SCOPE}");
    config.required_scope = Some(PLAN_SCOPE.into());
    config.id_token = Some(IdTokenRules::new(ISSUER));
    config.flows = vec![Flow::Code(CodeFlow::new("/auth/callback"))];
    for operation in [
        Operation::Authorization,
        Operation::Exchange,
        Operation::Refresh,
    ] {
        let rules = config.rules(operation);
        rules.add.insert("resource".into(), RESOURCE.into());
    }
    for code in TERMINAL {
        let codes = &mut config.error_codes;
        codes.insert(code.into(), "invalid_grant".into());
    }
    config.no_hand_out = Some(NO_HAND_OUT.into());
    config.local_only = Some(LOCAL_ONLY.into());
    config
}
