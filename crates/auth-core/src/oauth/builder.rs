//! The settings of a provider.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::config::{ClientCredentials, FlowKind};
use super::endpoints::EndpointOverrides;
use super::protocol::Protocol;
use super::provider::OAuthProvider;
use super::settings::Settings;
use super::spec::ProviderSpec;
use crate::auth_provider::EndpointRole;
use crate::clock::{Clock, SystemClock};
use crate::device::PollSchedule;
use crate::error::Result;
use crate::http::HttpClient;
use crate::origin::TrustedHost;
use crate::secure_url::SecureUrl;

/// Settings of an [`OAuthProvider`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::{HttpClient, ProviderSpec as _, SecureUrl};
/// use llm_auth_core::provider::OAuthConfig;
///
/// let server = SecureUrl::known("https://auth.example/token");
/// let provider = OAuthConfig::new("example", server)
///     .builder()
///     .scope("openid inference")
///     .timeout(Duration::from_secs(120))
///     .http(HttpClient::builder().user_agent("my-agent/1.0").build()?)
///     .build();
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct OAuthProviderBuilder<S: ?Sized> {
    spec: Arc<dyn ProviderSpec>,
    settings: Settings,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    kind: PhantomData<fn(&S)>,
}

impl OAuthProviderBuilder<dyn ProviderSpec> {
    /// Settings of a provider whose spec is known at run time only.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use llm_auth_core::{AuthProvider as _, OAuthProviderBuilder};
    /// use llm_auth_core::provider::OAuthConfig;
    ///
    /// let file = r#"{"name": "vendor", "endpoints": {"token": "https://vendor.example/token"}}"#;
    /// let config: OAuthConfig = serde_json::from_str(file)?;
    /// let provider = OAuthProviderBuilder::of(Arc::new(config)).build();
    /// assert_eq!(provider.name(), "vendor");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn of(spec: Arc<dyn ProviderSpec>) -> Self {
        Self::with(spec)
    }
}

impl<S: ProviderSpec> OAuthProviderBuilder<S> {
    pub(super) fn new(spec: S) -> Self {
        Self::with(Arc::new(spec))
    }
}

impl<S: ProviderSpec + ?Sized> OAuthProviderBuilder<S> {
    fn with(spec: Arc<dyn ProviderSpec>) -> Self {
        Self {
            spec,
            settings: Settings::default(),
            http: HttpClient::default(),
            clock: Arc::new(SystemClock),
            kind: PhantomData,
        }
    }

