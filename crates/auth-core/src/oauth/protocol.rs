//! The life of a session as requests: refresh, revocation, import, and the API that it is for.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderName;
use tokio::time::timeout;

use super::config::{ClientCredentials, Flow, OAuthConfig};
use super::id_token::Claimed;
use super::recipients::InUse;
use super::requests;
use super::settings::Settings;
use super::spec::{Call, ProviderSpec};
use crate::auth_provider::{Api, EndpointRole, Revocation};
use crate::clock::Clock;
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::{Operation, TokenResponse};
use crate::http::{Form, HttpClient, Response};
use crate::prompt::UserPrompt;
use crate::sanitize::{is_header_value, printable};
use crate::secure_url::SecureUrl;
use crate::token::OAuthToken;

/// The name under which a session records its client.
pub(super) const CLIENT_ID: &str = "client_id";

/// The member of the provider data that records the API at another server than the provider's.
pub(super) const API: &str = "api_base";

/// The time limit for the name of a session, which is not stored before.
const IDENTITY_TIME: Duration = Duration::from_secs(5);

/// A provider of any spec, compiled once.
#[derive(Debug)]
pub(super) struct Protocol {
    pub(super) spec: Arc<dyn ProviderSpec>,
    /// The provider's own configuration.
    pub(super) own: OAuthConfig,
    /// The same with the user's settings.
    pub(super) config: OAuthConfig,
    pub(super) settings: Settings,
    pub(super) http: HttpClient,
    pub(super) clock: Arc<dyn Clock>,
}

