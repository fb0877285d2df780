//! What a test configures.

use serde_json::{Value, json};

use crate::http::{Api, ApiStyle, Form};
use crate::oauth::IdTokens;
use crate::oauth::TokenFormat;
use crate::provider::Provider;

/// A provider that follows the RFCs, with the paths and rules that a test configures.
///
/// It has the device flow, the code flow with PKCE, refresh, revocation and userinfo, and an MCP
/// server. The paths go before those of the other providers. The client is public unless it has a secret; PKCE is
/// required in the code flow, and checked in the device flow if the client uses it.
///
/// ```
/// use llm_auth_testkit::{Approval, StandardProvider, Testkit};
///
/// # fn main() -> std::io::Result<()> {
/// let acme = StandardProvider::new("acme-cli")
///     .device_authorization_path("/oauth/device")
///     .token_path("/oauth/token")
///     .scopes(["openid", "inference"]);
/// let kit = Testkit::builder()
///     .approval(Approval::Auto)
///     .standard(acme)
///     .start_blocking()?;
/// assert_eq!(kit.standard().counters().logins_ok, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StandardProvider {
    pub(super) client_id: String,
    pub(super) client_secret: Option<String>,
    pub(super) device_authorization_path: String,
    pub(super) verification_path: String,
    pub(super) authorization_path: String,
    pub(super) token_path: String,
    pub(super) revocation_path: String,
    pub(super) user_info_path: String,
    pub(super) chat_path: String,
    pub(super) token_header: Option<String>,
    api_path: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) accepts_localhost: bool,
    pub(super) user: Value,
    scopes: Vec<String>,
    parameters: Vec<(String, String)>,
    pub(super) discovery_path: String,
    pub(super) keys_path: String,
    pub(super) mcp_path: String,
    pub(super) tool_scopes: Vec<(String, String)>,
    pub(super) takes_client_documents: bool,
    pub(super) registers_clients: bool,
    pub(super) id_tokens: Option<IdTokens>,
    issued_prefix: Option<String>,
    /// Who it is, if it is one of the other providers.
    pub(super) provider: Provider,
    pub(super) title: &'static str,
    pub(super) tokens: TokenFormat,
    /// The variables of the command for its base URL and its client.
    pub(super) variables: Option<(&'static str, &'static str)>,
}

impl Default for StandardProvider {
    /// The public client `testkit-client`.
    fn default() -> Self {
        Self::new("testkit-client")
    }
}

