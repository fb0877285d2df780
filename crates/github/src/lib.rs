#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;

use crate::provider::{
    Call, Client, DeviceFlow, Flow, OAuthConfig, Operation, Response, TokenResponse,
};

/// Signs in at GitHub with the device flow, and refreshes sessions of a GitHub App.
///
/// [`new`](OAuthProvider::new) has no client: it is enough for a stored session, which records the
/// client that it was made with.
pub type GitHubProvider = OAuthProvider<GitHub>;

/// GitHub with its own error codes, and the user's own GitHub App or OAuth App.
///
/// # Examples
///
/// ```
/// use llm_auth_github::{AuthManager, FileTokenStore, GitHub, ProviderSpec as _};
///
/// let provider = GitHub::with_client("made-up-client-id").provider();
/// let manager = AuthManager::builder(provider)
///     .store(FileTokenStore::file("github.json"))
///     .build();
/// assert_eq!(manager.key().provider(), "github");
/// ```
#[derive(Clone, Debug, Default)]
pub struct GitHub {
    client_id: Option<String>,
}

impl GitHub {
    /// With the client id of an app of your own. The device flow needs no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_github::{GitHub, ProviderSpec as _};
    ///
    /// // An OAuth App has scopes; a GitHub App has permissions, and ignores them.
    /// let provider = GitHub::with_client("made-up-client-id").builder().scope("read:user").build();
    /// ```
    #[must_use]
    pub fn with_client(id: impl Into<String>) -> Self {
        Self {
            client_id: Some(id.into()),
        }
    }
}

/// GitHub's error codes, and the RFCs' codes for them.
const ERROR_CODES: [(&str, &str); 7] = [
    ("bad_refresh_token", "invalid_grant"),
    ("bad_verification_code", "invalid_grant"),
    ("device_flow_disabled", "unauthorized_client"),
    ("incorrect_client_credentials", "invalid_client"),
    ("incorrect_device_code", "invalid_grant"),
    // A client id that no app has.
    ("not found", "invalid_client"),
    ("token_expired", "expired_token"),
];

impl ProviderSpec for GitHub {
    fn config(&self) -> OAuthConfig {
        let known = |path| SecureUrl::known(&format!("https://github.com/login/{path}"));
        let mut config = OAuthConfig::new("github", known("oauth/access_token"));
        config.title = "GitHub".into();
        config.endpoints.device_authorization = Some(known("device/code"));
        config.endpoints.api_base = Some(SecureUrl::known("https://api.github.com"));
        config.access_check = Some("user".into());
        config.client = match &self.client_id {
            Some(id) => Client::known(id),
            None => Client::Required(
                "signing in to GitHub requires the client id of your own GitHub App or OAuth App, \
                 with the device flow enabled"
                    .into(),
            ),
        };
        let codes = ERROR_CODES.map(|(code, meaning)| (code.to_owned(), meaning.to_owned()));
        config.error_codes = codes.into();
        config.flows = vec![Flow::Device(DeviceFlow::default())];
        config
    }

    /// A token with neither a lifetime nor a refresh token does not expire: those of an OAuth App,
    /// and of a GitHub App that has opted out.
    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        let mut granted = call.token(response)?;
        let is_new = call.operation != Operation::Refresh;
        if is_new && granted.refresh.is_none() && !response.json()?.has("expires_in") {
            granted.expires_in = None;
        }
        Ok(granted)
    }
}