impl Protocol {
    /// The configuration for new sign-ins.
    pub(super) fn default_use(&self) -> InUse<'_> {
        InUse {
            config: Cow::Borrowed(&self.config),
            own: Cow::Borrowed(&self.own),
            trusted: &self.settings.trusted,
        }
    }

    /// The configuration of a session.
    pub(super) fn in_use(&self, session: &OAuthToken) -> Result<InUse<'_>> {
        Ok(match self.spec.config_for(session)? {
            None => self.default_use(),
            Some(own) => InUse {
                config: Cow::Owned(self.settings.applied_to(own.clone())),
                own: Cow::Owned(own),
                trusted: &self.settings.trusted,
            },
        })
    }

    pub(super) fn call<'a>(&'a self, operation: Operation, config: &'a OAuthConfig) -> Call<'a> {
        Call::new(operation, config, self.clock.now(), self.spec.as_ref())
    }

    /// The client that a new sign-in names.
    pub(super) fn sign_in_client(&self) -> Result<Option<&ClientCredentials>> {
        match &self.config.client {
            super::Client::Required(help) => Err(Error::new(ErrorKind::Config, help)),
            client => Ok(client.credentials()),
        }
    }

    pub(super) async fn authenticate(&self, prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        match self.config.flows.first() {
            Some(Flow::Device(flow)) => self.device_flow(flow, prompt).await,
            #[cfg(feature = "loopback")]
            Some(Flow::Code(flow)) => self.code_flow(flow, prompt).await,
            #[cfg(not(feature = "loopback"))]
            Some(Flow::Code(_)) => Err(Error::new(
                ErrorKind::Config,
                "this program was built without browser sign-in: enable the feature `loopback`",
            )),
            None => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{} does not support this way to sign in",
                    self.config.title()
                ),
            )),
        }
    }

    /// Posts a request of a new sign-in to the token endpoint.
    pub(super) async fn post_token(&self, config: &OAuthConfig, form: &Form) -> Result<Response> {
        let endpoint = &config.endpoints.token;
        self.http.post(endpoint, config.body, form, &[]).await
    }

    /// The session from the response to a new sign-in.
    pub(super) fn session(
        &self,
        response: TokenResponse,
        client: Option<&ClientCredentials>,
    ) -> OAuthToken {
        let session = response.into_token(self.clock.now());
        let session = session.issued_by(&self.config.endpoints.token);
        self.default_use().begun(session, client)
    }

    /// A sign-in without the scope that every call needs is rejected at once. At a refresh it is too
    /// late for that, since the old refresh token is spent.
    pub(super) fn check_scope(&self, granted: &TokenResponse) -> Result<()> {
        let (Some(required), Some(scope)) = (&self.config.required_scope, &granted.scope) else {
            return Ok(());
        };
        if scope.split_whitespace().any(|name| name == required) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Protocol,
            format!("{} granted a scope without {required}", self.config.title()),
        ))
    }

    /// The session with the user's identity: that of the ID token, or what the provider reports.
    /// Failing to get it must not fail a sign-in.
    pub(super) async fn identified(&self, mut session: OAuthToken, user: Claimed) -> OAuthToken {
        if user.email.is_some() {
            session.metadata.identity = user.email;
            return session;
        }
        let subject = user.subject.as_deref();
        // A caller without a runtime has redeemed its code already.
        let asked = engine::inside(async {
            let asked = timeout(IDENTITY_TIME, self.identity(&session, subject));
            Ok(asked.await.ok())
        });
        let identity = match asked.await {
            Ok(Some(identity)) => identity,
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        session.metadata.identity = identity.unwrap_or_else(|error| {
            tracing::debug!(%error, "the user's identity is unknown");
            None
        });
        session
    }

    async fn identity(
        &self,
        session: &OAuthToken,
        subject: Option<&str>,
    ) -> Result<Option<String>> {
        let in_use = self.default_use();
        let config = &in_use.config;
        let granted = session.scope.as_deref().unwrap_or(&config.scope);
        let reports_it = |scope: &str| config.identity_scopes.iter().any(|name| name == scope);
        let Some(endpoint) = &config.endpoints.userinfo else {
            return Ok(None);
        };
        if !granted.split_whitespace().any(reports_it) {
            return Ok(None);
        }
        let recipients = in_use.of_access();
        let endpoint = recipients.permit_access(session, endpoint)?;
        let hidden = [&session.refresh, &session.metadata.client_secret];
        let hidden: Vec<_> = hidden.into_iter().flatten().cloned().collect();
        let response = self
            .http
            .get_with_bearer(endpoint, &session.access, &hidden)
            .await?;
        if let Some(subject) = subject
            && response
                .json()
                .is_ok_and(|fields| fields.text("sub") != Some(subject))
        {
            // OpenID Connect Core section 5.3.2.
            tracing::debug!("the userinfo response is about another user than the ID token");
            return Ok(None);
        }
        let call = self.call(Operation::UserInfo, config);
        self.spec.identity(&call, &response)
    }

    pub(super) async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        let refresh = current.refresh_token()?;
        let in_use = self.in_use(current)?;
        let config = &in_use.config;
        let recipients = in_use.of_tokens();
        self.check_issued(current)?;
        let endpoint = recipients.permit(current, &config.endpoints.token)?;
        let client = in_use.client(current, endpoint)?;
        let form = requests::refresh(config, client.as_ref(), refresh).hiding(&current.access);
        let response = self.http.post(endpoint, config.body, &form, &[]).await?;
        let call = self.call(Operation::Refresh, config);
        let refreshed = self.spec.token(&call, &response)?.into_token(call.now);
        let refreshed = refreshed.issued_by(endpoint);
        Ok(in_use.refreshed(refreshed, client.as_ref(), current))
    }

    pub(super) async fn revoke(&self, session: &OAuthToken) -> Result<Revocation> {
        let in_use = self.in_use(session)?;
        let config = &in_use.config;
        let Some(endpoint) = &config.endpoints.revocation else {
            return Ok(Revocation::NotSupported);
        };
        let recipients = in_use.of_tokens();
        let endpoint = recipients.permit(session, endpoint)?;
        // Revoking the refresh token ends the grant, and with it every access token (RFC 7009
        // section 2.1).
        let (hint, credential) = match &session.refresh {
            Some(refresh) => ("refresh_token", refresh),
            None => ("access_token", &session.access),
        };
        let client = in_use.client(session, endpoint)?;
        let form = requests::revocation(config, client.as_ref(), hint, credential);
        let form = form.hiding(&session.access);
        let response = self.http.post_form(endpoint, &form, &[]).await?;
        // RFC 7009 section 2.2: the body means nothing, unless it is an error after all.
        let says_nothing = !response.is_web_page() && response.json().is_err();
        if response.is_success() && says_nothing {
            return Ok(Revocation::Confirmed);
        }
        let call = self.call(Operation::Revocation, config);
        call.read(&response).map(|_fields| Revocation::Confirmed)
    }

    /// The endpoint that an operation sends the session's credentials to.
    pub(super) fn recipient(
        &self,
        operation: Operation,
        session: &OAuthToken,
    ) -> Result<Option<SecureUrl>> {
        let in_use = self.in_use(session)?;
        let endpoints = &in_use.config.endpoints;
        let (endpoint, is_access) = match operation {
            Operation::Refresh => (Some(&endpoints.token), false),
            Operation::Revocation => (endpoints.revocation.as_ref(), false),
            Operation::UserInfo => (endpoints.userinfo.as_ref(), true),
            _ => (None, false),
        };
        let permit = |endpoint| match is_access {
            true => in_use.of_access().permit_access(session, endpoint).cloned(),
            false => in_use.of_tokens().permit(session, endpoint).cloned(),
        };
        endpoint.map(permit).transpose()
    }

    pub(super) fn check_issued(&self, session: &OAuthToken) -> Result<()> {
        self.spec.check_issued(session)
    }

    pub(super) fn check_session(&self, session: &OAuthToken) -> Result<()> {
        self.check_issued(session)?;
        for operation in [
            Operation::Refresh,
            Operation::Revocation,
            Operation::UserInfo,
        ] {
            self.recipient(operation, session)?;
        }
        let in_use = self.in_use(session)?;
        if let Some(api) = &in_use.config.endpoints.api_base {
            in_use.of_access().permit_access(session, api)?;
        }
        Ok(())
    }

    /// The API of a session: the one that it names, if that is the provider's, is at the server that
    /// issued it or is trusted; otherwise the configured one, by the same rule.
    pub(super) fn api(&self, session: &OAuthToken) -> Result<Api> {
        let Ok(in_use) = self.in_use(session) else {
            return Ok(Api::default());
        };
        let config = &in_use.config;
        let recipients = in_use.of_access();
        let permitted = |api: &SecureUrl| recipients.permit_access(session, api).is_ok();
        // A gateway that the user has set goes before what the session names.
        let set = self.settings.overrides.of_role(EndpointRole::ApiBase);
        let recorded = session.metadata.provider_data.get(API);
        let recorded = || recorded.and_then(|api| SecureUrl::new(api).ok());
        let named = self.spec.named_api(session).or_else(recorded);
        let named = named.filter(|_| set.is_none());
        let (believed, ignored) = match named {
            Some(api) if self.spec.serves_api(&api, config) || permitted(&api) => (Some(api), None),
            named => (None, named.map(|api| api.host())),
        };
        let default = config.endpoints.api_base.as_ref();
        let base = believed.or_else(|| default.filter(|api| permitted(api)).cloned());
        let headers = self.spec.api_headers(session, config)?;
        for (name, value) in &headers {
            check_api_header(name, value)?;
        }
        Ok(Api {
            base: base.map(|api| self.spec.api_base(&api)),
            headers,
            ignored,
        })
    }
}

/// Headers that carry the token, frame a message or belong to one connection or one body (RFC 9110
/// sections 7.6.1 and 8.6, RFC 9112): each call has its own.
const OF_THE_CALL: [&str; 15] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Checks that a header can be sent with each API call, besides that of the token.
///
/// # Errors
///
/// [`ErrorKind::Config`] if it is no header, or one that each call has of its own: `Authorization`,
/// `Host`, `Content-Length` and the others that frame a message or belong to a connection.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::check_api_header;
///
/// assert!(check_api_header("x-team", "models").is_ok());
/// assert!(check_api_header("Authorization", "Bearer made-up").is_err());
/// assert!(check_api_header("Content-Length", "5").is_err());
/// ```
pub fn check_api_header(name: &str, value: &str) -> Result<()> {
    let is_own = OF_THE_CALL.iter().any(|own| own.eq_ignore_ascii_case(name));
    if !is_own && HeaderName::from_bytes(name.as_bytes()).is_ok() && is_header_value(value) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "the API header {:?} cannot be sent: correct its name or its value",
            printable(name)
        ),
    ))
}
