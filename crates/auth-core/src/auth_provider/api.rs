//! The API that an access token is for.

/// The API of one session: where to send its access token, and with which headers.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{AuthProvider as _, OAuthToken, ProviderSpec as _, SecureUrl};
/// use llm_auth_core::provider::OAuthConfig;
///
/// let server = SecureUrl::known("https://auth.example/token");
/// let mut config = OAuthConfig::new("example", server);
/// config.endpoints.api_base = Some(SecureUrl::known("https://api.example/v1/"));
/// let session = OAuthToken::new("made-up".into(), None);
/// let api = config.provider().api(&session)?;
/// assert_eq!(api.base.as_deref(), Some("https://api.example/v1"));
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Api {
    /// The base URL, without a slash at the end; `None` if there is none that may receive the
    /// access token.
    pub base: Option<String>,
    /// The headers that each call needs besides `Authorization`. None of them is secret.
    pub headers: Vec<(String, String)>,
    /// The host that the session names as its API, if the access token may not go there. It is not
    /// the base then.
    pub ignored: Option<String>,
}
