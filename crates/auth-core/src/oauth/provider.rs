//! The one provider of all specs.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;

use super::builder::OAuthProviderBuilder;
use super::config::{DeviceFlow, OAuthConfig};
use super::protocol::Protocol;
use super::spec::ProviderSpec;
use crate::api_response::{ApiResponse, ApiStatus};
use crate::auth_provider::{Api, AuthProvider, EndpointRole, Revocation};
use crate::device::DeviceAuthorization;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::{Operation, Poll, TokenResponse};
use crate::pkce::Pkce;
use crate::prompt::UserPrompt;
use crate::secure_url::SecureUrl;
use crate::token::OAuthToken;

/// Signs in at the provider that `S` describes, refreshes its sessions and revokes them.
///
/// Creating one is free and opens no connection. Clones share it. See the spec `S` for what the
/// provider does differently.
///
/// `OAuthProvider<dyn ProviderSpec>` is one whose spec is known at run time only; see
/// [`OAuthProviderBuilder::of`].
///
/// A session records the OAuth client that it was made with, and goes only to the server that issued
/// it, unless another is [trusted](OAuthProviderBuilder::trust_endpoint).
///
/// # Examples
///
/// ```
/// use llm_auth_core::{AuthProvider as _, OAuthProvider, ProviderSpec as _, SecureUrl};
/// use llm_auth_core::provider::OAuthConfig;
///
/// let server = SecureUrl::known("https://auth.example/token");
/// let provider: OAuthProvider<OAuthConfig> = OAuthConfig::new("example", server).provider();
/// assert_eq!(provider.name(), "example");
/// ```
pub struct OAuthProvider<S: ?Sized> {
    protocol: Arc<Protocol>,
    kind: PhantomData<fn(&S)>,
}

impl<S: ProviderSpec + Default> OAuthProvider<S> {
    /// A provider with everything at its default.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthProvider, ProviderSpec, SecureUrl};
    /// use llm_auth_core::provider::OAuthConfig;
    ///
    /// #[derive(Debug, Default)]
    /// struct Example;
    ///
    /// impl ProviderSpec for Example {
    ///     fn config(&self) -> OAuthConfig {
    ///         OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"))
    ///     }
    /// }
    ///
    /// let provider = OAuthProvider::<Example>::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        S::default().provider()
    }

    /// Settings to start from.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{OAuthProvider, ProviderSpec, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[derive(Debug, Default)]
    /// # struct Example;
    /// # impl ProviderSpec for Example {
    /// #     fn config(&self) -> OAuthConfig {
    /// #         OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"))
    /// #     }
    /// # }
    /// let provider = OAuthProvider::<Example>::builder()
    ///     .base_url("http://127.0.0.1:4000")?
    ///     .build();
    /// assert_eq!(provider.config().endpoints.token.as_str(), "http://127.0.0.1:4000/token");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn builder() -> OAuthProviderBuilder<S> {
        S::default().builder()
    }
}

impl<S: ProviderSpec + Default> Default for OAuthProvider<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: ?Sized> OAuthProvider<S> {
    #[cfg(feature = "loopback")]
    pub(super) fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    pub(super) fn of(protocol: Protocol) -> Self {
        Self {
            protocol: Arc::new(protocol),
            kind: PhantomData,
        }
    }
}

impl<S: ProviderSpec + ?Sized> OAuthProvider<S> {
    /// The configuration for new sign-ins, with the user's settings applied.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// let provider = OAuthConfig::new("example", server).builder().scope("openid").build();
    /// assert_eq!(provider.config().scope, "openid");
    /// ```
    #[must_use]
    pub fn config(&self) -> &OAuthConfig {
        &self.protocol.config
    }

