//! The HTTP client that every request of a session goes through.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap,
    HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;

use super::coding;
use super::dns::Resolver;
use super::failure::{no_answer, no_answer_through, too_long};
use super::form::{Form, bearer};
use super::moved::redirected;
use super::no_proxy::NoProxy;
use super::proxy::ProxyUrl;
use super::response::Response;
use super::retry_after;
use super::tls;
use crate::clock::{Clock, SystemClock};
use crate::engine::{self, AbortOnDrop};
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::printable;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// The largest body that is read, as golang.org/x/oauth2 has it.
const BODY_LIMIT: usize = 1024 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// Talks to credential endpoints: TLS except on loopback, no redirects, a User-Agent, bounded
/// in time and size.
///
/// Nothing is built before the first request, so making one costs nothing. One client serves
/// sign-in, refresh and revocation alike, so that a proxy or a CA counts for all of them.
/// Clones share connections.
///
/// It does not read the environment: `HTTPS_PROXY` and the like are the business of the
/// program, which calls [`HttpClientBuilder::proxy`].
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_core::Error> {
/// use std::time::Duration;
///
/// use llm_auth_core::HttpClient;
///
/// let http = HttpClient::builder()
///     .user_agent("my-agent/1.0")
///     .timeout(Duration::from_secs(10))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    settings: HttpClientBuilder,
    client: OnceLock<Built>,
    /// Past the proxy, if there is one.
    direct: OnceLock<Built>,
}

/// A client, and the process whose engine drives its connections: a forked child must not use
/// them.
struct Built {
    process: u32,
    client: reqwest::Client,
}

/// Settings of an [`HttpClient`].
#[derive(Clone)]
pub struct HttpClientBuilder {
    user_agent: String,
    timeout: Duration,
    connect_timeout: Duration,
    proxy: Option<(String, String)>,
    /// Why no secret goes through the proxy.
    secrets_refused: Option<String>,
    ca_pem: Vec<Vec<u8>>,
    clock: Arc<dyn Clock>,
}

