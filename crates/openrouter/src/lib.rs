#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;

use crate::provider::{
    BodyFormat, Call, CodeFlow, ErrorResponse, Flow, JsonObject, OAuthConfig, Operation, Response,
    TokenResponse,
};

/// Signs in at OpenRouter in the browser. Its sessions are API keys: they are never refreshed.
///
/// # Examples
///
/// ```
/// use llm_auth_openrouter::{AuthProvider as _, OpenRouterProvider};
///
/// // No client is registered anywhere.
/// assert_eq!(OpenRouterProvider::new().name(), "openrouter");
/// ```
pub type OpenRouterProvider = OAuthProvider<OpenRouter>;

/// What OpenRouter is made of: no client, parameters with other names, and a key for a code.
///
/// # Examples
///
/// ```
/// use llm_auth_openrouter::{AuthManager, FileTokenStore, OpenRouter, ProviderSpec as _};
///
/// let provider = OpenRouter::default().key_label("My agent").provider();
/// let manager = AuthManager::builder(provider)
///     .store(FileTokenStore::file("openrouter.json"))
///     .build();
/// assert_eq!(manager.key().provider(), "openrouter");
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenRouter {
    label: Option<String>,
    shows_code: bool,
}

impl OpenRouter {
    /// The name of your program on the page, and of the key in the user's settings.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_openrouter::{OpenRouter, ProviderSpec as _};
    ///
    /// let provider = OpenRouter::default().key_label("My agent").provider();
    /// ```
    #[must_use]
    pub fn key_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Lets the page show the code instead of redirecting the browser, for a computer that the
    /// browser cannot reach. The user pastes the code
    /// ([`UserPrompt::pasted`]); it lives for 10 minutes.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_openrouter::{OpenRouter, ProviderSpec as _};
    ///
    /// // Over SSH, say.
    /// let provider = OpenRouter::default().shows_code().provider();
    /// ```
    #[must_use]
    pub fn shows_code(mut self) -> Self {
        self.shows_code = true;
        self
    }
}

impl ProviderSpec for OpenRouter {
    fn config(&self) -> OAuthConfig {
        let known = |path| SecureUrl::known(&format!("https://openrouter.ai/{path}"));
        let mut config = OAuthConfig::new("openrouter", known("api/v1/auth/keys"));
        config.title = "OpenRouter".into();
        config.endpoints.authorization = Some(known("auth"));
        config.endpoints.api_base = Some(known("api/v1"));
        config.access_check = Some("key".into());
        config.body = BodyFormat::Json;
        let mut flow = CodeFlow::new("/openrouter/callback");
        // `state` is optional there, and a denial comes back without it.
        flow.secret_path = true;
        config.flows = vec![Flow::Code(flow)];
        let rules = config.rules(Operation::Authorization);
        rules.omit.push("response_type".into());
        match self.shows_code {
            true => rules.omit.push("redirect_uri".into()),
            false => {
                let renamed = ("redirect_uri".into(), "callback_url".into());
                rules.rename.insert(renamed.0, renamed.1);
            }
        }
        if let Some(label) = &self.label {
            rules.add.insert("key_label".into(), label.clone());
        }
        let rules = config.rules(Operation::Exchange);
        rules.omit = vec!["grant_type".into(), "redirect_uri".into()];
        let method = ("code_challenge_method".into(), "S256".into());
        rules.add.insert(method.0, method.1);
        config
    }

    /// The status is the code, and it may stand in the body alone.
    fn error_response(
        &self,
        call: &Call<'_>,
        response: &Response,
        fields: &JsonObject,
    ) -> Option<ErrorResponse> {
        let error = call.error_response(fields)?;
        let status = match response.is_success() {
            true => error.code().parse().unwrap_or(200),
            false => response.status(),
        };
        Some(match status {
            // The code is spent, too old or another verifier's.
            403 => error.meaning("invalid_grant"),
            429 => error.meaning("too_many_requests"),
            408 | 500..=599 => error.meaning("temporarily_unavailable"),
            _ => error,
        })
    }

    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        TokenResponse::read_api_key(&call.read(response)?, "key", None)
    }
}
