//! What may differ from the RFCs beyond data: how responses are read.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::builder::OAuthProviderBuilder;
use super::config::{ClientCredentials, OAuthConfig};
use super::provider::OAuthProvider;
use crate::api_response::{ApiResponse, ApiStatus};
use crate::clock::Timestamp;
use crate::device::DeviceAuthorization;
use crate::error::Result;
use crate::grant::{ErrorResponse, Operation, Poll, TokenResponse, error_for, reasonless_error};
use crate::http::{JsonObject, Response};
use crate::secret::Secret;
use crate::secure_url::SecureUrl;
use crate::token::OAuthToken;

/// The longest e-mail address (RFC 5321 section 4.5.3.1: 64 and 255 characters and the sign).
pub(super) const LONGEST_IDENTITY: usize = 320;

/// A provider: its configuration, and what differs from the RFCs in its responses.
///
/// Each method has the RFC as its default; [`config`](Self::config) is the only one that a standard
/// server needs. The methods send nothing, so each can be tested without a server.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{OAuthProvider, ProviderSpec, SecureUrl};
/// use llm_auth_core::provider::{Client, DeviceFlow, Flow, OAuthConfig};
///
/// /// Signs in at a made-up vendor.
/// #[derive(Clone, Debug, Default)]
/// struct Vendor;
///
/// impl ProviderSpec for Vendor {
///     fn config(&self) -> OAuthConfig {
///         let mut config =
///             OAuthConfig::new("vendor", SecureUrl::known("https://vendor.example/token"));
///         config.endpoints.device_authorization =
///             Some(SecureUrl::known("https://vendor.example/device"));
///         config.client = Client::known("my-app");
///         config.flows = vec![Flow::Device(DeviceFlow::default())];
///         config
///     }
/// }
///
/// type VendorProvider = OAuthProvider<Vendor>;
/// assert_eq!(VendorProvider::new().config().name, "vendor");
/// ```
pub trait ProviderSpec: Debug + Send + Sync + 'static {
    /// The provider as data. It is called once, when the provider is built.
    fn config(&self) -> OAuthConfig;

    /// Another configuration for a session that was made with one, such as that of its region;
    /// `None` if it is [`config`](Self::config).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the session belongs to a region or the
    /// like that this version does not know.
    fn config_for(&self, session: &OAuthToken) -> Result<Option<OAuthConfig>> {
        let _: &OAuthToken = session;
        Ok(None)
    }

    /// The error that a response holds, in the words of the RFCs; `None` if it is no error. It
    /// decides for every operation.
    fn error_response(
        &self,
        call: &Call<'_>,
        response: &Response,
        fields: &JsonObject,
    ) -> Option<ErrorResponse> {
        let _: &Response = response;
        call.error_response(fields)
    }

    /// The device code and the page for the user.
    ///
    /// # Errors
    ///
    /// As [`Call::device_authorization`].
    fn device_authorization(
        &self,
        call: &Call<'_>,
        response: &Response,
    ) -> Result<DeviceAuthorization> {
        call.device_authorization(response)
    }

    /// The result of a poll.
    ///
    /// # Errors
    ///
    /// As [`Call::poll`].
    fn poll(&self, call: &Call<'_>, response: &Response) -> Result<Poll> {
        call.poll(response)
    }

    /// The tokens of an exchange, of a successful poll or of a refresh; see
    /// [`Call::operation`].
    ///
    /// # Errors
    ///
    /// As [`Call::token`].
    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        call.token(response)
    }

    /// The user's identity, from the userinfo response.
    ///
    /// # Errors
    ///
    /// As [`Call::identity`]. They do not fail a sign-in.
    fn identity(&self, call: &Call<'_>, response: &Response) -> Result<Option<String>> {
        call.identity(response)
    }

    /// What a sign-in in the browser begins with that is known only then, such as a client that the
    /// server issued to an earlier one. It may read and write a file. Nothing by default.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the user has to set something first;
    /// nothing is opened then.
    fn start(&self) -> Result<SignInStart> {
        Ok(SignInStart::default())
    }

    /// What the parameters of the browser's response change, besides `code`, `state` and `iss`,
    /// which are checked before. It may write a file: what the session needs but does not belong to
    /// it alone, since the code is redeemed after that. Nothing by default.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) if one is missing; the code is not
    /// redeemed then.
    fn callback(&self, parameters: &BTreeMap<String, Secret>) -> Result<CallbackOutcome> {
        let _: &BTreeMap<String, Secret> = parameters;
        Ok(CallbackOutcome::default())
    }

    /// Checks that a session was made with this provider as it is configured, before a manager hands
    /// out its tokens: another process may have stored one that was made with other servers. By default
    /// any may be.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it was made for other servers.
    fn check_issued(&self, session: &OAuthToken) -> Result<()> {
        let _: &OAuthToken = session;
        Ok(())
    }

    /// The API that a session itself names, if it is a URL that may receive a bearer token. None by
    /// default.
    fn named_api(&self, session: &OAuthToken) -> Option<SecureUrl> {
        let _: &OAuthToken = session;
        None
    }

    /// Whether the provider serves its API at this host too, besides the API base of `config`, so
    /// that it may receive access tokens. `false` by default.
    fn serves_api(&self, api: &SecureUrl, config: &OAuthConfig) -> bool {
        let _: (&SecureUrl, &OAuthConfig) = (api, config);
        false
    }

    /// The base URL as programs take it: without a slash at the end.
    fn api_base(&self, api: &SecureUrl) -> String {
        api.as_str().trim_end_matches('/').to_owned()
    }

    /// The headers of each API call besides `Authorization`;
    /// [`OAuthConfig::api_headers`] by default.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if one cannot be sent.
    fn api_headers(
        &self,
        session: &OAuthToken,
        config: &OAuthConfig,
    ) -> Result<Vec<(String, String)>> {
        let _: &OAuthToken = session;
        Ok(config.api_headers.clone().into_iter().collect())
    }

    /// What an API response means for the session.
    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        response.by_status()
    }

    /// The provider, with everything at its default.
    fn provider(self) -> OAuthProvider<Self>
    where
        Self: Sized,
    {
        self.builder().build()
    }

    /// Settings of the provider to start from.
    fn builder(self) -> OAuthProviderBuilder<Self>
    where
        Self: Sized,
    {
        OAuthProviderBuilder::new(self)
    }
}

