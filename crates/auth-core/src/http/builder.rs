//! The settings of the HTTP client, and how they become one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;

use super::client::HttpClient;
use super::dns::Resolver;
use super::no_proxy::NoProxy;
use super::proxy::ProxyUrl;
use super::tls;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::secure_url::SecureUrl;

/// Settings of an [`HttpClient`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::HttpClient;
///
/// let http = HttpClient::builder()
///     .user_agent("my-agent/1.0")
///     .timeout(Duration::from_secs(10))
///     .proxy("http://proxy.example:8080", "internal.example")
///     .build()?;
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone)]
pub struct HttpClientBuilder {
    pub(super) user_agent: String,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    proxy: Option<(String, String)>,
    /// The reason for not sending secrets through the proxy.
    pub(super) secrets_refused: Option<String>,
    ca_pem: Vec<Vec<u8>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl HttpClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            user_agent: concat!("llm-auth/", env!("CARGO_PKG_VERSION")).into(),
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            secrets_refused: None,
            ca_pem: Vec::new(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The `User-Agent` header; `llm-auth/<version>` by default. Qwen's token endpoint returns a
    /// web page if it is missing (NousResearch/hermes-agent#7746).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::HttpClient;
    ///
    /// let http = HttpClient::builder().user_agent("my-agent/1.0").build()?;
    /// assert!(HttpClient::builder().user_agent("two\nlines").build().is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// The time limit for a whole request and its response; 20 s by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::HttpClient;
    ///
    /// let http = HttpClient::builder().timeout(Duration::from_secs(60)).build()?;
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The time limit for connecting; 10 s by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::HttpClient;
    ///
    /// let http = HttpClient::builder().connect_timeout(Duration::from_secs(3)).build()?;
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// A proxy for everything but loopback and the hosts in `except` (the syntax of
    /// `NO_PROXY`, also `host:port`): `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`. None by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{HttpClient, SecureUrl};
    ///
    /// let http = HttpClient::builder()
    ///     .proxy("socks5h://proxy.example", "internal.example, 10.0.0.0/8")
    ///     .build()?;
    /// let direct = SecureUrl::known("https://internal.example/token");
    /// assert!(http.proxy_for(&direct).is_none());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn proxy(mut self, url: impl Into<String>, except: impl Into<String>) -> Self {
        self.proxy = Some((url.into(), except.into()));
        self
    }

    /// Sends no secrets through the proxy, for the given reason, such as "the environment says
    /// whose certificates count": such a proxy could read them. By default, secrets go through it
    /// inside TLS.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::HttpClient;
    ///
    /// let http = HttpClient::builder()
    ///     .proxy("http://proxy.example:8080", "")
    ///     .refuse_secrets_by_proxy("a variable names other certificates")
    ///     .build()?;
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn refuse_secrets_by_proxy(mut self, why: impl Into<String>) -> Self {
        self.secrets_refused = Some(why.into());
        self
    }

    /// Certificates in PEM form to trust in addition to the operating system's.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::HttpClient;
    ///
    /// # let params = rcgen::CertificateParams::new(vec!["ca.example".into()]).unwrap();
    /// # let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    /// # let pem = certificate.pem();
    /// let http = HttpClient::builder().ca_certificates(pem).build()?;
    /// assert!(HttpClient::builder().ca_certificates("no certificate").build().is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem.push(pem.into());
        self
    }

    /// The clock for a date in `Retry-After` if the response has no `Date`; the computer's own
    /// clock by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use llm_auth_core::{HttpClient, ManualClock};
    ///
    /// let clock = Arc::new(ManualClock::default());
    /// let http = HttpClient::builder().clock(clock.clone()).build()?;
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the user agent, the proxy or a certificate is not valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{ErrorKind, HttpClient};
    ///
    /// let error = HttpClient::builder().proxy("ftp://proxy.example", "").build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// ```
    pub fn build(self) -> Result<HttpClient> {
        HeaderValue::from_str(&self.user_agent).map_err(|source| {
            Error::new(ErrorKind::Config, "the User-Agent is not valid").with_source(source)
        })?;
        self.reqwest_proxy()?;
        self.certificates()?;
        Ok(HttpClient::with_settings(self))
    }

    /// The proxy for requests to this endpoint.
    pub(super) fn proxy_for(&self, endpoint: &SecureUrl) -> Option<ProxyUrl> {
        let (url, except) = self.proxy.as_ref()?;
        let is_direct = endpoint.is_loopback() || NoProxy::read(except).has(endpoint.url());
        // `build` rejects a proxy that is not a URL.
        (!is_direct).then(|| ProxyUrl::new(url).ok()).flatten()
    }

    pub(super) fn build_client(&self, with_proxy: bool) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .timeout(self.timeout)
            .connect_timeout(self.connect_timeout)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .dns_resolver(Arc::new(Resolver))
            // A response with an odd header is still a response: its content must not be lost.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .tls_backend_preconfigured(tls::config(&self.certificates()?)?);
        if let Some(proxy) = self.reqwest_proxy()?.filter(|_| with_proxy) {
            builder = builder.proxy(proxy);
        }
        builder.build().map_err(|source| {
            Error::new(ErrorKind::System, "cannot build the HTTP client").with_source(source)
        })
    }

    fn reqwest_proxy(&self) -> Result<Option<reqwest::Proxy>> {
        let Some((url, except)) = &self.proxy else {
            return Ok(None);
        };
        if !NoProxy::is_valid(except) {
            return Err(Error::new(
                ErrorKind::Config,
                "an entry of the no-proxy list is not a host, address or network with an optional \
                 port",
            ));
        }
        let url = ProxyUrl::new(url)?.url().clone();
        // The URL may hold a password, so the cause is dropped.
        let no_url = |_source| Error::new(ErrorKind::Config, "the proxy is not a URL");
        let proxy = reqwest::Proxy::all(url).map_err(no_url)?;
        Ok(Some(proxy))
    }

    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        let mut found = Vec::new();
        for pem in &self.ca_pem {
            found.extend(tls::certificates(pem)?);
        }
        Ok(found)
    }
}

impl fmt::Debug for HttpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("user_agent", &self.user_agent)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("proxy", &self.proxy.is_some())
            .field("ca_files", &self.ca_pem.len())
            .finish()
    }
}