    /// Endpoints in place of the provider's own.
    ///
    /// New sign-ins use them. A stored session goes only to the server that issued it; see
    /// [`trust_endpoint`](Self::trust_endpoint).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::EndpointOverrides;
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    ///
    /// let overrides = EndpointOverrides::default().base("http://127.0.0.1:4000")?;
    /// let provider = config.builder().overrides(overrides).build();
    /// assert_eq!(provider.config().endpoints.token.host(), "127.0.0.1:4000");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn overrides(mut self, overrides: EndpointOverrides) -> Self {
        self.settings.overrides = overrides;
        self
    }

    /// Moves every endpoint to another scheme, host and port, such as a simulated provider; see
    /// [`EndpointOverrides::base`].
    ///
    /// # Errors
    ///
    /// As [`EndpointOverrides::base`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    /// let provider = config.builder().base_url("http://127.0.0.1:4000")?.build();
    /// assert_eq!(provider.config().endpoints.token.as_str(), "http://127.0.0.1:4000/token");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn base_url(mut self, base: &str) -> Result<Self> {
        self.settings.overrides = self.settings.overrides.base(base)?;
        Ok(self)
    }

    /// Sets one endpoint; see [`EndpointOverrides::endpoint`].
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{EndpointRole, SecureUrl};
    /// # use llm_auth_core::ProviderSpec as _;
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    ///
    /// let url = SecureUrl::new("https://relay.example/token")?;
    /// let provider = config.builder().endpoint(EndpointRole::Token, url).build();
    /// assert_eq!(provider.config().endpoints.token.host(), "relay.example");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn endpoint(mut self, role: EndpointRole, url: SecureUrl) -> Self {
        self.settings.overrides = self.settings.overrides.endpoint(role, url);
        self
    }

    /// A server that may receive stored sessions although another issued them, and that they may
    /// name as their API. None by default.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    /// let provider = config
    ///     .builder()
    ///     .base_url("https://relay.example")?
    ///     .trust_endpoint("relay.example".parse()?)
    ///     .build();
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn trust_endpoint(mut self, host: TrustedHost) -> Self {
        self.settings.trusted.push(host);
        self
    }

    /// The OAuth client for new sign-ins. A stored session keeps the one that it was made with.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ClientCredentials;
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::{Client, OAuthConfig};
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    ///
    /// let client = ClientCredentials::new("my-app", None);
    /// let provider = config.builder().client(client.clone()).build();
    /// assert_eq!(provider.config().client, Client::Known(client));
    /// ```
    pub fn client(mut self, client: ClientCredentials) -> Self {
        self.settings.client = Some(client);
        self
    }

    /// The scopes of new sign-ins, separated by spaces.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    /// let provider = config.builder().scope("openid inference").build();
    /// assert_eq!(provider.config().scope, "openid inference");
    /// ```
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.settings.scope = Some(scope.into());
        self
    }

    /// The way to sign in, if the provider has several; its first one by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::FlowKind;
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    ///
    /// let provider = config.builder().flow(FlowKind::Device).build();
    /// ```
    pub fn flow(mut self, kind: FlowKind) -> Self {
        self.settings.flow = Some(kind);
        self
    }

    /// The pace of the polls of a device flow; the provider's own by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::PollSchedule;
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    ///
    /// let patient = PollSchedule::new().default_interval(Duration::from_secs(10));
    /// let provider = config.builder().schedule(patient).build();
    /// ```
    pub fn schedule(mut self, schedule: PollSchedule) -> Self {
        self.settings.schedule = Some(schedule);
        self
    }

    /// How long to wait for the user; by default 5 minutes in the browser, and in a device flow as
    /// long as the code lives.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    /// let provider = config.builder().timeout(Duration::from_secs(120)).build();
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// The e-mail address of the intended account, so that the sign-in page offers that one (OpenID
    /// Connect Core section 3.1.2.1). The user may still choose another.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    /// let provider = config.builder().login_hint("user@example.com").build();
    /// ```
    pub fn login_hint(mut self, address: impl Into<String>) -> Self {
        self.settings.login_hint = Some(address.into());
        self
    }

    /// The HTTP client for sign-in, refresh and revocation alike; a plain [`HttpClient`] by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::HttpClient;
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    ///
    /// let http = HttpClient::builder().user_agent("my-agent/1.0").build()?;
    /// let provider = config.builder().http(http).build();
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn http(mut self, http: HttpClient) -> Self {
        self.http = http;
        self
    }

    /// The clock; the computer's own by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use llm_auth_core::ManualClock;
    /// # use llm_auth_core::{ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    ///
    /// let clock = Arc::new(ManualClock::default());
    /// let provider = config.builder().clock(clock.clone()).build();
    /// ```
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The provider.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthProvider as _, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # let config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    /// // Opens no connection.
    /// let provider = config.builder().build();
    /// assert_eq!(provider.name(), "example");
    /// ```
    #[must_use]
    pub fn build(self) -> OAuthProvider<S> {
        let own = self.spec.config();
        OAuthProvider::of(Protocol {
            config: self.settings.applied_to(own.clone()),
            own,
            spec: self.spec,
            settings: self.settings,
            http: self.http,
            clock: self.clock,
        })
    }
}

impl<S: ?Sized> Clone for OAuthProviderBuilder<S> {
    fn clone(&self) -> Self {
        Self {
            spec: Arc::clone(&self.spec),
            settings: self.settings.clone(),
            http: self.http.clone(),
            clock: Arc::clone(&self.clock),
            kind: PhantomData,
        }
    }
}