/// A configuration is a provider that differs from the RFCs in nothing else.
impl ProviderSpec for OAuthConfig {
    fn config(&self) -> OAuthConfig {
        self.clone()
    }
}

/// What one sign-in in the browser begins with.
///
/// # Examples
///
/// ```
/// use llm_auth_core::ClientCredentials;
/// use llm_auth_core::provider::SignInStart;
///
/// let mut start = SignInStart::default();
/// start.client = Some(ClientCredentials::new("issued-before", None));
/// start.parameters.insert("host_id".into(), "made-up".into());
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignInStart {
    /// The client that the authorization request names, in place of the configured one.
    pub client: Option<ClientCredentials>,
    /// Further parameters of the authorization request.
    pub parameters: BTreeMap<String, String>,
}

/// What the browser's response changes for the exchange and for the session.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::CallbackOutcome;
///
/// let mut outcome = CallbackOutcome::default();
/// outcome.session_data.insert("team".into(), "made-up".into());
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CallbackOutcome {
    /// The client that redeems the code, if it is not the one that the request named: one that the
    /// server issued during the sign-in.
    pub client: Option<ClientCredentials>,
    /// What the session records besides.
    pub session_data: BTreeMap<String, String>,
}

/// The request that a response belongs to, and the standard reading of each response, which an
/// override can begin with.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{SecureUrl, Timestamp};
/// use llm_auth_core::provider::{Call, OAuthConfig, Operation, Response};
///
/// let endpoint = SecureUrl::known("https://auth.example/token");
/// let spec = OAuthConfig::new("example", endpoint.clone());
/// let call = Call::new(Operation::Exchange, &spec, Timestamp::default(), &spec);
/// let response = Response::for_test(&endpoint, 200, r#"{"access_token": "made-up"}"#);
/// assert_eq!(call.token(&response)?.access.expose(), "made-up");
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The operation.
    pub operation: Operation,
    /// The configuration that the request was made with.
    pub config: &'a OAuthConfig,
    /// When the response arrived, by our clock.
    pub now: Timestamp,
    spec: &'a dyn ProviderSpec,
}

