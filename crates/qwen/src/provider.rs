//! The steps of Qwen's device sign-in.

use std::sync::Arc;

use llm_auth_core::{
    ApiResponse, ApiStatus, AuthProvider, Clock, DeviceAuthorization, Form, HttpClient, LoginEvent,
    OAuthToken, Operation, Pkce, Poll, Recipients, Result, SecureUrl, SystemClock, TokenResponse,
    TrustedHost, UserPrompt, async_trait, poll_for_token, read_response, request_id,
};

use crate::endpoints::QwenEndpoints;
use crate::wire;

const CLIENT_ID: &str = "client_id";

/// Signs in at Qwen with the device authorization grant
/// ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)) and PKCE
/// ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)), and refreshes sessions.
///
/// Creating one is free and opens no connection. Qwen has no revocation endpoint, so
/// [`revoke`](AuthProvider::revoke) returns that it is not supported.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_qwen::Error> {
/// use llm_auth_qwen::{HttpClient, QwenEndpoints, QwenProvider};
///
/// let provider = QwenProvider::builder()
///     .endpoints(QwenEndpoints::default().with_base("http://127.0.0.1:4000")?)
///     .http(HttpClient::builder().user_agent("my-agent/1.0").build()?)
///     .build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct QwenProvider {
    endpoints: QwenEndpoints,
    trusted: Vec<TrustedHost>,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

/// Settings of a [`QwenProvider`].
#[derive(Clone, Debug)]
#[must_use]
pub struct QwenProviderBuilder {
    provider: QwenProvider,
}

impl QwenProvider {
    /// A provider with everything at its default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            endpoints: QwenEndpoints::default(),
            trusted: Vec::new(),
            http: HttpClient::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// A session of tokens that another program obtained with this client. It belongs to the server
    /// that it records, otherwise to Qwen, or to this provider's token endpoint if that is
    /// [trusted](QwenProviderBuilder::trust_endpoint). The first refresh invalidates the other
    /// program's copy: from here on only this program may use the session.
    #[must_use]
    pub fn import_session(&self, token: OAuthToken) -> OAuthToken {
        self.recipients().settle(token, &self.endpoints.token)
    }

    /// Checks that this session may be sent to this provider's endpoints.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) with both hosts if it may not.
    pub fn check_session(&self, session: &OAuthToken) -> Result<()> {
        let recipients = self.recipients();
        recipients.permit(session, &self.endpoints.token)?;
        recipients.permit_access(session, &self.endpoints.api_base)?;
        Ok(())
    }

    /// The host of the session's `resource_url`, if the access token may not go there, so that
    /// [`api_base`](AuthProvider::api_base) ignores it.
    #[must_use]
    pub fn ignored_api(&self, session: &OAuthToken) -> Option<String> {
        let named = wire::named_api(session.resource_url.as_deref()?)?;
        (!self.believes(session, &named)).then(|| named.host())
    }

    /// The endpoint that a refresh sends this session's refresh token to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the session may not be sent there.
    pub fn refresh_endpoint(&self, session: &OAuthToken) -> Result<SecureUrl> {
        let recipients = self.recipients();
        recipients.permit(session, &self.endpoints.token).cloned()
    }

    fn recipients(&self) -> Recipients {
        let known = QwenEndpoints::default();
        Recipients::of_vendor([known.token, known.api_base]).trusting(&self.trusted)
    }

    /// Whether an API from a response or a file may receive the access token: one of Qwen's, or one
    /// at the server that issued it.
    fn believes(&self, session: &OAuthToken, api: &SecureUrl) -> bool {
        wire::is_of_qwen(api) || self.recipients().permit_access(session, api).is_ok()
    }

    /// Settings to start from.
    pub fn builder() -> QwenProviderBuilder {
        QwenProviderBuilder {
            provider: Self::new(),
        }
    }

    /// The endpoints of this provider.
    #[must_use]
    pub fn endpoints(&self) -> &QwenEndpoints {
        &self.endpoints
    }

    /// Requests a device code; the first half of [`authenticate`](AuthProvider::authenticate) for
    /// programs that do their own waiting.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transient`](crate::ErrorKind::Transient) for network errors and for a
    /// firewall's web page, [`ErrorKind::Config`](crate::ErrorKind::Config) if Qwen does not know
    /// the client or the scope, [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) for any other
    /// rejection and for a senseless response.
    pub async fn request_device_code(&self) -> Result<(DeviceAuthorization, Pkce)> {
        let pkce = Pkce::generate()?;
        let form = Form::new()
            .text("client_id", &self.endpoints.client_id)
            .text("scope", &self.endpoints.scope)
            .text("code_challenge", pkce.challenge())
            .text("code_challenge_method", Pkce::METHOD);
        let headers = [("x-request-id", request_id()?)];
        let response = self
            .http
            .post_form(&self.endpoints.device_authorization, &form, &headers)
            .await?;
        let fields = read_response(Operation::DeviceAuthorization, &response)?;
        Ok((DeviceAuthorization::read(&fields)?, pkce))
    }

