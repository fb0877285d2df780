//! The steps of a sign-in at Google, of a refresh and of a revocation.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{
    ApiResponse, ApiStatus, AuthProvider, Clock, Error, ErrorKind, Form, HttpClient, LoginEvent,
    LoopbackListener, OAuthToken, Operation, Pkce, Recipients, Result, Revocation, Secret,
    SecureUrl, SystemClock, TrustedHost, UserPrompt, async_trait, is_header_value, random_state,
};

use tokio::time::timeout;

use crate::client_file::OAuthClient;
use crate::endpoints::{GeminiEndpoints, SCOPE_EMAIL};
use crate::wire::{self, UserInfo};

const CLIENT_ID: &str = "client_id";
const QUOTA_PROJECT: &str = "quota_project";

/// The time limit for the name of a session, which is not stored before.
const IDENTITY_TIME: Duration = Duration::from_secs(5);

/// Signs in to Google with the user's own OAuth client: authorization code, loopback
/// redirect, PKCE, `state` and `iss`.
///
/// A session records the client that it was made with, because its refresh token works with no
/// other (openclaw/openclaw PR 5027): a refresh needs no client file.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use llm_auth_gemini::{AuthManager, FileTokenStore, GeminiProvider, OAuthClient, Silent};
///
/// let client = OAuthClient::from_json(&std::fs::read("client_secret.json")?)?;
/// let provider = GeminiProvider::builder().client(client).build();
/// let manager = AuthManager::builder(provider)
///     .store(FileTokenStore::file("gemini.json"))
///     .build();
/// manager.login(&Silent).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GeminiProvider {
    endpoints: GeminiEndpoints,
    trusted: Vec<TrustedHost>,
    client: Option<OAuthClient>,
    quota_project: Option<String>,
    login_hint: Option<String>,
    timeout: Duration,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

/// Settings of a [`GeminiProvider`].
#[derive(Clone, Debug)]
#[must_use]
pub struct GeminiProviderBuilder {
    provider: GeminiProvider,
}

impl GeminiProvider {
    /// Settings to start from.
    pub fn builder() -> GeminiProviderBuilder {
        GeminiProviderBuilder {
            provider: Self {
                endpoints: GeminiEndpoints::default(),
                trusted: Vec::new(),
                client: None,
                quota_project: None,
                login_hint: None,
                timeout: Duration::from_secs(300),
                http: HttpClient::default(),
                clock: Arc::new(SystemClock),
            },
        }
    }

    /// The value for the `x-goog-user-project` header, which the Gemini API requires besides the
    /// bearer token (ai.google.dev/gemini-api/docs/oauth).
    #[must_use]
    pub fn quota_project<'a>(&'a self, token: &'a OAuthToken) -> Option<&'a str> {
        let remembered = token
            .metadata
            .provider_data
            .get(QUOTA_PROJECT)
            .map(String::as_str);
        let project = self.quota_project.as_deref().or(remembered);
        project.filter(|project| !project.is_empty())
    }

    /// The headers for each API call besides `Authorization: Bearer`: the [quota
    /// project](Self::quota_project), if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the quota project, which may come from a file, holds a line break
    /// or another character that no HTTP header may hold.
    pub fn api_headers(&self, token: &OAuthToken) -> Result<Vec<(&'static str, String)>> {
        match self.quota_project(token) {
            None => Ok(Vec::new()),
            Some(project) if is_header_value(project) => {
                Ok(vec![("x-goog-user-project", project.to_owned())])
            }
            Some(_) => Err(Error::new(
                ErrorKind::Config,
                "the quota project holds a character that no HTTP header may have: set it again, or sign in again",
            )),
        }
    }

    /// The user's identity, if [`SCOPE_EMAIL`] was granted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] without the right scope, transient kinds for network errors,
    /// [`ErrorKind::Config`] if another server issued the session.
    pub async fn userinfo(&self, token: &OAuthToken) -> Result<UserInfo> {
        let recipients = self.access_recipients();
        let endpoint = recipients.permit_access(token, &self.endpoints.userinfo)?;
        let response = self
            .http
            .get_with_bearer(endpoint, &token.access, &others(token))
            .await?;
        wire::read_userinfo(&response)
    }