impl<'a> Call<'a> {
    /// A call from its parts, to test a spec with
    /// [`Response::for_test`](crate::provider::Response::for_test).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{SecureUrl, Timestamp};
    /// use llm_auth_core::provider::{Call, OAuthConfig, Operation};
    ///
    /// let spec = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    /// let call = Call::new(Operation::Refresh, &spec, Timestamp::default(), &spec);
    /// assert_eq!(call.operation, Operation::Refresh);
    /// ```
    #[must_use]
    pub const fn new(
        operation: Operation,
        config: &'a OAuthConfig,
        now: Timestamp,
        spec: &'a dyn ProviderSpec,
    ) -> Self {
        Self {
            operation,
            config,
            now,
            spec,
        }
    }

    /// The members of a response that is no error, in any status.
    ///
    /// # Errors
    ///
    /// [`error_for`] if [`ProviderSpec::error_response`] finds an error; [`reasonless_error`] if the
    /// response is not JSON, or has a status that is not 2xx and gives no reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ErrorKind;
    /// # use llm_auth_core::{SecureUrl, Timestamp};
    /// # use llm_auth_core::provider::{Call, OAuthConfig, Operation};
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// # let spec = OAuthConfig::new("example", endpoint.clone());
    /// # let call = Call::new(Operation::Refresh, &spec, Timestamp::default(), &spec);
    /// let response = Response::for_test(&endpoint, 400, r#"{"error": "invalid_grant"}"#);
    /// let error = call.read(&response).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    /// ```
    pub fn read(&self, response: &Response) -> Result<JsonObject> {
        let Ok(fields) = response.json() else {
            return Err(reasonless_error(self.operation, response));
        };
        match self.spec.error_response(self, response, &fields) {
            Some(error) => Err(error_for(self.operation, response, &error)),
            None if response.is_success() => Ok(fields),
            None => Err(reasonless_error(self.operation, response)),
        }
    }

