//! Everything about a provider that is data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::endpoints::Endpoints;
use super::requests::{DEVICE_CODE_GRANT, RequestRules};
use crate::device::PollSchedule;
use crate::grant::Operation;
use crate::http::BodyFormat;
use crate::loopback_redirect::LoopbackRedirect;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// A provider as data: endpoints, client, scope, flows, and how its requests differ from the RFCs'.
///
/// A vendor crate builds one in [`ProviderSpec::config`](crate::ProviderSpec::config). It is a spec
/// by itself, for a provider that differs in nothing else, and it can be read from a file.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::{AuthProvider as _, ProviderSpec as _, SecureUrl};
/// use llm_auth_core::provider::{Client, DeviceFlow, Flow, OAuthConfig};
///
/// let token = SecureUrl::new("https://vendor.example/oauth/token")?;
/// let mut config = OAuthConfig::new("vendor", token);
/// let device = SecureUrl::new("https://vendor.example/oauth/device")?;
/// config.endpoints.device_authorization = Some(device);
/// config.client = Client::known("my-app");
/// config.scope = "inference".into();
/// config.flows = vec![Flow::Device(DeviceFlow::default())];
/// assert_eq!(config.provider().name(), "vendor");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
#[serde(deny_unknown_fields)]
pub struct OAuthConfig {
    /// The provider's name: lower case, fit for a file name.
    pub name: String,
    /// Its name as a user knows it, for messages; [`name`](Self::name) if empty.
    #[serde(default)]
    pub title: String,
    /// Where requests go.
    pub endpoints: Endpoints,
    /// The OAuth client; the provider knows none by default.
    #[serde(default)]
    pub client: Client,
    /// How a client with a secret authenticates.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// The scopes, separated by spaces. No `scope` is sent if it is empty.
    #[serde(default)]
    pub scope: String,
    /// The ways to sign in, the default first.
    #[serde(default)]
    pub flows: Vec<Flow>,
    /// How requests differ from the RFCs'. A parameter of every token request stands at three
    /// operations: [`Exchange`](Operation::Exchange), [`Poll`](Operation::Poll) and
    /// [`Refresh`](Operation::Refresh). The userinfo request has no parameters. See
    /// [`rules`](Self::rules).
    #[serde(default)]
    pub requests: BTreeMap<Operation, RequestRules>,
    /// How the requests to the token endpoint are encoded. Those to the device authorization and
    /// the revocation endpoint are always forms.
    #[serde(default)]
    pub body: BodyFormat,
    /// The provider's own error codes, in lower case, and the RFCs' codes for them:
    /// `bad_refresh_token` is `invalid_grant`. A code that is in neither list rejects a refresh only
    /// with status 400 or 401, and is no [verdict](crate::Error::is_verdict): the next call tries
    /// again.
    #[serde(default)]
    pub error_codes: BTreeMap<String, String>,
    /// A scope that a sign-in must grant, if the response names the granted scope.
    #[serde(default)]
    pub required_scope: Option<String>,
    /// What the ID token of a sign-in must be (OpenID Connect Core section 3.1.3.7); it also gives
    /// the user's identity. With rules, the code flow sends a `nonce`; without, no ID token is read.
    #[serde(default)]
    pub id_token: Option<IdTokenRules>,
    /// The userinfo endpoint is requested after a sign-in only if one of these scopes was granted;
    /// never if there is none. This requests no scope: [`scope`](Self::scope) does.
    #[serde(default)]
    pub identity_scopes: Vec<String>,
    /// Headers that each call of the API needs besides `Authorization`.
    #[serde(default)]
    pub api_headers: BTreeMap<String, String>,
    /// Where one cheap request shows whether the API accepts an access token, with status 401 if it
    /// does not: a path below the base of the API (`models`), or one at its host if it begins with a
    /// slash. Empty for the base itself. If there is nothing at a path below the base (404), it is tried
    /// below `v1`; an API that has neither is not asked. Without it, the userinfo endpoint is requested with tokens
    /// of the scope `openid`.
    #[serde(default)]
    pub access_check: Option<String>,
    /// Whether the API reports errors with a status of success too, in a JSON body: a program then has
    /// to look at such a body to learn that the access token was rejected.
    #[serde(default)]
    pub api_errors_in_success: bool,
    /// What each session records of the server that issued it, such as its region: a refresh of the
    /// session goes there.
    #[serde(default)]
    pub session_data: BTreeMap<String, String>,
    /// What a new session of the configured client records besides, such as the project that is
    /// billed. A session of another client does not record it.
    #[serde(default)]
    pub client_data: BTreeMap<String, String>,
    /// Whether a refresh spends the refresh token (RFC 9700 section 4.14.2): the careful
    /// assumption, and the default, is that it does.
    #[serde(default = "yes")]
    pub rotates_refresh_tokens: bool,
    /// Why a general-purpose program must not hand out this provider's access tokens, if its terms
    /// forbid it.
    #[serde(default)]
    pub no_hand_out: Option<String>,
    /// Why sessions must stay on the user's computer, if the provider's terms demand that: a
    /// manager then accepts only a [local](crate::TokenStore::is_local) store.
    #[serde(default)]
    pub local_only: Option<String>,
}