    /// Asks Google whether an access token is still valid.
    ///
    /// # Errors
    ///
    /// Transient kinds for network errors; an invalid token is no error but
    /// [`ApiStatus::RefreshNeeded`]. [`ErrorKind::Config`] if another server issued the session.
    pub async fn check(&self, token: &OAuthToken) -> Result<ApiStatus> {
        let recipients = self.access_recipients();
        let endpoint = recipients.permit_access(token, &self.endpoints.tokeninfo)?;
        let response = self
            .http
            .post_with_bearer(endpoint, &token.access, &others(token))
            .await?;
        wire::classify_tokeninfo(&response)
    }

    /// The URL that begins a sign-in (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
    fn authorization_url(
        &self,
        client: &OAuthClient,
        redirect_uri: &str,
        state: &Secret,
        pkce: &Pkce,
    ) -> String {
        let mut query = vec![
            ("response_type", "code"),
            (CLIENT_ID, client.id()),
            ("redirect_uri", redirect_uri),
            ("scope", &self.endpoints.scope),
            ("state", state.expose()),
            ("code_challenge", pkce.challenge()),
            ("code_challenge_method", Pkce::METHOD),
            // Without these two, Google issues a refresh token only at the first consent.
            ("access_type", "offline"),
            ("prompt", "consent"),
        ];
        if let Some(hint) = &self.login_hint {
            query.push(("login_hint", hint));
        }
        self.endpoints.authorization.with_query(&query)
    }

    /// One try, never a second: a code is redeemed once (RFC 6749 section 4.1.2).
    async fn exchange(
        &self,
        client: &OAuthClient,
        redirect_uri: &str,
        code: &Secret,
        pkce: &Pkce,
    ) -> Result<OAuthToken> {
        let form = client_form(client.id(), client.secret())
            .text("grant_type", "authorization_code")
            .text("redirect_uri", redirect_uri)
            .secret("code", code)
            .secret("code_verifier", pkce.verifier());
        let response = self
            .http
            .post_form(&self.endpoints.token, &form, &[])
            .await?;
        let token = wire::read_token(Operation::Exchange, &response)?.into_token(self.clock.now());
        Ok(self.owned(token, client).issued_by(&self.endpoints.token))
    }

    /// A session of tokens that another program obtained, such as gcloud's application default
    /// credentials, with the client that it records, otherwise with this provider's. It belongs to
    /// the server that it records, otherwise to Google, or to this provider's token endpoint if
    /// that is [trusted](GeminiProviderBuilder::trust_endpoint). Google does not rotate refresh
    /// tokens, so both programs may go on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if neither has a client, or if the session names none and belongs to a
    /// server that must not receive the secret of this provider's client.
    pub fn import_session(&self, token: OAuthToken) -> Result<OAuthToken> {
        let recipients = self.recipients();
        let token = recipients.settle(token, &self.endpoints.token);
        match (token.metadata.provider_data.get(CLIENT_ID), &self.client) {
            (Some(_), _) => Ok(token),
            (None, Some(client)) => {
                // From here on the client secret goes to the same servers as the session.
                let (ours, google) = (&self.endpoints.token, GeminiEndpoints::default().token);
                if !recipients.trusts(ours) || recipients.permit(&token, ours).is_err() {
                    recipients.permit(&token, &google)?;
                }
                Ok(self.owned(token, client))
            }
            (None, None) => Err(Error::new(
                ErrorKind::Config,
                "the OAuth client of the session is not known",
            )),
        }
    }

