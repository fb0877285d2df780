#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;

use crate::provider::{
    Call, Client, CodeFlow, Flow, LoopbackHost, OAuthConfig, Response, TokenResponse,
};

/// Signs in at Poe in the browser. Its sessions are API keys: they are never refreshed.
///
/// [`new`](OAuthProvider::new) has no client: it is enough for a stored session.
pub type PoeProvider = OAuthProvider<Poe>;

/// Poe, which gives a key for a code, and the user's own client.
///
/// # Examples
///
/// ```
/// use llm_auth_poe::{AuthManager, FileTokenStore, Poe, ProviderSpec as _};
///
/// let provider = Poe::with_client("made-up-client-id").provider();
/// let manager = AuthManager::builder(provider)
///     .store(FileTokenStore::file("poe.json"))
///     .build();
/// assert_eq!(manager.key().provider(), "poe");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Poe {
    client_id: Option<String>,
}

impl Poe {
    /// With the id of a client of your own. Poe's clients have no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_poe::{Poe, ProviderSpec as _};
    ///
    /// let provider = Poe::with_client("made-up-client-id").provider();
    /// ```
    #[must_use]
    pub fn with_client(id: impl Into<String>) -> Self {
        Self {
            client_id: Some(id.into()),
        }
    }
}

impl ProviderSpec for Poe {
    fn config(&self) -> OAuthConfig {
        let token = SecureUrl::known("https://api.poe.com/token");
        let mut config = OAuthConfig::new("poe", token);
        config.title = "Poe".into();
        let endpoints = &mut config.endpoints;
        endpoints.authorization = Some(SecureUrl::known("https://poe.com/oauth/authorize"));
        endpoints.api_base = Some(SecureUrl::known("https://api.poe.com/v1"));
        config.access_check = Some("/usage/current_balance".into());
        config.client = match &self.client_id {
            Some(id) => Client::known(id),
            None => Client::Required(
                "signing in to Poe requires the id of your own client: create one at \
                 https://poe.com/api/clients"
                    .into(),
            ),
        };
        config.scope = "apikey:create".into();
        let mut flow = CodeFlow::new("/poe/callback");
        // Such addresses need no registration.
        flow.redirect.host = LoopbackHost::Localhost;
        config.flows = vec![Flow::Code(flow)];
        config
    }

    /// A key without a lifetime does not expire.
    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        let fields = call.read(response)?;
        let expires_in = fields.seconds("api_key_expires_in")?;
        TokenResponse::read_api_key(&fields, "api_key", expires_in)
    }
}
