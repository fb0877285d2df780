//! The steps of MiniMax's device sign-in.

mod builder;

use std::sync::Arc;

use llm_auth_core::{
    ApiResponse, ApiStatus, AuthProvider, Clock, DeviceAuthorization, Error, ErrorKind, Form,
    HttpClient, LoginEvent, OAuthToken, Operation, Pkce, Poll, Recipients, Result, Revocation,
    SecureUrl, TokenResponse, TrustedHost, UserPrompt, async_trait, poll_for_token, random_state,
    request_id,
};

use crate::device;
use crate::dialect::Region;
use crate::endpoints::{MiniMaxEndpoints, PollParameter};
use crate::session;
use crate::wire;

pub use builder::MiniMaxProviderBuilder;

/// Signs in at MiniMax with its device flow (a user code, PKCE, an echoed `state`), refreshes
/// sessions, and revokes them if the dialect supports it.
///
/// A session records its region, dialect and client id
/// ([`SessionMetadata::provider_data`](llm_auth_core::SessionMetadata)), so that the server that
/// issued it refreshes it, even if this provider signs in elsewhere. A session of another program
/// without these records belongs to the region of its `resource_url`, otherwise to this provider's.
/// New sign-ins use the endpoints that are set on the builder. A session goes only to the server
/// that issued it, unless another is trusted ([`MiniMaxProviderBuilder::trust_endpoint`]).
///
/// Refresh tokens are single-use: keep one store for one session.
///
/// # Examples
///
/// ```
/// use llm_auth_minimax::{Dialect, MiniMaxProvider, Region};
///
/// let provider = MiniMaxProvider::builder()
///     .region(Region::Cn)
///     .dialect(Dialect::MiniMaxCode)
///     .build();
/// assert_eq!(provider.endpoints().token.host(), "account.minimax.cn");
/// ```
#[derive(Clone, Debug)]
pub struct MiniMaxProvider {
    endpoints: MiniMaxEndpoints,
    trusted: Vec<TrustedHost>,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl MiniMaxProvider {
    /// A provider for the global region, with everything at its default.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A session of tokens that another program obtained. Without a recorded region or client, the
    /// region of its `resource_url` counts, otherwise this provider's. Without a recorded server it
    /// belongs to MiniMax, or to this provider's token endpoint if that is
    /// [trusted](MiniMaxProviderBuilder::trust_endpoint). The first refresh invalidates the other
    /// program's copy: from here on only this program may use the session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if this version does not know its region or dialect.
    pub fn import_session(&self, token: OAuthToken) -> Result<OAuthToken> {
        let endpoints = session::endpoints_of(&token, &self.endpoints)?;
        let token = self.recipients(&endpoints).settle(token, &endpoints.token);
        Ok(session::noted(token, &endpoints))
    }

    /// Settings to start from.
    pub fn builder() -> MiniMaxProviderBuilder {
        MiniMaxProviderBuilder::new()
    }

    /// The endpoints for new sign-ins.
    #[must_use]
    pub fn endpoints(&self) -> &MiniMaxEndpoints {
        &self.endpoints
    }

    /// Requests a user code; the first half of [`authenticate`](AuthProvider::authenticate) for
    /// programs that do their own waiting. If the polls send the user code, it stands in for the
    /// device code.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StateMismatch`] if the response does not carry the `state` that was sent,
    /// [`ErrorKind::Expired`] if the code had expired when it came (a wrong clock),
    /// [`ErrorKind::Redirected`] if the endpoint has moved, [`ErrorKind::Transient`] for network
    /// errors, [`ErrorKind::Config`] if MiniMax does not know the client or the scope,
    /// [`ErrorKind::Protocol`] for any other rejection and for a senseless response.
    pub async fn request_device_code(&self) -> Result<(DeviceAuthorization, Pkce)> {
        let endpoints = &self.endpoints;
        let pkce = Pkce::generate()?;
        let mut form = Form::new()
            .text("client_id", &endpoints.client_id)
            .text("scope", &endpoints.scope)
            .text("code_challenge", pkce.challenge())
            .text("code_challenge_method", Pkce::METHOD);
        if let Some(response_type) = &endpoints.response_type {
            form = form.text("response_type", response_type);
        }
        if let Some(audience) = &endpoints.audience {
            form = form.text("audience", audience);
        }
        let state = random_state()?;
        if endpoints.sends_state {
            form = form.secret("state", &state);
        }
        let headers = [("x-request-id", request_id()?)];
        let response = self
            .http
            .post_form(&endpoints.device_authorization, &form, &headers)
            .await?;
        let fields = wire::read_response(Operation::DeviceAuthorization, &response)?;
        if endpoints.sends_state {
            device::check_state(&fields, &state)?;
        }
        let with_user_code = endpoints.poll_parameter == PollParameter::UserCode;
        let device = device::read(&fields, with_user_code, self.clock.now())?;
        Ok((device, pkce))
    }

    /// Polls once whether the user has decided. The caller waits between polls, and stops when the
    /// code has expired. A token that has expired already comes with a lifetime of zero.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`] and [`ErrorKind::Expired`] end a sign-in, [`ErrorKind::Protocol`]
    /// too; [`ErrorKind::Transient`] and [`ErrorKind::RateLimited`] do not.
    pub async fn poll_for_token(&self, device: &DeviceAuthorization, pkce: &Pkce) -> Result<Poll> {
        let endpoints = &self.endpoints;
        let has_device_code = device.device_code.expose() != device.user_code;
        let parameter = match endpoints.poll_parameter {
            PollParameter::DeviceCode if has_device_code => "device_code",
            PollParameter::DeviceCode | PollParameter::UserCode => "user_code",
        };
        let form = Form::new()
            .text("grant_type", &endpoints.poll_grant_type)
            .text("client_id", &endpoints.client_id)
            .secret(parameter, &device.device_code)
            .secret("code_verifier", pkce.verifier());
        let response = self.http.post_form(&endpoints.token, &form, &[]).await?;
        let polled = wire::read_poll(&response, self.clock.now())?;
        if let Poll::Ready(granted) = &polled {
            check_scope(endpoints, granted)?;
        }
        Ok(polled)
    }

    /// The session from a successful poll; the last step of
    /// [`authenticate`](AuthProvider::authenticate) for programs that do their own waiting. Pass it
    /// to [`AuthManager::insert_session`](llm_auth_core::AuthManager::insert_session).
    #[must_use]
    pub fn session(&self, response: TokenResponse) -> OAuthToken {
        session::begin(response.into_token(self.clock.now()), &self.endpoints)
    }

    /// Checks that this session may be sent to this provider's endpoints.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] with both hosts if it may not, or if this version does not know the
    /// session's region or dialect.
    pub fn check_session(&self, session: &OAuthToken) -> Result<()> {
        let endpoints = session::endpoints_of(session, &self.endpoints)?;
        let recipients = self.recipients(&endpoints);
        recipients.permit(session, &endpoints.token)?;
        if let Some(revocation) = &endpoints.revocation {
            recipients.permit(session, revocation)?;
        }
        recipients.permit_access(session, &endpoints.api_base)?;
        Ok(())
    }

    /// The host of the session's `resource_url`, if the access token may not go there, so that
    /// [`api_base`](AuthProvider::api_base) ignores it.
    #[must_use]
    pub fn ignored_api(&self, session: &OAuthToken) -> Option<String> {
        let endpoints = session::endpoints_of(session, &self.endpoints).ok()?;
        let named = session::named_api(session)?;
        (!self.believes(session, &endpoints, &named)).then(|| named.host())
    }

    /// The endpoint that a refresh sends this session's refresh token to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the session may not be sent there, or if
    /// its region or dialect is unknown.
    pub fn refresh_endpoint(&self, session: &OAuthToken) -> Result<SecureUrl> {
        let endpoints = session::endpoints_of(session, &self.endpoints)?;
        let recipients = self.recipients(&endpoints);
        recipients.permit(session, &endpoints.token).cloned()
    }

    /// The endpoint that a revocation sends this session's tokens to; `None` if it sends nothing.
    ///
    /// # Errors
    ///
    /// As [`refresh_endpoint`](Self::refresh_endpoint).
    pub fn revocation_endpoint(&self, session: &OAuthToken) -> Result<Option<SecureUrl>> {
        let endpoints = session::endpoints_of(session, &self.endpoints)?;
        let recipients = self.recipients(&endpoints);
        let permit = |endpoint| recipients.permit(session, endpoint).cloned();
        endpoints.revocation.as_ref().map(permit).transpose()
    }

    /// The recipients of sessions of the region and dialect of these endpoints.
    fn recipients(&self, endpoints: &MiniMaxEndpoints) -> Recipients {
        let known = MiniMaxEndpoints::new(endpoints.region, endpoints.dialect);
        let own = [known.token, known.api_base].into_iter();
        Recipients::of_vendor(own.chain(known.revocation)).trusting(&self.trusted)
    }

    /// Whether an API from a response or a file may receive the access token: one of the session's
    /// region, or one at the server that issued it.
    fn believes(
        &self,
        session: &OAuthToken,
        endpoints: &MiniMaxEndpoints,
        api: &SecureUrl,
    ) -> bool {
        let recipients = self.recipients(endpoints);
        Region::of_host(&api.host()) == Some(endpoints.region)
            || recipients.permit_access(session, api).is_ok()
    }
}

#[async_trait]
impl AuthProvider for MiniMaxProvider {
    fn name(&self) -> &str {
        "minimax"
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
        let endpoints = session::endpoints_of(current, &self.endpoints)?;
        let endpoint = &self.refresh_endpoint(current)?;
        let mut form = Form::new()
            .text("grant_type", "refresh_token")
            .text("client_id", &endpoints.client_id)
            .secret("refresh_token", refresh)
            .hiding(&current.access);
        if let Some(audience) = &endpoints.audience {
            form = form
                .text("scope", &endpoints.scope)
                .text("audience", audience);
        }
        let response = self.http.post_form(endpoint, &form, &[]).await?;
        let now = self.clock.now();
        let refreshed = wire::read_refresh(&response, now)?.into_token(now);
        let refreshed = session::begin(refreshed, &endpoints);
        Ok(refreshed.inheriting(current))
    }

