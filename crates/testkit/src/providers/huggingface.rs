//! Hugging Face: a server of the RFCs at its paths, with its scopes.

use serde_json::json;

use super::standard::StandardProvider;
use crate::oauth::TokenFormat;
use crate::provider::Provider;

const CLIENT: &str = "testkit-huggingface-app";

pub(super) fn huggingface() -> StandardProvider {
    StandardProvider::new(CLIENT)
        .device_authorization_path("/oauth/device")
        .verification_path("/device")
        .authorization_path("/oauth/authorize")
        .token_path("/oauth/token")
        .user_info_path("/oauth/userinfo")
        .revocation_path("/huggingface-has-no-revocation")
        .chat_path("/v1/chat/completions")
        .api_path("")
        .localhost_redirects()
        .scopes(["openid", "profile", "email", "inference-api"])
        .user(json!({
            "sub": "testkit-user",
            "name": "Testkit Person",
            "preferred_username": "testkit-person",
            "email": "person@testkit.example",
            "email_verified": true,
        }))
        .named(
            Provider::HuggingFace,
            "Sign in to the simulated Hugging Face",
            TokenFormat {
                access: "hf_oauth_testkit-",
                refresh: "hf_refresh_testkit-",
            },
        )
        .variables(
            "LLM_AUTH_HUGGINGFACE_BASE_URL",
            "LLM_AUTH_HUGGINGFACE_CLIENT_ID",
        )
}