impl HttpClient {
    /// Settings to start from.
    #[must_use]
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder {
            user_agent: concat!("llm-auth/", env!("CARGO_PKG_VERSION")).into(),
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            secrets_refused: None,
            ca_pem: Vec::new(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Posts a form (RFC 6749 section 3.2) and reads the whole answer, whatever its status.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transient`] if there is no whole answer; [`Error::answer_lost`] says
    /// whether the request may have arrived. [`ErrorKind::Redirected`] if the endpoint has
    /// moved. [`ErrorKind::Config`] or [`ErrorKind::System`] if the client cannot be built.
    pub async fn post_form(
        &self,
        endpoint: &SecureUrl,
        form: &Form,
        headers: &[(&'static str, String)],
    ) -> Result<Response> {
        let secrets = form.secrets();
        if !secrets.is_empty() {
            self.check_way(endpoint)?;
        }
        let request = self
            .client(endpoint)?
            .post(endpoint.url().clone())
            .header(CONTENT_TYPE, FORM)
            .body(form.body());
        self.send(endpoint, request, headers, secrets).await
    }

    /// The proxy of the settings, if requests to this endpoint take it.
    #[must_use]
    pub fn proxy_for(&self, endpoint: &SecureUrl) -> Option<ProxyUrl> {
        self.inner.settings.proxy_for(endpoint)
    }

    /// Checks that what is secret may be sent to this endpoint by the way that requests take.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it would pass a proxy that
    /// [`refuse_secrets_by_proxy`](HttpClientBuilder::refuse_secrets_by_proxy) is about.
    fn check_way(&self, endpoint: &SecureUrl) -> Result<()> {
        let settings = &self.inner.settings;
        let Some(why) = &settings.secrets_refused else {
            return Ok(());
        };
        match settings.proxy_for(endpoint) {
            None => Ok(()),
            Some(proxy) => Err(Error::new(
                ErrorKind::Config,
                format!("the proxy {proxy} could read what is sent ({why}); nothing was sent"),
            )),
        }
    }

    /// Asks without any credential, to see whether somebody answers.
    ///
    /// # Errors
    ///
    /// As [`post_form`](Self::post_form).
    pub async fn get(&self, endpoint: &SecureUrl) -> Result<Response> {
        let request = self.client(endpoint)?.get(endpoint.url().clone());
        self.send(endpoint, request, &[], Vec::new()).await
    }

    /// Asks with a bearer token in the `Authorization` header (RFC 6750 section 2.1). Text of the
    /// response that repeats the token or one of the `hidden` secrets is not shown.
    ///
    /// # Errors
    ///
    /// As [`post_form`](Self::post_form).
    pub async fn get_with_bearer(
        &self,
        endpoint: &SecureUrl,
        access: &Secret,
        hidden: &[Secret],
    ) -> Result<Response> {
        let request = self.client(endpoint)?.get(endpoint.url().clone());
        self.send_with_bearer(endpoint, request, access, hidden)
            .await
    }

    /// Posts an empty form with a bearer token in the `Authorization` header; `hidden` as for
    /// [`get_with_bearer`](Self::get_with_bearer).
    ///
    /// # Errors
    ///
    /// As [`post_form`](Self::post_form).
    pub async fn post_with_bearer(
        &self,
        endpoint: &SecureUrl,
        access: &Secret,
        hidden: &[Secret],
    ) -> Result<Response> {
        let request = self
            .client(endpoint)?
            .post(endpoint.url().clone())
            .header(CONTENT_TYPE, FORM)
            .body("");
        self.send_with_bearer(endpoint, request, access, hidden)
            .await
    }

    async fn send_with_bearer(
        &self,
        endpoint: &SecureUrl,
        request: reqwest::RequestBuilder,
        access: &Secret,
        hidden: &[Secret],
    ) -> Result<Response> {
        self.check_way(endpoint)?;
        let request = request.header(AUTHORIZATION, bearer(access)?);
        let secrets = [std::slice::from_ref(access), hidden].concat();
        self.send(endpoint, request, &[], secrets).await
    }

    async fn send(
        &self,
        endpoint: &SecureUrl,
        request: reqwest::RequestBuilder,
        headers: &[(&'static str, String)],
        secrets: Vec<Secret>,
    ) -> Result<Response> {
        // The connections belong to the engine: a caller's runtime may block, or end.
        let task = self
            .clone()
            .exchange(endpoint.clone(), request, headers.to_vec(), secrets);
        AbortOnDrop::spawn(&engine::io()?, task).await
    }

    async fn exchange(
        self,
        endpoint: SecureUrl,
        request: reqwest::RequestBuilder,
        headers: Vec<(&'static str, String)>,
        secrets: Vec<Secret>,
    ) -> Result<Response> {
        let (endpoint, headers) = (&endpoint, headers.as_slice());
        let mut map = HeaderMap::new();
        map.insert(ACCEPT, HeaderValue::from_static("application/json"));
        map.insert(ACCEPT_ENCODING, HeaderValue::from_static(coding::ACCEPTED));
        for (name, value) in headers {
            let not_valid = |source: &dyn fmt::Display| {
                Error::new(
                    ErrorKind::Config,
                    format!("the {} header is not valid", printable(name)),
                )
                .with_source(std::io::Error::other(source.to_string()))
            };
            let value = HeaderValue::from_str(value).map_err(|source| not_valid(&source))?;
            // In any case of letters, as names of headers are.
            let name = HeaderName::from_bytes(name.as_bytes());
            map.insert(name.map_err(|source| not_valid(&source))?, value);
        }
        let mut response = request
            .headers(map)
            .send()
            .await
            .map_err(|source| self.no_answer(endpoint, source))?;
        let status = response.status().as_u16();
        tracing::debug!(endpoint = %endpoint.host(), path = endpoint.url().path(), status, "answered");
        if response.status().is_redirection() {
            return Err(redirected(
                endpoint,
                status,
                response.headers().get(LOCATION),
                &secrets,
            ));
        }
        let text = |name| response.headers().get(name)?.to_str().ok();
        let date = text(DATE).and_then(retry_after::instant);
        let retry_after = text(RETRY_AFTER).and_then(|header| {
            let now = date.unwrap_or_else(|| self.inner.settings.clock.now());
            retry_after::wait(header, now)
        });
        let mut answer = Response::new(endpoint.clone(), status, secrets)
            .with_retry_after(retry_after)
            .with_date(date);
        let codings = listed_codings(response.headers());
        // From here on there is a status: with 2xx, what was asked for has been done.
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                // The end is missing, and nothing of what the response says.
                Err(_cut_off) if answer.is_success() && answer.is_whole_object() => break,
                Err(source) => {
                    return Err(self
                        .no_answer(endpoint, source)
                        .with_status(status)
                        .with_cut_off_response());
                }
            };
            if answer.body().len() + chunk.len() > BODY_LIMIT {
                return Err(too_long(endpoint, status));
            }
            answer.push(&chunk);
        }
        if answer.decode(&codings, BODY_LIMIT) {
            Ok(answer)
        } else {
            Err(too_long(endpoint, status))
        }
    }

    fn client(&self, endpoint: &SecureUrl) -> Result<reqwest::Client> {
        let Inner {
            settings,
            client,
            direct,
        } = &*self.inner;
        let with_proxy = settings.proxy_for(endpoint).is_some();
        let place = if with_proxy { client } else { direct };
        let process = std::process::id();
        if let Some(built) = place.get().filter(|built| built.process == process) {
            return Ok(built.client.clone());
        }
        let client = settings.build_client(with_proxy)?;
        let built = Built {
            process,
            client: client.clone(),
        };
        // In a forked child the place is taken, and each request has a client of its own.
        let _kept: std::result::Result<(), Built> = place.set(built);
        Ok(client)
    }

    /// What to make of a request without a whole answer.
    fn no_answer(&self, endpoint: &SecureUrl, source: reqwest::Error) -> Error {
        let patience = self.inner.settings.timeout;
        match self.inner.settings.proxy_for(endpoint) {
            Some(proxy) => no_answer_through(&proxy.host(), endpoint, patience, source),
            None => no_answer(endpoint.host(), patience, source),
        }
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                settings: Self::builder(),
                client: OnceLock::new(),
                direct: OnceLock::new(),
            }),
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.settings.fmt(f)
    }
}

impl HttpClientBuilder {
    /// The `User-Agent` header; `llm-auth/<version>` by default. Qwen's token endpoint answers
    /// a web page to a request without one (NousResearch/hermes-agent#7746).
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// The time for a whole request and its answer; 20 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The time to connect; 10 s by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// A proxy for everything but loopback and the hosts in `except` (the syntax of
    /// `NO_PROXY`, also `host:port`): `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`. None by default.
    #[must_use]
    pub fn proxy(mut self, url: impl Into<String>, except: impl Into<String>) -> Self {
        self.proxy = Some((url.into(), except.into()));
        self
    }

    /// Sends nothing secret through the proxy, for the reason given, such as "the environment says
    /// whose certificates count": such a proxy could read it. Secrets go through it by default,
    /// inside TLS.
    #[must_use]
    pub fn refuse_secrets_by_proxy(mut self, why: impl Into<String>) -> Self {
        self.secrets_refused = Some(why.into());
        self
    }

    /// Certificates in PEM form to trust beside those of the operating system.
    #[must_use]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem.push(pem.into());
        self
    }

    /// Where the time comes from that a date in `Retry-After` counts from if the response has
    /// no `Date`; the computer's own clock by default.
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
    pub fn build(self) -> Result<HttpClient> {
        HeaderValue::from_str(&self.user_agent).map_err(|source| {
            Error::new(ErrorKind::Config, "the User-Agent is not valid").with_source(source)
        })?;
        self.reqwest_proxy()?;
        self.certificates()?;
        Ok(HttpClient {
            inner: Arc::new(Inner {
                settings: self,
                client: OnceLock::new(),
                direct: OnceLock::new(),
            }),
        })
    }

    /// The proxy through which this endpoint is asked.
    fn proxy_for(&self, endpoint: &SecureUrl) -> Option<ProxyUrl> {
        let (url, except) = self.proxy.as_ref()?;
        let is_direct = endpoint.is_loopback() || NoProxy::read(except).has(endpoint.url());
        // One that is no URL is an error of `build`.
        (!is_direct).then(|| ProxyUrl::new(url).ok()).flatten()
    }

    fn build_client(&self, with_proxy: bool) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .timeout(self.timeout)
            .connect_timeout(self.connect_timeout)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .dns_resolver(Arc::new(Resolver))
            // A response with an odd header is a response: what it says must not be lost.
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
                "an entry of the hosts without a proxy is neither a host, an address nor a network, \
                 with or without a port",
            ));
        }
        let url = ProxyUrl::new(url)?.url().clone();
        // The URL may hold a password: the cause is not kept.
        let no_url = |_source| Error::new(ErrorKind::Config, "the proxy is not a URL");
        let proxy = reqwest::Proxy::all(url).map_err(no_url)?;
        Ok(Some(proxy))
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
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

/// What the `Content-Encoding` headers say, on one line.
fn listed_codings(headers: &HeaderMap) -> String {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let lines: Vec<_> = lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    lines.join(",")
}
