//! A server as it is remembered: all that a sign-in and a refresh need, without the network.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metadata::Metadata;
use crate::provider::{
    Client, ClientAuth, CodeFlow, DeviceFlow, Endpoints, Flow, LoopbackRedirect, OAuthConfig,
    Operation,
};
use crate::{ClientCredentials, FlowKind, ProviderSpec, Secret, SecureUrl};

/// The scopes that let a userinfo endpoint report an e-mail address (OpenID Connect Core section
/// 5.4).
const EMAIL: &str = "email";

/// An authorization server, and the client that signs in there.
///
/// It is a [`ProviderSpec`], and is written to a file and read back as JSON. **The file holds the
/// client secret** if there is one, so it belongs where the sessions are.
///
/// # Examples
///
/// ```
/// use llm_auth_oidc::provider::Endpoints;
/// use llm_auth_oidc::{ProviderSpec as _, SecureUrl, Server, ServerClient};
///
/// let mut endpoints = Endpoints::new(SecureUrl::new("https://auth.example/token")?);
/// endpoints.device_authorization = Some(SecureUrl::new("https://auth.example/device")?);
/// let mut server = Server::new("company", endpoints);
/// server.client = Some(ServerClient::new("native-cli"));
/// server.scope = "openid models".into();
/// let config = server.config();
/// assert!(config.device_flow().is_some() && config.code_flow().is_none());
/// # Ok::<(), llm_auth_oidc::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Server {
    /// The name that its sessions are stored under: lower case, fit for a file name.
    pub name: String,
    /// Its name as a user knows it, for messages; [`name`](Self::name) if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The issuer identifier, as its metadata spells it. It is what the `iss` of a redirect is
    /// compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Where requests go.
    pub endpoints: Endpoints,
    /// Where a client can register itself, if the server allows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<SecureUrl>,
    /// The client; a sign-in without one is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ServerClient>,
    /// The scopes, separated by spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The API that the access token is for (RFC 8707), in each request, as the server spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The same in the words of some servers (Auth0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Further parameters of the request for authorization.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub authorization_parameters: BTreeMap<String, String>,
    /// Whether the device flow is the default, if the server has both.
    #[serde(default, skip_serializing_if = "is_false")]
    pub prefers_device: bool,
    /// The redirect URIs that the server accepts.
    #[serde(default = "callback")]
    pub redirect: LoopbackRedirect,
    /// Whether each redirect must carry `iss`, because the server declares that it does (RFC 9207).
    #[serde(default, skip_serializing_if = "is_false")]
    pub requires_issuer: bool,
    /// Whether a refresh repeats the scope, for a server that wants it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub scope_in_refresh: bool,
    /// The server's own error codes and the RFCs' codes for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub error_codes: BTreeMap<String, String>,
    /// Headers that each API call needs besides `Authorization`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub api_headers: BTreeMap<String, String>,
}

/// The client at one server.
///
/// # Examples
///
/// ```
/// use llm_auth_oidc::ServerClient;
///
/// let client = ServerClient::new("native-cli");
/// assert_eq!(client.secret, None);
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerClient {
    /// The client id.
    pub id: String,
    /// The client secret, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// How it authenticates with its secret.
    #[serde(default)]
    pub auth: ClientAuth,
    /// When the secret expires, in seconds since the Unix epoch; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_expires_at: Option<u64>,
    /// Whether it was registered by a program, so that it can be registered again if the server has
    /// lost it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_registered: bool,
}

impl ServerClient {
    /// A public client, which has no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::ServerClient;
    ///
    /// assert_eq!(ServerClient::new("native-cli").id, "native-cli");
    /// ```
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: None,
            auth: ClientAuth::default(),
            secret_expires_at: None,
            is_registered: false,
        }
    }
}

// A skip of serde gets a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn callback() -> LoopbackRedirect {
    LoopbackRedirect::new("/callback")
}

