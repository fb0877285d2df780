//! Google's endpoints and scopes, as data that a user can override as a whole.

use llm_auth_core::{Result, SecureUrl};

/// The scope of the Gemini API's own OAuth guide (ai.google.dev/gemini-api/docs/oauth).
pub const SCOPE_RETRIEVER: &str = "https://www.googleapis.com/auth/generative-language.retriever";

/// The second scope of the same guide.
pub const SCOPE_CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Allows [`userinfo`](crate::GeminiProvider::userinfo) to return the e-mail address; not requested
/// by default.
pub const SCOPE_EMAIL: &str = "https://www.googleapis.com/auth/userinfo.email";

/// Google's endpoints (as google-auth-library 11.3.4 and gemini-cli-core 0.61.0 use them),
/// the scope and the redirect path.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GeminiEndpoints {
    /// The authorization endpoint, which the browser opens.
    pub authorization: SecureUrl,
    /// The token endpoint: exchange and refresh.
    pub token: SecureUrl,
    /// The revocation endpoint.
    pub revocation: SecureUrl,
    /// The userinfo endpoint.
    pub userinfo: SecureUrl,
    /// The tokeninfo endpoint, which checks access tokens.
    pub tokeninfo: SecureUrl,
    /// The scopes, separated by spaces. [`SCOPE_CLOUD_PLATFORM`] and [`SCOPE_RETRIEVER`] by
    /// default.
    pub scope: String,
    /// The required `iss` of the redirect, if it has one (RFC 9207).
    pub issuer: Option<String>,
    /// The path of the redirect URI on this computer. No other vendor of this project uses the same
    /// (RFC 8252 section 8.10).
    pub redirect_path: String,
    /// The base URL of the API that the access token is for.
    pub api_base: String,
}

impl GeminiEndpoints {
    /// The same paths at another scheme, host and port.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if `base` is not `https` or loopback,
    /// or has a path.
    pub fn with_base(&self, base: &str) -> Result<Self> {
        Ok(Self {
            authorization: self.authorization.with_base(base)?,
            token: self.token.with_base(base)?,
            revocation: self.revocation.with_base(base)?,
            userinfo: self.userinfo.with_base(base)?,
            tokeninfo: self.tokeninfo.with_base(base)?,
            api_base: base.trim_end_matches('/').to_owned(),
            ..self.clone()
        })
    }
}

impl Default for GeminiEndpoints {
    fn default() -> Self {
        Self {
            authorization: SecureUrl::known("https://accounts.google.com/o/oauth2/v2/auth"),
            token: SecureUrl::known("https://oauth2.googleapis.com/token"),
            revocation: SecureUrl::known("https://oauth2.googleapis.com/revoke"),
            userinfo: SecureUrl::known("https://www.googleapis.com/oauth2/v2/userinfo"),
            tokeninfo: SecureUrl::known("https://oauth2.googleapis.com/tokeninfo"),
            scope: format!("{SCOPE_CLOUD_PLATFORM} {SCOPE_RETRIEVER}"),
            issuer: Some("https://accounts.google.com".into()),
            redirect_path: "/oauth2callback".into(),
            api_base: "https://generativelanguage.googleapis.com".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_moves_every_endpoint_and_keeps_the_paths() {
        let moved = GeminiEndpoints::default()
            .with_base("http://127.0.0.1:4000/")
            .unwrap();
        assert_eq!(
            [
                moved.authorization,
                moved.token,
                moved.revocation,
                moved.userinfo,
                moved.tokeninfo
            ]
            .map(|endpoint| endpoint.as_str().replace("http://127.0.0.1:4000", "")),
            [
                "/o/oauth2/v2/auth",
                "/token",
                "/revoke",
                "/oauth2/v2/userinfo",
                "/tokeninfo"
            ]
        );
        assert_eq!(moved.api_base, "http://127.0.0.1:4000");
    }
}