const fn yes() -> bool {
    true
}

impl OAuthConfig {
    /// A configuration with only a name and a token endpoint; all else is assigned.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::OAuthConfig;
    ///
    /// let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    /// assert!(config.flows.is_empty());
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, token: SecureUrl) -> Self {
        Self {
            name: name.into(),
            title: String::new(),
            endpoints: Endpoints::new(token),
            client: Client::default(),
            client_auth: ClientAuth::default(),
            scope: String::new(),
            flows: Vec::new(),
            requests: BTreeMap::new(),
            body: BodyFormat::default(),
            error_codes: BTreeMap::new(),
            required_scope: None,
            id_token: None,
            identity_scopes: Vec::new(),
            api_headers: BTreeMap::new(),
            access_check: None,
            api_errors_in_success: false,
            session_data: BTreeMap::new(),
            client_data: BTreeMap::new(),
            rotates_refresh_tokens: true,
            no_hand_out: None,
            local_only: None,
        }
    }

    /// The rules of one operation, to be changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{OAuthConfig, Operation};
    ///
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// let mut config = OAuthConfig::new("example", server);
    /// // The server wants the scope in a refresh under another name.
    /// config.rules(Operation::Refresh).rename.insert("scope".into(), "scopes".into());
    /// ```
    pub fn rules(&mut self, operation: Operation) -> &mut RequestRules {
        self.requests.entry(operation).or_default()
    }

    /// The name for messages.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::OAuthConfig;
    ///
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// let mut config = OAuthConfig::new("example", server);
    /// assert_eq!(config.title(), "example");
    /// config.title = "Example AI".into();
    /// assert_eq!(config.title(), "Example AI");
    /// ```
    #[must_use]
    pub fn title(&self) -> &str {
        match self.title.is_empty() {
            true => &self.name,
            false => &self.title,
        }
    }

    /// The device flow, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{DeviceFlow, Flow, OAuthConfig};
    ///
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// let mut config = OAuthConfig::new("example", server);
    /// assert!(config.device_flow().is_none());
    /// config.flows = vec![Flow::Device(DeviceFlow::default())];
    /// assert!(config.device_flow().is_some());
    /// ```
    #[must_use]
    pub fn device_flow(&self) -> Option<&DeviceFlow> {
        self.flows.iter().find_map(|flow| match flow {
            Flow::Device(device) => Some(device),
            Flow::Code(_) => None,
        })
    }

    /// The code flow, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{CodeFlow, Flow, OAuthConfig};
    ///
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// let mut config = OAuthConfig::new("example", server);
    /// config.flows = vec![Flow::Code(CodeFlow::new("/callback"))];
    /// assert_eq!(config.code_flow().unwrap().redirect.path, "/callback");
    /// ```
    #[must_use]
    pub fn code_flow(&self) -> Option<&CodeFlow> {
        self.flows.iter().find_map(|flow| match flow {
            Flow::Code(code) => Some(code),
            Flow::Device(_) => None,
        })
    }
}

/// The OAuth client that requests name.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::Client;
///
/// // The text is the error if a user brings none.
/// let own = Client::Required("create an OAuth client at https://console.example".into());
/// assert!(own.credentials().is_none());
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// The server knows no clients: none is named.
    #[default]
    None,
    /// Each user brings one; the text is the error without one.
    Required(String),
    /// This one.
    Known(ClientCredentials),
}

impl Client {
    /// A public client, which has no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Client;
    ///
    /// let client = Client::known("my-app");
    /// assert_eq!(client.credentials().unwrap().secret, None);
    /// ```
    #[must_use]
    pub fn known(id: impl Into<String>) -> Self {
        Self::Known(ClientCredentials::new(id, None))
    }

    /// Its id and secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Client;
    ///
    /// assert_eq!(Client::known("my-app").credentials().unwrap().id, "my-app");
    /// assert!(Client::None.credentials().is_none());
    /// ```
    #[must_use]
    pub fn credentials(&self) -> Option<&ClientCredentials> {
        match self {
            Self::Known(credentials) => Some(credentials),
            Self::None | Self::Required(_) => None,
        }
    }
}

