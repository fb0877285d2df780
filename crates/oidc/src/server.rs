//! A server as it is remembered: all that a sign-in and a refresh need, without the network.

mod check;
mod client;
mod recipients;
mod stored;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::check::{check_audience, check_resource, check_scope};
pub use self::client::ServerClient;
use self::recipients::RECIPIENTS;
use crate::metadata::Metadata;
use crate::provider::{
    Client, ClientAuth, CodeFlow, DeviceFlow, Endpoints, Flow, IdTokenRules, LoopbackRedirect,
    OAuthConfig, Operation,
};
use crate::{ClientCredentials, FlowKind, OAuthToken, ProviderSpec, Result, SecureUrl};

/// The scopes that let a userinfo endpoint report an e-mail address (OpenID Connect Core section
/// 5.4).
const EMAIL: &str = "email";

/// Where a session records how its client authenticates, if that is in the header.
const CLIENT_AUTH: &str = "client_auth";
const BASIC: &str = "client_secret_basic";

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
    #[serde(deserialize_with = "stored::endpoints")]
    pub endpoints: Endpoints,
    /// Where a client can register itself, if the server allows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<SecureUrl>,
    /// How clients authenticate, as the server lists it; `None` if it does not, which means
    /// `client_secret_basic` (RFC 8414 section 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_methods: Option<Vec<String>>,
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
    #[serde(default, skip_serializing_if = "stored::is_false")]
    pub prefers_device: bool,
    /// The redirect URIs that the server accepts.
    #[serde(default = "callback", deserialize_with = "stored::redirect")]
    pub redirect: LoopbackRedirect,
    /// Whether each redirect must carry `iss`, because the server declares that it does (RFC 9207).
    #[serde(default, skip_serializing_if = "stored::is_false")]
    pub requires_issuer: bool,
    /// Whether a refresh repeats the scope, for a server that wants it.
    #[serde(default, skip_serializing_if = "stored::is_false")]
    pub scope_in_refresh: bool,
    /// The server's own error codes and the RFCs' codes for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub error_codes: BTreeMap<String, String>,
    /// Whether its API is an MCP server.
    #[serde(default, skip_serializing_if = "stored::is_false")]
    pub is_mcp: bool,
    /// The path of the request that shows whether the API accepts a token, as in
    /// [`OAuthConfig::access_check`]. By default `models`, which every API for models has, and for an MCP
    /// server the URL itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_check: Option<String>,
    /// Headers that each API call needs besides `Authorization`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub api_headers: BTreeMap<String, String>,
    /// What a later version wrote, which is written back.
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
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
            auth_methods: None,
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
            is_mcp: false,
            access_check: None,
            api_headers: BTreeMap::new(),
            unknown: BTreeMap::new(),
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
        server.auth_methods.clone_from(&metadata.auth_methods);
        server.requires_issuer = metadata.returns_issuer;
        server
    }

    /// Whether both are one server and for one API, so that one name and its sessions can belong to
    /// both: a session of one must not go to the API of the other, and the client secret of one not to
    /// the token endpoint of the other, whatever issuer either claims.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Endpoints;
    /// use llm_auth_oidc::{SecureUrl, Server};
    ///
    /// let endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
    /// let company = Server::new("company", endpoints);
    /// let mut other = company.clone();
    /// assert!(other.is_same(&company));
    /// other.endpoints.api_base = Some(SecureUrl::known("https://mcp.example/mcp"));
    /// assert!(!other.is_same(&company));
    /// ```
    #[must_use]
    pub fn is_same(&self, before: &Self) -> bool {
        let is_same_issuer = match (&self.issuer, &before.issuer) {
            (Some(new), Some(old)) => {
                let (token, former) = (&self.endpoints.token, &before.endpoints.token);
                new == old && token.base() == former.base()
            }
            _ => self.endpoints.token == before.endpoints.token,
        };
        let api = self.endpoints.api_base.as_ref();
        let is_same_api = api.is_none() || api == before.endpoints.api_base.as_ref();
        is_same_issuer && is_same_api
    }

    /// Whether all endpoints but the API are those of this server as it was remembered.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Endpoints;
    /// use llm_auth_oidc::{SecureUrl, Server};
    ///
    /// let server = Server::new("company", Endpoints::new(SecureUrl::new("https://a.example/t")?));
    /// let mut moved = server.clone();
    /// moved.endpoints.revocation = Some(SecureUrl::new("https://b.example/revoke")?);
    /// assert!(!moved.has_same_endpoints(&server));
    /// # Ok::<(), llm_auth_oidc::Error>(())
    /// ```
    #[must_use]
    pub fn has_same_endpoints(&self, before: &Self) -> bool {
        let mut now = self.endpoints.clone();
        now.api_base.clone_from(&before.endpoints.api_base);
        now == before.endpoints
    }

    /// Takes over what was remembered of the same server and what it does not say of itself: the
    /// client, how it is redirected to, what it asks for, the API, and what a preset said.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Endpoints;
    /// use llm_auth_oidc::{SecureUrl, Server, ServerClient};
    ///
    /// let endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
    /// let mut before = Server::new("company", endpoints.clone());
    /// before.client = Some(ServerClient::new("native-cli"));
    /// let mut server = Server::new("company", endpoints);
    /// server.take_over(&before);
    /// assert_eq!(server.client, before.client);
    /// ```
    pub fn take_over(&mut self, before: &Self) {
        if self.client.is_none() {
            self.client.clone_from(&before.client);
        }
        self.redirect = before.redirect.clone();
        self.scope.clone_from(&before.scope);
        self.prefers_device |= before.prefers_device;
        for (member, former) in [
            (&mut self.resource, &before.resource),
            (&mut self.audience, &before.audience),
        ] {
            if member.is_none() {
                member.clone_from(former);
            }
        }
        if self.endpoints.api_base.is_none() {
            let api_base = &before.endpoints.api_base;
            self.endpoints.api_base.clone_from(api_base);
        }
        if self.title.is_empty() {
            self.title.clone_from(&before.title);
        }
        if self.access_check.is_none() {
            self.access_check.clone_from(&before.access_check);
        }
        // What a preset said, and a server does not describe.
        self.scope_in_refresh |= before.scope_in_refresh;
        for (members, former) in [
            (
                &mut self.authorization_parameters,
                &before.authorization_parameters,
            ),
            (&mut self.error_codes, &before.error_codes),
            (&mut self.api_headers, &before.api_headers),
        ] {
            if members.is_empty() {
                members.clone_from(former);
            }
        }
        self.unknown.clone_from(&before.unknown);
    }

    /// How a client with a secret authenticates here: in the header, unless the server lists only
    /// parameters.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::{ClientAuth, Endpoints};
    /// use llm_auth_oidc::{SecureUrl, Server};
    ///
    /// let endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
    /// let mut server = Server::new("company", endpoints);
    /// server.auth_methods = Some(vec!["none".into(), "client_secret_post".into()]);
    /// assert_eq!(server.client_auth(), ClientAuth::Post);
    /// ```
    #[must_use]
    pub fn client_auth(&self) -> ClientAuth {
        match self.lists("client_secret_post") && !self.lists("client_secret_basic") {
            true => ClientAuth::Post,
            false => ClientAuth::Basic,
        }
    }

    /// What a registration asks for: no secret, unless the server lists only ways with one (RFC 8414
    /// section 2). Of these, it is the parameters if the server lists them: there are servers that list
    /// the header too, and cannot read the client id from it (the SDK of MCP for Python).
    ///
    /// A client that the user registered is another matter: see [`client_auth`](Self::client_auth).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Endpoints;
    /// use llm_auth_oidc::{SecureUrl, Server};
    ///
    /// let endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
    /// let mut server = Server::new("company", endpoints);
    /// assert_eq!(server.registered_auth(), "none");
    /// server.auth_methods = Some(vec!["client_secret_basic".into()]);
    /// assert_eq!(server.registered_auth(), "client_secret_basic");
    /// server.auth_methods = Some(vec!["client_secret_basic".into(), "client_secret_post".into()]);
    /// assert_eq!(server.registered_auth(), "client_secret_post");
    /// ```
    #[must_use]
    pub fn registered_auth(&self) -> &'static str {
        match self.lists("client_secret_post") {
            _ if self.auth_methods.is_none() || self.lists("none") => "none",
            true => "client_secret_post",
            false => "client_secret_basic",
        }
    }

    fn lists(&self, method: &str) -> bool {
        let mut methods = self.auth_methods.iter().flatten();
        methods.any(|listed| listed == method)
    }

    fn asks_for(&self, scope: &str) -> bool {
        self.scope.split_whitespace().any(|name| name == scope)
    }

    fn flows(&self) -> Vec<Flow> {
        let mut code = CodeFlow::new("/callback");
        code.redirect = self.redirect.clone();
        code.issuer.clone_from(&self.issuer);
        code.requires_issuer = self.requires_issuer;
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
        if self.asks_for("openid") {
            // A server may sign with any algorithm.
            config.id_token = Some(IdTokenRules::claims(self.issuer.clone()));
        }
        config.identity_scopes = vec![EMAIL.into()];
        config.flows = self.flows();
        config.error_codes.clone_from(&self.error_codes);
        config.api_headers.clone_from(&self.api_headers);
        // Every API for models has that list, at its base or below `v1`; one that has not is not asked.
        let list = self.endpoints.api_base.as_ref().map(|_| match self.is_mcp {
            true => String::new(),
            false => "models".to_owned(),
        });
        config.access_check = self.access_check.clone().or(list);
        let data = &mut config.session_data;
        data.insert(RECIPIENTS.into(), self.recipients());
        if config.client_auth == ClientAuth::Basic {
            data.insert(CLIENT_AUTH.into(), BASIC.into());
        }
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
        let mut parameters = self.authorization_parameters.clone();
        if self.asks_for("openid") && self.asks_for("offline_access") {
            // OpenID Connect Core section 11: without it, the scope is ignored.
            let prompt = parameters.entry("prompt".into());
            prompt.or_insert_with(|| "consent".into());
        }
        if !parameters.is_empty() {
            config
                .rules(Operation::Authorization)
                .add
                .extend(parameters);
        }
        if self.scope_in_refresh {
            let rules = config.rules(Operation::Refresh);
            rules.add.insert("scope".into(), self.scope.clone());
        }
        config
    }

    fn check_issued(&self, session: &OAuthToken) -> Result<()> {
        self.check_recorded_recipients(session)
    }

    /// A session keeps the way in which its client authenticates, as it keeps the client.
    fn config_for(&self, session: &OAuthToken) -> Result<Option<OAuthConfig>> {
        self.check_recorded_hosts(session)?;
        let data = &session.metadata.provider_data;
        let auth = match data.get(CLIENT_AUTH) {
            Some(BASIC) => ClientAuth::Basic,
            _ if data.contains("client_id") => ClientAuth::Post,
            _ => return Ok(None),
        };
        let mut config = self.config();
        if config.client_auth == auth {
            return Ok(None);
        }
        config.client_auth = auth;
        config.session_data.remove(CLIENT_AUTH);
        Ok(Some(config))
    }
}
