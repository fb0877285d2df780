#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;

use crate::provider::{Client, CodeFlow, DeviceFlow, Flow, OAuthConfig};

/// Signs in at Hugging Face with the device flow, or in the browser with
/// [`flow(FlowKind::Code)`](OAuthProviderBuilder::flow), and refreshes sessions.
///
/// [`new`](OAuthProvider::new) has no client: it is enough for a stored session, which records the
/// client that it was made with.
pub type HuggingFaceProvider = OAuthProvider<HuggingFace>;

/// Hugging Face, which differs from the RFCs in nothing, and the user's own OAuth app.
///
/// # Examples
///
/// ```
/// use llm_auth_huggingface::{AuthManager, FileTokenStore, HuggingFace, ProviderSpec as _};
///
/// let provider = HuggingFace::with_client("made-up-client-id").provider();
/// let manager = AuthManager::builder(provider)
///     .store(FileTokenStore::file("huggingface.json"))
///     .build();
/// assert_eq!(manager.key().provider(), "huggingface");
/// ```
#[derive(Clone, Debug, Default)]
pub struct HuggingFace {
    client_id: Option<String>,
}

impl HuggingFace {
    /// With the id of a public OAuth app, which has no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_huggingface::{FlowKind, HuggingFace, ProviderSpec as _};
    ///
    /// // In the browser instead of by a device code.
    /// let app = HuggingFace::with_client("made-up-client-id");
    /// let provider = app.builder().flow(FlowKind::Code).build();
    /// ```
    #[must_use]
    pub fn with_client(id: impl Into<String>) -> Self {
        Self {
            client_id: Some(id.into()),
        }
    }
}

impl ProviderSpec for HuggingFace {
    fn config(&self) -> OAuthConfig {
        let known = |path| SecureUrl::known(&format!("https://huggingface.co/oauth/{path}"));
        let mut config = OAuthConfig::new("huggingface", known("token"));
        config.title = "Hugging Face".into();
        config.endpoints.authorization = Some(known("authorize"));
        config.endpoints.device_authorization = Some(known("device"));
        config.endpoints.userinfo = Some(known("userinfo"));
        config.endpoints.api_base = Some(SecureUrl::known("https://router.huggingface.co/v1"));
        config.client = match &self.client_id {
            Some(id) => Client::known(id),
            None => Client::Required(
                "signing in to Hugging Face requires the client id of your own public OAuth app"
                    .into(),
            ),
        };
        config.scope = "openid inference-api".into();
        config.identity_scopes = vec!["email".into()];
        // The device flow first: only its sessions were seen to have a refresh token.
        config.flows = vec![
            Flow::Device(DeviceFlow::default()),
            Flow::Code(CodeFlow::new("/huggingface/callback")),
        ];
        config
    }
}