/// How a client with a secret authenticates at the token endpoint and the others that take the
/// secret (RFC 6749 section 2.3.1). A client without one only names its id.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::ClientAuth;
///
/// assert_eq!(ClientAuth::default(), ClientAuth::Post);
/// ```
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum ClientAuth {
    /// By parameters of the request.
    #[default]
    #[serde(rename = "client_secret_post")]
    Post,
    /// In the `Authorization` header.
    #[serde(rename = "client_secret_basic")]
    Basic,
}

/// The id of an OAuth client, and its secret if it has one (RFC 6749 section 2.3.1).
///
/// # Examples
///
/// ```
/// use llm_auth_core::ClientCredentials;
///
/// let public = ClientCredentials::new("my-app", None);
/// let confidential = ClientCredentials::new("my-app", Some("made-up-secret".into()));
/// assert!(!format!("{confidential:?}").contains("made-up-secret"));
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// The client id.
    pub id: String,
    /// The client secret. That of an installed program is no secret to its user (RFC 8252 section
    /// 8.5), and still goes to no server but its own.
    #[serde(default)]
    pub secret: Option<Secret>,
}

impl ClientCredentials {
    /// A client from its parts.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ClientCredentials;
    ///
    /// let client = ClientCredentials::new("my-app", None);
    /// assert_eq!(client.id, "my-app");
    /// ```
    #[must_use]
    pub fn new(id: impl Into<String>, secret: Option<Secret>) -> Self {
        Self {
            id: id.into(),
            secret,
        }
    }
}

/// A way to sign in.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::{CodeFlow, DeviceFlow, Flow};
///
/// // The first is the default, and the user may choose the other.
/// let flows = [Flow::Device(DeviceFlow::default()), Flow::Code(CodeFlow::new("/callback"))];
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Flow {
    /// The device authorization grant (RFC 8628): the user approves on any device.
    Device(DeviceFlow),
    /// The authorization code in the browser of this computer (RFC 8252).
    Code(CodeFlow),
}

/// The kind of a [`Flow`].
///
/// # Examples
///
/// ```
/// use llm_auth_core::{FlowKind, OAuthProvider, ProviderSpec as _, SecureUrl};
/// use llm_auth_core::provider::OAuthConfig;
///
/// let server = SecureUrl::known("https://auth.example/token");
/// // On a computer without a browser.
/// let provider = OAuthConfig::new("example", server).builder().flow(FlowKind::Device).build();
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FlowKind {
    /// [`Flow::Device`].
    Device,
    /// [`Flow::Code`].
    Code,
}

impl Flow {
    /// Its kind.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::FlowKind;
    /// use llm_auth_core::provider::{DeviceFlow, Flow};
    ///
    /// assert_eq!(Flow::Device(DeviceFlow::default()).kind(), FlowKind::Device);
    /// ```
    #[must_use]
    pub const fn kind(&self) -> FlowKind {
        match self {
            Self::Device(_) => FlowKind::Device,
            Self::Code(_) => FlowKind::Code,
        }
    }
}

/// How a provider's device flow differs from RFC 8628, which is the default.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::DeviceFlow;
///
/// let mut flow = DeviceFlow::default();
/// flow.pkce = true;
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
#[serde(default, deny_unknown_fields)]
pub struct DeviceFlow {
    /// The `grant_type` of a poll.
    pub grant_type: String,
    /// Whether PKCE is used, which RFC 8628 does not have.
    pub pkce: bool,
    /// Whether a `state` is sent and must come back with the device code.
    pub echoes_state: bool,
    /// Whether the request for a code has an `x-request-id` header.
    pub request_id: bool,
    /// The pace of the polls.
    #[serde(skip)]
    pub schedule: PollSchedule,
}

impl Default for DeviceFlow {
    fn default() -> Self {
        Self {
            grant_type: DEVICE_CODE_GRANT.into(),
            pkce: false,
            echoes_state: false,
            request_id: false,
            schedule: PollSchedule::new(),
        }
    }
}