    /// Only MiniMax Code's dialect has a revocation endpoint. It revokes the refresh token if there
    /// is one (RFC 7009 section 2.1).
    async fn revoke(&self, token: &OAuthToken) -> Result<Revocation> {
        let endpoints = session::endpoints_of(token, &self.endpoints)?;
        let Some(revocation) = &self.revocation_endpoint(token)? else {
            return Ok(Revocation::NotSupported);
        };
        let (hint, secret) = match &token.refresh {
            Some(refresh) => ("refresh_token", refresh),
            None => ("access_token", &token.access),
        };
        let form = Form::new()
            .secret("token", secret)
            .hiding(&token.access)
            .text("token_type_hint", hint)
            .text("client_id", &endpoints.client_id);
        let response = self.http.post_form(revocation, &form, &[]).await?;
        // RFC 7009 section 2.2: the body means nothing, unless it is an error after all.
        let says_nothing = !response.is_web_page() && response.json().is_err();
        if response.is_success() && says_nothing {
            return Ok(Revocation::Confirmed);
        }
        wire::read_response(Operation::Revocation, &response).map(|_| Revocation::Confirmed)
    }

    /// The session's `resource_url`, if it is `https` at a host of the session's region
    /// (`minimax.io`; in China `minimaxi.com` and `minimax.cn`), at the server that issued the
    /// session, or at one that is [trusted](MiniMaxProviderBuilder::trust_endpoint); otherwise
    /// [`MiniMaxEndpoints::api_base`], by the same rule. A server or a file cannot send the access
    /// token to another host. `None` for a session of an unknown region.
    fn api_base(&self, token: &OAuthToken) -> Option<String> {
        let endpoints = session::endpoints_of(token, &self.endpoints).ok()?;
        let named = session::named_api(token);
        let api = match named.filter(|named| self.believes(token, &endpoints, named)) {
            Some(named) => named,
            None => {
                let recipients = self.recipients(&endpoints);
                let default = recipients.permit_access(token, &endpoints.api_base);
                default.ok()?.clone()
            }
        };
        Some(api.as_str().trim_end_matches('/').to_owned())
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        wire::classify_api_response(response)
    }
}

impl Default for MiniMaxProvider {
    fn default() -> Self {
        Self::new()
    }
}

/// A sign-in without the scope that every call needs is rejected at once. At a refresh it is too
/// late for that, since the old refresh token is spent.
fn check_scope(endpoints: &MiniMaxEndpoints, granted: &TokenResponse) -> Result<()> {
    let (Some(required), Some(scope)) = (&endpoints.required_scope, &granted.scope) else {
        return Ok(());
    };
    if scope.split_whitespace().any(|name| name == required) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Protocol,
        format!("MiniMax granted a scope without {required}"),
    ))
}