    /// Requests a device code; the first half of [`authenticate`](AuthProvider::authenticate) for
    /// programs that do their own waiting.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transient`] for network errors and for a firewall's web page,
    /// [`ErrorKind::Redirected`] if the endpoint has moved, [`ErrorKind::StateMismatch`] if the
    /// response does not carry the `state` that was sent, [`ErrorKind::Expired`] if the code had
    /// expired when it came (a wrong clock), [`ErrorKind::Config`] if the provider has no device
    /// flow, or does not know the client or the scope, [`ErrorKind::Protocol`] for any other
    /// rejection and for a senseless response.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(
    /// #     provider: llm_auth_core::OAuthProvider<llm_auth_core::provider::OAuthConfig>,
    /// # ) -> llm_auth_core::Result<()> {
    /// // Asks the server.
    /// let (device, pkce) = provider.request_device_code().await?;
    /// println!("open {} and enter {}", device.verification_uri, device.user_code);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn request_device_code(&self) -> Result<(DeviceAuthorization, Pkce)> {
        self.protocol.request_device_code(self.device_flow()?).await
    }

    /// Polls once whether the user has decided. The caller waits between polls, and stops when the
    /// code has expired.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`] and [`ErrorKind::Expired`] end a sign-in, [`ErrorKind::Protocol`] too;
    /// [`ErrorKind::Transient`] and [`ErrorKind::RateLimited`] do not.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::provider::Poll;
    ///
    /// # async fn run(
    /// #     provider: llm_auth_core::OAuthProvider<llm_auth_core::provider::OAuthConfig>,
    /// #     manager: llm_auth_core::AuthManager,
    /// # ) -> llm_auth_core::Result<()> {
    /// // Asks the server.
    /// let (device, pkce) = provider.request_device_code().await?;
    /// let mut pause = device.interval.unwrap_or(Duration::from_secs(5));
    /// loop {
    ///     tokio::time::sleep(pause).await;
    ///     match provider.poll_for_token(&device, &pkce).await? {
    ///         Poll::Ready(response) => {
    ///             manager.insert_session(provider.session(response)).await?;
    ///             break;
    ///         }
    ///         Poll::SlowDown(named) => pause = named.unwrap_or(pause + Duration::from_secs(5)),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn poll_for_token(&self, device: &DeviceAuthorization, pkce: &Pkce) -> Result<Poll> {
        let flow = self.device_flow()?;
        self.protocol.poll(flow, device, pkce).await
    }

    /// The session from a successful poll; the last step of
    /// [`authenticate`](AuthProvider::authenticate) for programs that do their own waiting. Pass it
    /// to [`AuthManager::insert_session`](crate::AuthManager::insert_session).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::TokenResponse;
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::{OAuthConfig, Response};
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// # let provider = OAuthConfig::new("example", endpoint.clone()).provider();
    /// # let body = r#"{"access_token": "made-up", "expires_in": 3600}"#;
    /// # let fields = Response::for_test(&endpoint, 200, body).json()?;
    ///
    /// let session = provider.session(TokenResponse::read(&fields)?);
    /// assert_eq!(session.metadata.server.as_deref(), Some("https://auth.example"));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn session(&self, response: TokenResponse) -> OAuthToken {
        let client = self.protocol.config.client.credentials();
        self.protocol.session(response, client)
    }

    fn device_flow(&self) -> Result<&DeviceFlow> {
        let config = &self.protocol.config;
        config.device_flow().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("{} does not support the device flow", config.title()),
            )
        })
    }
}

#[async_trait]
impl<S: ProviderSpec + ?Sized> AuthProvider for OAuthProvider<S> {
    fn name(&self) -> &str {
        &self.protocol.config.name
    }

    async fn authenticate(&self, prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        self.protocol.authenticate(prompt).await
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        self.protocol.refresh(current).await
    }

    fn rotates_refresh_tokens(&self) -> bool {
        self.protocol.config.rotates_refresh_tokens
    }

    async fn revoke(&self, session: &OAuthToken) -> Result<Revocation> {
        self.protocol.revoke(session).await
    }

    fn api(&self, session: &OAuthToken) -> Result<Api> {
        self.protocol.api(session)
    }

    fn api_errors_in_success(&self) -> bool {
        self.protocol.config.api_errors_in_success
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        self.protocol.spec.classify_api_response(response)
    }

    async fn check_access(&self, session: &OAuthToken) -> Result<Option<ApiStatus>> {
        self.protocol.check_access(session).await
    }

    fn import_session(&self, session: OAuthToken) -> Result<OAuthToken> {
        self.protocol.in_use(&session)?.imported(session)
    }

    fn endpoints(&self, session: Option<&OAuthToken>) -> Result<Vec<(EndpointRole, SecureUrl)>> {
        let in_use = match session {
            Some(session) => self.protocol.in_use(session)?,
            None => self.protocol.default_use(),
        };
        let endpoints = in_use.config.endpoints.iter();
        Ok(endpoints.map(|(role, url)| (role, url.clone())).collect())
    }

    fn recipient(&self, operation: Operation, session: &OAuthToken) -> Result<Option<SecureUrl>> {
        self.protocol.recipient(operation, session)
    }

    fn check_session(&self, session: &OAuthToken) -> Result<()> {
        self.protocol.check_session(session)
    }

    fn check_issued(&self, session: &OAuthToken) -> Result<()> {
        self.protocol.check_issued(session)
    }

    fn no_hand_out(&self) -> Option<&str> {
        self.protocol.config.no_hand_out.as_deref()
    }

    fn local_only(&self) -> Option<&str> {
        self.protocol.config.local_only.as_deref()
    }
}

impl<S: ?Sized> Clone for OAuthProvider<S> {
    fn clone(&self) -> Self {
        Self {
            protocol: Arc::clone(&self.protocol),
            kind: PhantomData,
        }
    }
}

impl<S: ?Sized> fmt::Debug for OAuthProvider<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthProvider")
            .field("config", &self.protocol.config)
            .field("settings", &self.protocol.settings)
            .field("http", &self.protocol.http)
            .finish_non_exhaustive()
    }
}