    /// Polls once whether the user has decided. The caller waits between polls, and stops when the
    /// code has expired.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) and [`ErrorKind::Expired`](crate::ErrorKind::Expired) end a sign-in;
    /// [`ErrorKind::Transient`](crate::ErrorKind::Transient) and [`ErrorKind::RateLimited`](crate::ErrorKind::RateLimited) do not.
    pub async fn poll_for_token(&self, device: &DeviceAuthorization, pkce: &Pkce) -> Result<Poll> {
        let form = Form::new()
            .text("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
            .text("client_id", &self.endpoints.client_id)
            .secret("device_code", &device.device_code)
            .secret("code_verifier", pkce.verifier());
        let response = self
            .http
            .post_form(&self.endpoints.token, &form, &[])
            .await?;
        wire::read_poll(&response)
    }

    /// The session from a successful poll; the last step of
    /// [`authenticate`](AuthProvider::authenticate) for programs that do their own waiting. Pass it
    /// to [`AuthManager::insert_session`](llm_auth_core::AuthManager::insert_session).
    #[must_use]
    pub fn session(&self, response: TokenResponse) -> OAuthToken {
        let mut token = response.into_token(self.clock.now());
        let client_id = self.endpoints.client_id.clone();
        token
            .metadata
            .provider_data
            .insert(CLIENT_ID.into(), client_id);
        token.issued_by(&self.endpoints.token)
    }

    /// The headers for each API call besides `Authorization: Bearer`, as in qwen-code:
    /// `X-DashScope-AuthType` declares the bearer token as an OAuth token, and
    /// `X-DashScope-CacheControl` enables prompt caching. A `User-Agent` of your own is needed too:
    /// Qwen's firewall blocks requests without one.
    #[must_use]
    pub fn api_headers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("X-DashScope-AuthType", "qwen-oauth".into()),
            ("X-DashScope-CacheControl", "enable".into()),
        ]
    }
}

#[async_trait]
impl AuthProvider for QwenProvider {
    fn name(&self) -> &str {
        "qwen"
    }

    async fn authenticate(&self, prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        let (device, pkce) = self.request_device_code().await?;
        prompt.notify(&LoginEvent::device_code(&device));
        let response = poll_for_token(&self.endpoints.schedule, &device, prompt, || {
            self.poll_for_token(&device, &pkce)
        })
        .await?;
        Ok(self.session(response))
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        let refresh = current.refresh_token()?;
        let endpoint = &self.refresh_endpoint(current)?;
        // A refresh token is bound to the client that it was issued to (RFC 6749 section 6).
        let client_id = current.metadata.provider_data.get(CLIENT_ID);
        let form = Form::new()
            .text("grant_type", "refresh_token")
            .secret("refresh_token", refresh)
            .text(CLIENT_ID, client_id.unwrap_or(&self.endpoints.client_id))
            .hiding(&current.access);
        let response = self.http.post_form(endpoint, &form, &[]).await?;
        let refreshed = wire::read_refresh(&response)?.into_token(self.clock.now());
        Ok(refreshed.issued_by(endpoint).inheriting(current))
    }

    /// The session's `resource_url` with `https://` before and `/v1` after it, if it is at a host
    /// of Qwen's API, at the server that issued the session, or at one that is
    /// [trusted](QwenProviderBuilder::trust_endpoint); otherwise [`QwenEndpoints::api_base`], by
    /// the same rule. A server or a file cannot send the access token to another host.
    fn api_base(&self, token: &OAuthToken) -> Option<String> {
        let named = token.resource_url.as_deref().and_then(wire::named_api);
        let api = match named.filter(|named| self.believes(token, named)) {
            Some(named) => named,
            None => {
                let default = &self.endpoints.api_base;
                let recipients = self.recipients();
                recipients.permit_access(token, default).ok()?.clone()
            }
        };
        Some(wire::with_version(&api))
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        wire::classify_api_response(response)
    }
}

impl Default for QwenProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl QwenProviderBuilder {
    /// Hosts, client id, scope and pace; Qwen's own by default.
    ///
    /// New sign-ins use them. A stored session goes only to the server that issued it; see
    /// [`trust_endpoint`](Self::trust_endpoint).
    pub fn endpoints(mut self, endpoints: QwenEndpoints) -> Self {
        self.provider.endpoints = endpoints;
        self
    }

    /// A server that may receive stored sessions although another issued them, and that they may
    /// name as their API. None by default.
    pub fn trust_endpoint(mut self, host: TrustedHost) -> Self {
        self.provider.trusted.push(host);
        self
    }

    /// The HTTP client; a plain [`HttpClient`] by default.
    pub fn http(mut self, http: HttpClient) -> Self {
        self.provider.http = http;
        self
    }

    /// The clock for expiry; the computer's own by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.provider.clock = clock;
        self
    }

    /// The provider.
    #[must_use]
    pub fn build(self) -> QwenProvider {
        self.provider
    }
}