impl StandardProvider {
    /// A provider with a public client, and with paths under `/standard`.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        let path = |name: &str| format!("/standard/{name}");
        Self {
            client_id: client_id.into(),
            client_secret: None,
            device_authorization_path: path("device/code"),
            verification_path: path("device"),
            authorization_path: path("authorize"),
            token_path: path("token"),
            revocation_path: path("revoke"),
            user_info_path: path("userinfo"),
            chat_path: path("v1/chat/completions"),
            token_header: None,
            api_path: "/standard".to_owned(),
            redirect_uris: Vec::new(),
            accepts_localhost: false,
            user: json!({
                "sub": "testkit-user",
                "name": "Testkit Person",
                "email": "person@testkit.example",
            }),
            scopes: Vec::new(),
            parameters: Vec::new(),
            discovery_path: path(".well-known/openid-configuration"),
            keys_path: path("keys"),
            mcp_path: path("mcp"),
            tool_scopes: Vec::new(),
            takes_client_documents: false,
            registers_clients: false,
            id_tokens: None,
            issued_prefix: None,
            provider: Provider::Standard,
            title: "Sign in to the simulated provider",
            tokens: TokenFormat {
                access: "testkit-access-",
                refresh: "testkit-refresh-",
            },
            variables: None,
        }
    }

    /// The secret of the client, in the body or by `Basic`. Default: none.
    #[must_use]
    pub fn client_secret(mut self, secret: impl Into<String>) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// The path where a device flow starts. Default: `/standard/device/code`.
    #[must_use]
    pub fn device_authorization_path(mut self, path: impl Into<String>) -> Self {
        self.device_authorization_path = path.into();
        self
    }

    /// The path of the page where the user enters a code. Default: `/standard/device`.
    #[must_use]
    pub fn verification_path(mut self, path: impl Into<String>) -> Self {
        self.verification_path = path.into();
        self
    }

    /// The path where the code flow starts. Default: `/standard/authorize`.
    #[must_use]
    pub fn authorization_path(mut self, path: impl Into<String>) -> Self {
        self.authorization_path = path.into();
        self
    }

    /// The path of the token endpoint. Default: `/standard/token`.
    #[must_use]
    pub fn token_path(mut self, path: impl Into<String>) -> Self {
        self.token_path = path.into();
        self
    }

    /// The path of the revocation endpoint. Default: `/standard/revoke`.
    #[must_use]
    pub fn revocation_path(mut self, path: impl Into<String>) -> Self {
        self.revocation_path = path.into();
        self
    }

    /// The path of the userinfo endpoint. Default: `/standard/userinfo`.
    #[must_use]
    pub fn user_info_path(mut self, path: impl Into<String>) -> Self {
        self.user_info_path = path.into();
        self
    }

    /// The path below which the chat APIs are: `/v1/chat/completions` and `/v1/responses` of
    /// OpenAI, `/v1/messages` of Anthropic, `/v1beta/models/MODEL:generateContent` of Google.
    /// Default: `/standard`; empty for the root.
    #[must_use]
    pub fn api_path(mut self, path: impl Into<String>) -> Self {
        self.api_path = path.into();
        self
    }

    /// A header, such as `x-api-key` or `x-goog-api-key`, in which the chat APIs take an access
    /// token from requests without `Authorization`. Default: none.
    #[must_use]
    pub fn token_header(mut self, name: impl Into<String>) -> Self {
        self.token_header = Some(name.into());
        self
    }

    /// One more path of chat completions in the shape of OpenAI, the one of
    /// [`ProviderKit::chat_url`](crate::ProviderKit::chat_url). Default:
    /// `/standard/v1/chat/completions`.
    #[must_use]
    pub fn chat_path(mut self, path: impl Into<String>) -> Self {
        self.chat_path = path.into();
        self
    }

    /// A redirect URI that is accepted besides those of a loopback address, if it is equal.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Accepts redirect URIs that name this computer `localhost`, too. Default: only literal
    /// addresses, as RFC 8252 section 8.3 advises.
    #[must_use]
    pub fn localhost_redirects(mut self) -> Self {
        self.accepts_localhost = true;
        self
    }

    /// The scopes that exist; a request without a scope gets all. Default: any scope.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// A parameter that the requests of both flows must start with, such as an audience.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// The exchange of a code returns an ID token of this issuer too, if the scope has `openid`: RS256,
    /// with the `nonce` of the authorization request and the claims of [`user`](Self::user). The key
    /// is made up and public. Default: no ID token.
    #[must_use]
    pub fn id_tokens(mut self, issuer: impl Into<String>) -> Self {
        let (issuer, user) = (issuer.into(), self.user.clone());
        self.id_tokens = Some(IdTokens { issuer, user });
        self
    }

    /// The path of the document in which the provider describes itself; what is before
    /// `/.well-known/` is the path of its issuer. Default:
    /// `/standard/.well-known/openid-configuration`.
    #[must_use]
    pub fn discovery_path(mut self, path: impl Into<String>) -> Self {
        self.discovery_path = path.into();
        self
    }

    /// Registers clients during the code flow: the client of [`new`](Self::new) can only begin a
    /// sign-in, and the callback of an approved one brings the id of another client (`client_id`),
    /// which begins with `prefix`. Default: no.
    #[must_use]
    pub fn issues_clients(mut self, prefix: impl Into<String>) -> Self {
        self.issued_prefix = Some(prefix.into());
        self
    }

    /// The client that is issued another one, and how the ids of those begin.
    pub(super) fn issues(&self) -> Option<(&str, &str)> {
        Some((&self.client_id, self.issued_prefix.as_deref()?))
    }

    /// The userinfo response.
    #[must_use]
    pub fn user(mut self, user: Value) -> Self {
        if let Some(tokens) = &mut self.id_tokens {
            tokens.user.clone_from(&user);
        }
        self.user = user;
        self
    }

    /// Another provider that follows the RFCs.
    pub(in crate::providers) fn named(
        mut self,
        provider: Provider,
        title: &'static str,
        tokens: TokenFormat,
    ) -> Self {
        (self.provider, self.title, self.tokens) = (provider, title, tokens);
        self
    }

    /// The variables of the command that name this server and the client.
    pub(in crate::providers) fn variables(
        mut self,
        base: &'static str,
        client: &'static str,
    ) -> Self {
        self.variables = Some((base, client));
        self
    }

    /// The call of a chat API at a path.
    pub(super) fn api_at(&self, path: &str) -> Option<Api> {
        let path = path.strip_prefix(&self.api_path)?;
        let styles = [ApiStyle::OpenAi, ApiStyle::Anthropic, ApiStyle::Google];
        styles.into_iter().find_map(|style| Api::at(style, path))
    }

    /// The scope of a request that starts a login, or the error code and why.
    pub(super) fn granted_scope(&self, form: &Form) -> Result<String, (&'static str, String)> {
        for (name, value) in &self.parameters {
            if form.get(name) != Some(value) {
                return Err(("invalid_request", format!("{name} must be {value}")));
            }
        }
        let Some(scope) = form.get("scope") else {
            return Ok(self.scopes.join(" "));
        };
        let known = |one: &str| self.scopes.is_empty() || self.scopes.iter().any(|s| s == one);
        if scope.split(' ').all(known) {
            Ok(scope.to_owned())
        } else {
            Err(("invalid_scope", "the scope is unknown".to_owned()))
        }
    }
}
