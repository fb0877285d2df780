//! Qwen's endpoints, client and headers, as qwen-code 0.24.4 uses them.

use llm_auth_core::SecureUrl;
use llm_auth_core::provider::{Client, DeviceFlow, Flow, OAuthConfig};

pub(crate) fn qwen() -> OAuthConfig {
    let token = SecureUrl::known("https://chat.qwen.ai/api/v1/oauth2/token");
    let mut config = OAuthConfig::new("qwen", token);
    config.title = "Qwen".into();
    config.endpoints.device_authorization = Some(SecureUrl::known(
        "https://chat.qwen.ai/api/v1/oauth2/device/code",
    ));
    config.endpoints.api_base = Some(SecureUrl::known(
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
    ));
    config.access_check = Some("models".into());
    // CLIProxyAPI, hermes-agent and gochat agree on it.
    config.client = Client::known("f0304373b74a44d2b584a3fb70ca9e56");
    config.scope = "openid profile email model.completion".into();
    // qwen-code's own pace, 2 s with a reset after each `slow_down`, is not copied: RFC 8628 wants
    // the longer wait kept.
    let mut flow = DeviceFlow::default();
    flow.pkce = true;
    flow.request_id = true;
    config.flows = vec![Flow::Device(flow)];
    // The first declares the bearer token as an OAuth token, the second enables prompt caching.
    config.api_headers = [
        ("X-DashScope-AuthType", "qwen-oauth"),
        ("X-DashScope-CacheControl", "enable"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    config
}
