#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
mod responses;

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;

use llm_auth_core::provider::{Call, OAuthConfig, Poll, Response, TokenResponse};

/// Signs in at Qwen with the device authorization grant
/// ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)) and PKCE
/// ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)), and refreshes sessions.
///
/// Qwen has no revocation endpoint, so [`revoke`](AuthProvider::revoke) returns that it is not
/// supported.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_qwen::Error> {
/// use llm_auth_qwen::{HttpClient, QwenProvider};
///
/// let provider = QwenProvider::builder()
///     .base_url("http://127.0.0.1:4000")?
///     .http(HttpClient::builder().user_agent("my-agent/1.0").build()?)
///     .build();
/// assert_eq!(provider.config().endpoints.token.host(), "127.0.0.1:4000");
/// # Ok(())
/// # }
/// ```
pub type QwenProvider = OAuthProvider<Qwen>;

/// What differs from the RFCs at Qwen.
///
/// The API of a session is its `resource_url`, with `https://` before and `/v1` after it, if it is
/// at a host of Qwen's API, at the server that issued the session, or at one that is
/// [trusted](OAuthProviderBuilder::trust_endpoint). A server or a file cannot send the access token
/// to another host. A `User-Agent` of your own is needed for the API: Qwen's firewall blocks
/// requests without one.
///
/// # Examples
///
/// ```
/// use llm_auth_qwen::{ProviderSpec as _, Qwen};
///
/// assert_eq!(Qwen::default().config().name, "qwen");
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Qwen;

impl ProviderSpec for Qwen {
    fn config(&self) -> OAuthConfig {
        config::qwen()
    }

    fn poll(&self, call: &Call<'_>, response: &Response) -> Result<Poll> {
        responses::poll(call, response)
    }

    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        responses::token(call, response)
    }

    fn named_api(&self, session: &OAuthToken) -> Option<SecureUrl> {
        responses::named_api(session.resource_url.as_deref()?)
    }

    fn serves_api(&self, api: &SecureUrl, _config: &OAuthConfig) -> bool {
        responses::is_of_qwen(api)
    }

    fn api_base(&self, api: &SecureUrl) -> String {
        responses::with_version(api)
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        responses::classify_api_response(response)
    }
}