    /// The error that a response holds, with the meaning that [`OAuthConfig::error_codes`] gives
    /// its code.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{SecureUrl, Timestamp};
    /// # use llm_auth_core::provider::{Call, OAuthConfig, Operation};
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// # let mut spec = OAuthConfig::new("example", endpoint.clone());
    /// spec.error_codes.insert("bad_refresh_token".into(), "invalid_grant".into());
    /// # let call = Call::new(Operation::Refresh, &spec, Timestamp::default(), &spec);
    /// let response = Response::for_test(&endpoint, 400, r#"{"error": "bad_refresh_token"}"#);
    /// let error = call.error_response(&response.json()?).unwrap();
    /// assert_eq!(error.code(), "invalid_grant");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn error_response(&self, fields: &JsonObject) -> Option<ErrorResponse> {
        let error = ErrorResponse::read(fields)?;
        Some(match self.config.error_codes.get(error.code()) {
            Some(meaning) => error.meaning(meaning),
            None => error,
        })
    }

    /// Reads a device authorization response (RFC 8628 section 3.2).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read) and [`DeviceAuthorization::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{SecureUrl, Timestamp};
    /// # use llm_auth_core::provider::{Call, OAuthConfig, Operation};
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/device");
    /// # let spec = OAuthConfig::new("example", endpoint.clone());
    /// # let call = Call::new(Operation::DeviceAuthorization, &spec, Timestamp::default(), &spec);
    /// let body = r#"{"device_code": "made-up", "user_code": "WDJB-MJHT",
    ///     "verification_uri": "https://auth.example/activate"}"#;
    /// let device = call.device_authorization(&Response::for_test(&endpoint, 200, body))?;
    /// assert_eq!(device.user_code, "WDJB-MJHT");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn device_authorization(&self, response: &Response) -> Result<DeviceAuthorization> {
        DeviceAuthorization::read(&self.read(response)?)
    }

    /// Reads the response to a poll (RFC 8628 section 3.5). The code in the body decides, not the
    /// status: Google sends `slow_down` with 403, Qwen with 429.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) and
    /// [`ErrorKind::Expired`](crate::ErrorKind::Expired) end a sign-in; a transient error does not.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{SecureUrl, Timestamp};
    /// # use llm_auth_core::provider::{Call, OAuthConfig, Operation};
    /// use llm_auth_core::provider::{Poll, Response};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// # let spec = OAuthConfig::new("example", endpoint.clone());
    /// # let call = Call::new(Operation::Poll, &spec, Timestamp::default(), &spec);
    /// let response = Response::for_test(&endpoint, 400, r#"{"error": "authorization_pending"}"#);
    /// assert!(matches!(call.poll(&response)?, Poll::Pending));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn poll(&self, response: &Response) -> Result<Poll> {
        let fields = response.json()?;
        match self.spec.error_response(self, response, &fields) {
            None if response.is_success() => self.spec.token(self, response).map(Poll::Ready),
            None => Err(response.unreadable()),
            Some(error) => match error.code() {
                "authorization_pending" => Ok(Poll::Pending),
                "slow_down" => Ok(Poll::slow_down(&fields)),
                _ => Err(error_for(self.operation, response, &error)),
            },
        }
    }

    /// Reads a token response (RFC 6749 section 5.1).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`TokenResponse::read`] or, after a refresh,
    /// [`TokenResponse::read_refresh`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{SecureUrl, Timestamp};
    /// # use llm_auth_core::provider::{Call, OAuthConfig, Operation};
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// # let spec = OAuthConfig::new("example", endpoint.clone());
    /// # let call = Call::new(Operation::Exchange, &spec, Timestamp::default(), &spec);
    /// let body = r#"{"access_token": "made-up", "refresh_token": "made-up-refresh"}"#;
    /// let response = call.token(&Response::for_test(&endpoint, 200, body))?;
    /// assert!(response.refresh.is_some());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn token(&self, response: &Response) -> Result<TokenResponse> {
        let fields = self.read(response)?;
        match self.operation {
            Operation::Refresh => TokenResponse::read_refresh(&fields),
            _ => TokenResponse::read(&fields),
        }
    }

    /// Reads a userinfo response: the e-mail address, if the server has verified it. An unverified
    /// address does not identify the user.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{SecureUrl, Timestamp};
    /// # use llm_auth_core::provider::{Call, OAuthConfig, Operation};
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/userinfo");
    /// # let spec = OAuthConfig::new("example", endpoint.clone());
    /// # let call = Call::new(Operation::UserInfo, &spec, Timestamp::default(), &spec);
    /// let body = r#"{"email": "user@example.com", "email_verified": true}"#;
    /// let identity = call.identity(&Response::for_test(&endpoint, 200, body))?;
    /// assert_eq!(identity.as_deref(), Some("user@example.com"));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn identity(&self, response: &Response) -> Result<Option<String>> {
        let fields = self.read(response)?;
        let is_verified = fields.is_true("email_verified") || fields.is_true("verified_email");
        Ok(fields
            .shown("email", LONGEST_IDENTITY)
            .filter(|_| is_verified))
    }
}