impl Server {
    /// A server with these endpoints, for which all else is assigned.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Endpoints;
    /// use llm_auth_oidc::{SecureUrl, Server};
    ///
    /// let endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
    /// assert_eq!(Server::new("company", endpoints).redirect.path, "/callback");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, endpoints: Endpoints) -> Self {
        Self {
            name: name.into(),
            title: String::new(),
            issuer: None,
            endpoints,
            registration: None,
            client: None,
            scope: String::new(),
            resource: None,
            audience: None,
            authorization_parameters: BTreeMap::new(),
            prefers_device: false,
            redirect: callback(),
            requires_issuer: false,
            scope_in_refresh: false,
            error_codes: BTreeMap::new(),
            api_headers: BTreeMap::new(),
        }
    }

    /// A server as it describes itself. Its scope is empty.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_oidc::{HttpClient, Server, ServerClient, discover};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_oidc::Result<()> {
    /// // Sends requests.
    /// let metadata = discover(&HttpClient::default(), "https://auth.example").await?;
    /// let mut server = Server::discovered("company", &metadata);
    /// server.client = Some(ServerClient::new("native-cli"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn discovered(name: impl Into<String>, metadata: &Metadata) -> Self {
        let mut server = Self::new(name, metadata.endpoints.clone());
        server.issuer = Some(metadata.issuer.clone());
        server.registration.clone_from(&metadata.registration);
        server.requires_issuer = metadata.returns_issuer;
        server
    }

    /// Takes over what a server describes now; what the user chose stays.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_oidc::{HttpClient, Server, discover};
    ///
    /// # async fn run(server: &mut Server) -> llm_auth_oidc::Result<()> {
    /// // Sends requests.
    /// server.update(&discover(&HttpClient::default(), "https://auth.example").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn update(&mut self, metadata: &Metadata) {
        let api_base = self.endpoints.api_base.take();
        self.endpoints = metadata.endpoints.clone();
        self.endpoints.api_base = api_base;
        self.issuer = Some(metadata.issuer.clone());
        self.registration.clone_from(&metadata.registration);
        self.requires_issuer = metadata.returns_issuer;
    }

    fn flows(&self) -> Vec<Flow> {
        let mut code = CodeFlow::new("/callback");
        code.redirect = self.redirect.clone();
        code.issuer.clone_from(&self.issuer);
        code.requires_issuer = self.requires_issuer;
        // Optional in OpenID Connect Core section 3.1.2.1, but Glewlwyd requires it.
        code.sends_nonce = self.scope.split_whitespace().any(|name| name == "openid");
        let endpoints = &self.endpoints;
        let code = endpoints.authorization.as_ref().map(|_| Flow::Code(code));
        let device = endpoints.device_authorization.as_ref();
        let device = device.map(|_| Flow::Device(DeviceFlow::default()));
        let mut flows: Vec<Flow> = [code, device].into_iter().flatten().collect();
        // The sort is stable.
        flows.sort_by_key(|flow| (flow.kind() == FlowKind::Device) != self.prefers_device);
        flows
    }
}

impl ProviderSpec for Server {
    fn config(&self) -> OAuthConfig {
        let mut config = OAuthConfig::new(self.name.clone(), self.endpoints.token.clone());
        config.title.clone_from(&self.title);
        config.endpoints = self.endpoints.clone();
        config.client = match &self.client {
            Some(client) => {
                let secret = client.secret.clone();
                Client::Known(ClientCredentials::new(client.id.clone(), secret))
            }
            None => Client::Required(format!(
                "signing in to {} requires a client id",
                config.title()
            )),
        };
        config.client_auth = self
            .client
            .as_ref()
            .map(|client| client.auth)
            .unwrap_or_default();
        config.scope.clone_from(&self.scope);
        config.identity_scopes = vec![EMAIL.into()];
        config.flows = self.flows();
        config.error_codes.clone_from(&self.error_codes);
        config.api_headers.clone_from(&self.api_headers);
        let targets = [("resource", &self.resource), ("audience", &self.audience)];
        for operation in [
            Operation::Authorization,
            Operation::DeviceAuthorization,
            Operation::Exchange,
            Operation::Poll,
            Operation::Refresh,
        ] {
            for (name, value) in targets {
                if let Some(value) = value {
                    let rules = config.rules(operation);
                    rules.add.insert(name.into(), value.clone());
                }
            }
        }
        if !self.authorization_parameters.is_empty() {
            let rules = config.rules(Operation::Authorization);
            rules.add.extend(self.authorization_parameters.clone());
        }
        if self.scope_in_refresh {
            let rules = config.rules(Operation::Refresh);
            rules.add.insert("scope".into(), self.scope.clone());
        }
        config
    }
}
