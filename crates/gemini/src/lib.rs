#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client_file;
mod config;
mod responses;

pub use client_file::OAuthClient;
pub use config::{SCOPE_CLOUD_PLATFORM, SCOPE_EMAIL, SCOPE_RETRIEVER};
// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;

use llm_auth_core::provider::{
    Call, Client, ErrorResponse, JsonObject, OAuthConfig, Response, TokenResponse,
};

use crate::client_file::is_plain;
use crate::config::QUOTA_PROJECT;

/// Signs in to Google with the user's own OAuth client: authorization code, loopback redirect, PKCE,
/// `state` and `iss`.
///
/// A session records the client that it was made with, because its refresh token works with no other
/// (openclaw/openclaw PR 5027): a refresh needs no client, so [`new`](OAuthProvider::new) is enough
/// for it.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use llm_auth_gemini::{AuthManager, FileTokenStore, Gemini, OAuthClient, ProviderSpec as _, Silent};
///
/// let client = OAuthClient::from_json(&std::fs::read("client_secret.json")?)?;
/// let manager = AuthManager::builder(Gemini::with_client(client).provider())
///     .store(FileTokenStore::file("gemini.json"))
///     .build();
/// manager.login(&Silent).await?;
/// # Ok(())
/// # }
/// ```
pub type GeminiProvider = OAuthProvider<Gemini>;

/// What differs from the RFCs at Google, and the user's own OAuth client.
///
/// The headers of [`AuthProvider::api`] are the quota project, `x-goog-user-project`, if one is
/// known: the Gemini API requires it besides the bearer token (ai.google.dev/gemini-api/docs/oauth).
///
/// The user's identity is the e-mail address, if [`SCOPE_EMAIL`] was granted and Google has verified
/// the address.
///
/// # Examples
///
/// ```
/// use llm_auth_gemini::{Gemini, OAuthClient, ProviderSpec as _};
///
/// let client = OAuthClient::new("made-up.apps.googleusercontent.com", Some("made-up".into()));
/// let provider = Gemini::with_client(client).quota_project("my-project").provider();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gemini {
    client: Option<OAuthClient>,
    quota_project: Option<String>,
}

impl Gemini {
    /// With this OAuth client for new sign-ins.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_gemini::{Gemini, OAuthClient, ProviderSpec as _};
    ///
    /// let client = OAuthClient::new("made-up.apps.googleusercontent.com", Some("made-up".into()));
    /// let provider = Gemini::with_client(client).builder().login_hint("user@example.com").build();
    /// ```
    #[must_use]
    pub fn with_client(client: OAuthClient) -> Self {
        Self {
            client: Some(client),
            quota_project: None,
        }
    }

    /// Sets the project that is billed and limited; that of the client file by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_gemini::{AuthProvider as _, Gemini, OAuthToken, ProviderSpec as _};
    ///
    /// let provider = Gemini::default().quota_project("my-project").provider();
    /// let api = provider.api(&OAuthToken::new("made-up".into(), None))?;
    /// assert_eq!(api.headers, [("x-goog-user-project".into(), "my-project".into())]);
    /// # Ok::<(), llm_auth_gemini::Error>(())
    /// ```
    #[must_use]
    pub fn quota_project(mut self, project: impl Into<String>) -> Self {
        self.quota_project = Some(project.into());
        self
    }
}

impl ProviderSpec for Gemini {
    fn config(&self) -> OAuthConfig {
        let mut config = config::google();
        if let Some(client) = &self.client {
            let secret = client.secret().cloned();
            config.client = Client::Known(ClientCredentials::new(client.id(), secret));
        }
        let of_client = || self.client.as_ref()?.project_id();
        if let Some(project) = self.quota_project.as_deref().or_else(of_client) {
            let data = &mut config.client_data;
            data.insert(QUOTA_PROJECT.into(), project.into());
        }
        config
    }

    fn error_response(
        &self,
        call: &Call<'_>,
        _response: &Response,
        fields: &JsonObject,
    ) -> Option<ErrorResponse> {
        responses::error(call, fields)
    }

    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        responses::token(call, response)
    }

    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the quota project, which may come from a file, is not a word of ASCII
    /// characters.
    fn api_headers(
        &self,
        session: &OAuthToken,
        _config: &OAuthConfig,
    ) -> Result<Vec<(String, String)>> {
        let recorded = session.metadata.provider_data.get(QUOTA_PROJECT);
        let project = self.quota_project.as_deref().or(recorded);
        match project.filter(|project| !project.is_empty()) {
            None => Ok(Vec::new()),
            Some(project) if is_plain(project) => {
                Ok(vec![("x-goog-user-project".into(), project.to_owned())])
            }
            Some(_) => Err(Error::new(
                ErrorKind::Config,
                match self.quota_project {
                    Some(_) => {
                        "the quota project is not a word of at most 256 ASCII characters: correct it"
                    }
                    None => {
                        "the stored quota project is not a word of at most 256 ASCII characters: \
                         set the quota project, or sign in again"
                    }
                },
            )),
        }
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        responses::classify_api_response(response)
    }
}