    /// Checks that this session may be sent to this provider's endpoints.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] with both hosts if it may not.
    pub fn check_session(&self, session: &OAuthToken) -> Result<()> {
        let (endpoints, recipients) = (&self.endpoints, self.recipients());
        recipients.permit(session, &endpoints.token)?;
        recipients.permit(session, &endpoints.revocation)?;
        let recipients = self.access_recipients();
        recipients.permit_access(session, &endpoints.userinfo)?;
        recipients.permit_access(session, &SecureUrl::new(&endpoints.api_base)?)?;
        Ok(())
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

    /// The endpoint that a revocation sends this session's tokens to.
    ///
    /// # Errors
    ///
    /// As [`refresh_endpoint`](Self::refresh_endpoint).
    pub fn revocation_endpoint(&self, session: &OAuthToken) -> Result<SecureUrl> {
        let recipients = self.recipients();
        let endpoint = &self.endpoints.revocation;
        recipients.permit(session, endpoint).cloned()
    }

    /// The recipients of refresh tokens and of the client secret: the servers where Google issues and
    /// revokes tokens, and none that serves its other APIs.
    fn recipients(&self) -> Recipients {
        let known = GeminiEndpoints::default();
        Recipients::of_vendor([known.token, known.revocation]).trusting(&self.trusted)
    }

    /// The recipients of access tokens.
    fn access_recipients(&self) -> Recipients {
        let known = GeminiEndpoints::default();
        let api = SecureUrl::new(&known.api_base).ok();
        let own = [
            known.token,
            known.revocation,
            known.userinfo,
            known.tokeninfo,
        ];
        Recipients::of_vendor(own.into_iter().chain(api)).trusting(&self.trusted)
    }

    /// Records what a refresh of the session needs.
    fn owned(&self, mut token: OAuthToken, client: &OAuthClient) -> OAuthToken {
        let metadata = &mut token.metadata;
        metadata.client_secret = client.secret().cloned();
        metadata
            .provider_data
            .insert(CLIENT_ID.into(), client.id().into());
        let project = self
            .quota_project
            .as_deref()
            .or_else(|| client.project_id());
        if let Some(project) = project {
            metadata
                .provider_data
                .insert(QUOTA_PROJECT.into(), project.into());
        }
        token
    }

    /// A name for the session. Failing to get one must not fail a sign-in.
    async fn identity(&self, token: &OAuthToken) -> Option<String> {
        let granted = token.scope.as_deref().unwrap_or(&self.endpoints.scope);
        let tells = [SCOPE_EMAIL, "email"];
        if !granted.split(' ').any(|scope| tells.contains(&scope)) {
            return None;
        }
        match timeout(IDENTITY_TIME, self.userinfo(token)).await {
            // An unverified address does not identify the user.
            Ok(Ok(info)) => info.email.filter(|_| info.email_verified),
            Ok(Err(error)) => {
                tracing::debug!(%error, "Google does not say who it is");
                None
            }
            Err(_elapsed) => None,
        }
    }
}

#[async_trait]
impl AuthProvider for GeminiProvider {
    fn name(&self) -> &str {
        "gemini"
    }