/// How a provider redirects the browser in the code flow. PKCE and `state` are always sent: a
/// [rule](RequestRules) that changes them is an error.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::{CodeFlow, LoopbackHost};
///
/// let mut flow = CodeFlow::new("/callback");
/// flow.redirect.host = LoopbackHost::Localhost;
/// flow.issuer = Some("https://auth.example".into());
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
#[serde(deny_unknown_fields)]
pub struct CodeFlow {
    /// The redirect URIs that the provider accepts. The path should be no other provider's (RFC
    /// 8252 section 8.10).
    pub redirect: LoopbackRedirect,
    /// The `iss` of the redirect, if it has one (RFC 9207). Without an issuer here, `iss` is not
    /// checked.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Whether a redirect without `iss` is rejected, because the server declares that it always
    /// sends one (RFC 9207 section 2.4).
    #[serde(default)]
    pub requires_issuer: bool,
    /// Whether the path of the redirect URI ends with a secret, for a server that may not return
    /// `state`.
    #[serde(default)]
    pub secret_path: bool,
}

impl CodeFlow {
    /// A flow that redirects to this path, at any port.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::CodeFlow;
    ///
    /// assert!(!CodeFlow::new("/callback").secret_path);
    /// ```
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            redirect: LoopbackRedirect::new(path),
            issuer: None,
            requires_issuer: false,
            secret_path: false,
        }
    }
}

/// What an ID token must be for a sign-in to count: for the client of this sign-in (`aud`, `azp`),
/// with its `nonce`, and valid now, with a tolerance of five seconds (`exp`, `iat`, `nbf`).
/// Otherwise nothing is stored.
///
/// # Examples
///
/// ```
/// use llm_auth_core::SecureUrl;
/// use llm_auth_core::provider::{IdTokenRules, OAuthConfig};
///
/// let token = SecureUrl::known("https://auth.example/token");
/// let mut config = OAuthConfig::new("vendor", token);
/// config.endpoints.discovery =
///     Some(SecureUrl::known("https://auth.example/.well-known/openid-configuration"));
/// config.id_token = Some(IdTokenRules::new("https://auth.example"));
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
#[serde(deny_unknown_fields)]
pub struct IdTokenRules {
    /// The `iss` of the token and the `issuer` of the discovery document, which names the keys.
    /// Without it, `iss` is not compared.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Whether the issuer must have signed the token with RS256. It needs
    /// [`Endpoints::discovery`]. Otherwise TLS is enough, since the token comes from the token
    /// endpoint itself (OpenID Connect Core section 3.1.3.7, point 6).
    #[serde(default = "yes")]
    pub checks_signature: bool,
    /// Whether a token response without an ID token is rejected.
    #[serde(default = "yes")]
    pub is_required: bool,
}

impl IdTokenRules {
    /// Each sign-in must return a token that this issuer signed.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::IdTokenRules;
    ///
    /// let rules = IdTokenRules::new("https://auth.example");
    /// assert!(rules.checks_signature && rules.is_required);
    /// ```
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: Some(issuer.into()),
            checks_signature: true,
            is_required: true,
        }
    }

    /// The claims of a token are checked if there is a token.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::IdTokenRules;
    ///
    /// let rules = IdTokenRules::claims(Some("https://auth.example".into()));
    /// assert!(!rules.checks_signature && !rules.is_required);
    /// ```
    #[must_use]
    pub fn claims(issuer: Option<String>) -> Self {
        Self {
            issuer,
            checks_signature: false,
            is_required: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_from_json_and_refuses_unknown_members_and_plain_http() {
        let json = r#"{
            "name": "vendor",
            "endpoints": {
                "token": "https://vendor.example/token",
                "authorization": "https://vendor.example/authorize"
            },
            "client": {"known": {"id": "app"}},
            "scope": "openid",
            "flows": [
                {"type": "code", "redirect": {"path": "/cb", "host": "localhost", "ports": [8020]}},
                {"type": "device", "pkce": true}
            ],
            "requests": {"refresh": {"add": {"resource": "https://api.vendor.example"}}},
            "body": "json"
        }"#;
        let config: OAuthConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.client, Client::known("app"));
        assert_eq!(config.code_flow().unwrap().redirect.ports, [8020]);
        let device = config.device_flow().unwrap();
        assert!(device.pkce && device.grant_type == DEVICE_CODE_GRANT);
        assert_eq!(config.body, BodyFormat::Json);
        assert!(config.rotates_refresh_tokens);
        for name in ["\"scope\"", "\"pkce\"", "\"ports\"", "\"add\"", "\"id\""] {
            let misspelt = json.replace(name, "\"sc0pe\"");
            let error = serde_json::from_str::<OAuthConfig>(&misspelt).unwrap_err();
            assert!(error.to_string().contains("sc0pe"), "{name}: {error}");
        }
        let plain = json.replace(
            "https://vendor.example/token",
            "http://vendor.example/token",
        );
        let error = serde_json::from_str::<OAuthConfig>(&plain).unwrap_err();
        assert!(error.to_string().contains("not https"), "{error}");
    }
}