    async fn authenticate(&self, prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        let client = self.client.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "signing in to Gemini needs an OAuth client of your own, of type \"Desktop app\"",
            )
        })?;
        let (pkce, state) = (Pkce::generate()?, random_state()?);
        let listener = LoopbackListener::bind(&self.endpoints.redirect_path)?;
        let redirect_uri = listener.redirect_uri().to_owned();
        let url = self.authorization_url(client, &redirect_uri, &state, &pkce);
        prompt.notify(&LoginEvent::authorization_url(
            &url,
            &redirect_uri,
            self.timeout,
        ));
        let issuer = self.endpoints.issuer.as_deref();
        let mut redirect = listener.wait(&state, issuer, self.timeout, prompt).await?;
        let mut spent: Option<(Secret, Error)> = None;
        let mut token = loop {
            let code = redirect.code().clone();
            let exchanged = match &spent {
                // Pasted alone, and then sent by the browser too.
                Some((known, error)) if *known == code => Err(error.clone()),
                _ => self.exchange(client, &redirect_uri, &code, &pkce).await,
            };
            match exchanged {
                Ok(token) => break token,
                Err(error) => {
                    if error.followed_success() {
                        spent = Some((code, error.clone()));
                    }
                    redirect = redirect.failed(error, prompt).await?;
                }
            }
        };
        redirect.succeeded().await;
        token.metadata.identity = self.identity(&token).await;
        Ok(token)
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        let refresh = current.refresh_token()?;
        let recipients = self.recipients();
        let endpoint = &self.refresh_endpoint(current)?;
        let remembered = current.metadata.provider_data.get(CLIENT_ID);
        let client = match (remembered, &self.client) {
            (Some(id), _) => client_form(id, current.metadata.client_secret.as_ref()),
            // A session that names no client does not decide which server receives the client
            // secret.
            (None, Some(_)) if !recipients.owns(endpoint) && !recipients.trusts(endpoint) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "the session names no OAuth client; the secret of yours was not sent to {}",
                        endpoint.host()
                    ),
                ));
            }
            (None, Some(client)) => client_form(client.id(), client.secret()),
            (None, None) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "the session does not say which OAuth client it belongs to, and none is given",
                ));
            }
        };
        let form = client
            .text("grant_type", "refresh_token")
            .secret("refresh_token", refresh)
            .hiding(&current.access);
        let response = self.http.post_form(endpoint, &form, &[]).await?;
        let refreshed =
            wire::read_token(Operation::Refresh, &response)?.into_token(self.clock.now());
        Ok(refreshed.issued_by(endpoint).inheriting(current))
    }

    /// Google does not rotate refresh tokens
    /// (developers.google.com/identity/protocols/oauth2#expiration).
    fn rotates_refresh_tokens(&self) -> bool {
        false
    }

    async fn revoke(&self, token: &OAuthToken) -> Result<Revocation> {
        let endpoint = &self.revocation_endpoint(token)?;
        // Revoking the refresh token ends the grant, and with it every access token.
        let credential = token.refresh.as_ref().unwrap_or(&token.access);
        let mut form = Form::new()
            .secret("token", credential)
            .hiding(&token.access);
        if let Some(secret) = &token.metadata.client_secret {
            form = form.hiding(secret);
        }
        let response = self.http.post_form(endpoint, &form, &[]).await?;
        wire::read_revocation(&response).map(|()| Revocation::Confirmed)
    }

    /// [`GeminiEndpoints::api_base`], if the session may be sent there.
    fn api_base(&self, token: &OAuthToken) -> Option<String> {
        let base = &self.endpoints.api_base;
        let api = SecureUrl::new(base).ok()?;
        let permitted = self.access_recipients().permit_access(token, &api).is_ok();
        permitted.then(|| base.clone())
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        wire::classify_api_response(response)
    }
}

impl GeminiProviderBuilder {
    /// The user's own OAuth client. A sign-in needs one; a refresh uses the session's.
    pub fn client(mut self, client: OAuthClient) -> Self {
        self.provider.client = Some(client);
        self
    }

    /// Other endpoints than Google's.
    ///
    /// New sign-ins use them. A stored session goes only to the server that issued it; see
    /// [`trust_endpoint`](Self::trust_endpoint).
    pub fn endpoints(mut self, endpoints: GeminiEndpoints) -> Self {
        self.provider.endpoints = endpoints;
        self
    }

    /// A server that may receive stored sessions although another issued them. None by default.
    pub fn trust_endpoint(mut self, host: TrustedHost) -> Self {
        self.provider.trusted.push(host);
        self
    }

    /// The project that is billed and limited; that of the client file by default.
    pub fn quota_project(mut self, project: impl Into<String>) -> Self {
        self.provider.quota_project = Some(project.into());
        self
    }

    /// The e-mail address of the intended account, so that Google offers that one (OpenID Connect
    /// Core section 3.1.2.1). The user may still choose another.
    pub fn login_hint(mut self, address: impl Into<String>) -> Self {
        self.provider.login_hint = Some(address.into());
        self
    }

    /// How long to wait for the browser; 5 minutes by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.provider.timeout = timeout;
        self
    }

    /// The HTTP client for sign-in, refresh and revocation alike.
    pub fn http(mut self, http: HttpClient) -> Self {
        self.provider.http = http;
        self
    }

    /// The clock; the computer's own by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.provider.clock = clock;
        self
    }

    /// The provider.
    #[must_use]
    pub fn build(self) -> GeminiProvider {
        self.provider
    }
}

/// The other secrets that a response to the access token must not show.
fn others(token: &OAuthToken) -> Vec<Secret> {
    let others = [&token.refresh, &token.metadata.client_secret];
    others.into_iter().flatten().cloned().collect()
}

fn client_form(id: &str, secret: Option<&Secret>) -> Form {
    let form = Form::new().text(CLIENT_ID, id);
    match secret {
        Some(secret) => form.secret("client_secret", secret),
        None => form,
    }
}
