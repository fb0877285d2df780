//! The HTTP client for every request that holds a credential.

use std::fmt;
use std::sync::{Arc, OnceLock};

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap,
    HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};

use super::builder::HttpClientBuilder;
use super::coding;
use super::failure::{Cause, no_response, no_response_through, too_long};
use super::form::{BodyFormat, Form, bearer};
use super::gate::Gate;
use super::limit::Limit;
use super::moved::redirected;
use super::proxy::ProxyUrl;
use super::response::Response;
use super::retry_after;
use super::stream::ENDLESS;
use crate::engine::{self, AbortOnDrop};
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::printable;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// The largest body that the client reads, as in golang.org/x/oauth2.
const BODY_LIMIT: usize = 1024 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// A client for credential endpoints: TLS except on loopback, no redirects, a User-Agent, limited
/// time and size.
///
/// It builds nothing before the first request, so creating one is free. One client serves sign-in,
/// refresh and revocation, so that a proxy or a CA applies to all of them. Clones share
/// connections.
///
/// It does not read the environment: the program applies `HTTPS_PROXY` and the like with
/// [`HttpClientBuilder::proxy`].
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
    /// The client that bypasses the proxy.
    direct: OnceLock<Built>,
}

/// A client, and the process whose engine drives its connections: a forked child must not use
/// them.
struct Built {
    process: u32,
    client: reqwest::Client,
}

impl HttpClient {
    /// Settings to start from.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::HttpClient;
    ///
    /// let http = HttpClient::builder().user_agent("my-agent/1.0").build()?;
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder::new()
    }

    pub(super) fn with_settings(settings: HttpClientBuilder) -> Self {
        Self {
            inner: Arc::new(Inner {
                settings,
                client: OnceLock::new(),
                direct: OnceLock::new(),
            }),
        }
    }

    pub(super) fn settings(&self) -> &HttpClientBuilder {
        &self.inner.settings
    }

    /// The same settings; no connection is shared.
    pub(super) fn with_own_connections(&self) -> Self {
        Self::with_settings(self.inner.settings.clone())
    }

    /// Posts a form (RFC 6749 section 3.2) and reads the whole response, with any status.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::{HttpClient, SecureUrl};
    /// use llm_auth_core::provider::Form;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// // Sends a request.
    /// let endpoint = SecureUrl::known("https://auth.example/token");
    /// let form = Form::new().text("grant_type", "refresh_token").secret("refresh_token", &"made-up".into());
    /// let response = HttpClient::default().post_form(&endpoint, &form, &[]).await?;
    /// println!("{}", response.status());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn post_form(
        &self,
        endpoint: &SecureUrl,
        form: &Form,
        headers: &[(&'static str, String)],
    ) -> Result<Response> {
        self.post(endpoint, BodyFormat::Form, form, headers).await
    }

    /// Posts parameters in any [format](BodyFormat) and reads the whole response, with any status.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transient`] without a whole response; [`Error::response_lost`] reports whether
    /// the request may have arrived. [`ErrorKind::Redirected`] if the endpoint has moved.
    /// [`ErrorKind::Config`] or [`ErrorKind::System`] if the client cannot be built.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::{HttpClient, SecureUrl};
    /// use llm_auth_core::provider::{BodyFormat, Form};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// // Sends a request.
    /// let endpoint = SecureUrl::known("https://auth.example/keys");
    /// let form = Form::new().secret("code", &"made-up".into());
    /// let headers = [("x-request-id", "1".to_owned())];
    /// let response = HttpClient::default().post(&endpoint, BodyFormat::Json, &form, &headers).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn post(
        &self,
        endpoint: &SecureUrl,
        format: BodyFormat,
        form: &Form,
        headers: &[(&'static str, String)],
    ) -> Result<Response> {
        let secrets = form.secrets();
        if !secrets.is_empty() {
            self.check_proxy(endpoint)?;
        }
        // Of this task; the one that sends has none.
        let gate = Gate::current(self.inner.settings.timeout);
        let body = form.encoded(format)?;
        let mut request = self
            .client(endpoint)?
            .post(endpoint.url().clone())
            .header(CONTENT_TYPE, content_type(format))
            .body(match &gate {
                Some(gate) => gate.before(body),
                None => body.into(),
            });
        if let Some(client) = form.authorization()? {
            request = request.header(AUTHORIZATION, client);
        }
        let sent = self.send(endpoint, request, headers, secrets).await;
        let is_shut = gate.and_then(|gate| gate.error(endpoint));
        sent.map_err(|error| is_shut.unwrap_or(error))
    }

    /// Posts a JSON document that holds no secret, such as a registration (RFC 7591 section 3.1),
    /// with an initial access token if the server wants one, and reads the whole response, with any
    /// status.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::{HttpClient, SecureUrl};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// // Sends a request.
    /// let endpoint = SecureUrl::known("https://auth.example/register");
    /// let body = r#"{"client_name": "my-app"}"#.as_bytes().to_vec();
    /// let response = HttpClient::default().post_json(&endpoint, body, &[], None).await?;
    /// println!("{}", response.status());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn post_json(
        &self,
        endpoint: &SecureUrl,
        document: Vec<u8>,
        headers: &[(&'static str, String)],
        bearer_token: Option<&Secret>,
    ) -> Result<Response> {
        let request = self
            .client(endpoint)?
            .post(endpoint.url().clone())
            .header(CONTENT_TYPE, content_type(BodyFormat::Json))
            .body(document);
        let Some(token) = bearer_token else {
            return self.send(endpoint, request, headers, Vec::new()).await;
        };
        self.check_proxy(endpoint)?;
        let request = request.header(AUTHORIZATION, bearer(token)?);
        self.send(endpoint, request, headers, vec![token.clone()])
            .await
    }

    /// The configured proxy, if requests to this endpoint take it.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{HttpClient, SecureUrl};
    ///
    /// let http = HttpClient::builder().proxy("http://proxy.example:8080", "").build()?;
    /// let proxy = http.proxy_for(&SecureUrl::known("https://auth.example/token"));
    /// assert_eq!(proxy.unwrap().host(), "proxy.example:8080");
    /// assert!(http.proxy_for(&SecureUrl::known("http://127.0.0.1:4000/token")).is_none());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn proxy_for(&self, endpoint: &SecureUrl) -> Option<ProxyUrl> {
        self.inner.settings.proxy_for(endpoint)
    }

    /// Checks that a request with a secret may take the way to this endpoint.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it would pass a proxy that
    /// [`refuse_secrets_by_proxy`](HttpClientBuilder::refuse_secrets_by_proxy) excludes.
    // See decision 0059.
    pub(super) fn check_proxy(&self, endpoint: &SecureUrl) -> Result<()> {
        let settings = &self.inner.settings;
        let Some(why) = &settings.secrets_refused else {
            return Ok(());
        };
        match settings.proxy_for(endpoint) {
            None => Ok(()),
            Some(proxy) => Err(Error::new(
                ErrorKind::Config,
                format!("the proxy {proxy} could read the request ({why}); nothing was sent"),
            )),
        }
    }

    /// Sends a request without credentials, to check that a server responds.
    ///
    /// # Errors
    ///
    /// As [`post_form`](Self::post_form).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::{HttpClient, SecureUrl};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// // Sends a request.
    /// let page = SecureUrl::known("https://auth.example/authorize");
    /// println!("{}", HttpClient::default().get(&page).await?.status());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get(&self, endpoint: &SecureUrl) -> Result<Response> {
        let request = self.client(endpoint)?.get(endpoint.url().clone());
        self.send(endpoint, request, &[], Vec::new()).await
    }

    /// Sends a `GET` with a bearer token in the `Authorization` header (RFC 6750 section 2.1).
    /// Response text that repeats the token or one of the `hidden` secrets is not shown.
    ///
    /// # Errors
    ///
    /// As [`post_form`](Self::post_form).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::{HttpClient, OAuthToken, SecureUrl};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// // Sends a request.
    /// let session = OAuthToken::new("made-up".into(), None);
    /// let userinfo = SecureUrl::known("https://auth.example/userinfo");
    /// let response = HttpClient::default().get_with_bearer(&userinfo, &session.access, &[]).await?;
    /// println!("{:?}", response.json()?.text("email"));
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::{HttpClient, OAuthToken, SecureUrl};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// // Sends a request.
    /// let session = OAuthToken::new("made-up".into(), None);
    /// let revoke = SecureUrl::known("https://auth.example/revoke");
    /// let response = HttpClient::default().post_with_bearer(&revoke, &session.access, &[]).await?;
    /// println!("{}", response.is_success());
    /// # Ok(())
    /// # }
    /// ```
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
        self.check_proxy(endpoint)?;
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
        // The connections belong to the engine, because a caller's runtime may block or end.
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
            // Header names may have any letter case.
            let name = HeaderName::from_bytes(name.as_bytes());
            map.insert(name.map_err(|source| not_valid(&source))?, value);
        }
        let mut limit = Limit::of(self.inner.settings.timeout);
        let mut response = limit
            .within(request.headers(map).timeout(ENDLESS).send())
            .await
            .map_err(|over| self.no_response(endpoint, over))?
            .map_err(|source| self.no_response(endpoint, source))?;
        let status = response.status().as_u16();
        tracing::debug!(endpoint = %endpoint.host(), path = endpoint.url().path(), status, "received a response");
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
        let is_form = text(CONTENT_TYPE).is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case(FORM)
        });
        let mut whole = Response::new(endpoint.clone(), status, secrets)
            .with_retry_after(retry_after)
            .with_form(is_form)
            .with_date(date)
            .with_challenges(challenges(response.headers()));
        let codings = listed_codings(response.headers());
        // From here on there is a status. With 2xx, the server has done what was asked.
        loop {
            let read = limit.within(response.chunk()).await;
            let chunk = match read.map_or_else(|over| Err(Cause::from(over)), |read| Ok(read?)) {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                // Only the end of the transfer is missing; the JSON is complete.
                Err(_cut_off) if whole.is_success() && whole.is_whole_object() => break,
                Err(source) => {
                    return Err(self
                        .no_response(endpoint, source)
                        .with_status(status)
                        .with_cut_off_response());
                }
            };
            if whole.body().len() + chunk.len() > BODY_LIMIT {
                return Err(too_long(endpoint, status));
            }
            whole.push(&chunk);
        }
        if whole.decode(&codings, BODY_LIMIT) {
            Ok(whole)
        } else {
            Err(too_long(endpoint, status))
        }
    }

    pub(super) fn client(&self, endpoint: &SecureUrl) -> Result<reqwest::Client> {
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
        // In a forked child the cell is taken, and each request gets its own client.
        let _kept: std::result::Result<(), Built> = place.set(built);
        Ok(client)
    }

    /// The error for a request without a whole response.
    pub(super) fn no_response(&self, endpoint: &SecureUrl, cause: impl Into<Cause>) -> Error {
        let (timeout, cause) = (self.inner.settings.timeout, cause.into());
        match self.inner.settings.proxy_for(endpoint) {
            Some(proxy) => no_response_through(&proxy.host(), endpoint, timeout, cause),
            None => no_response(endpoint.host(), timeout, cause),
        }
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::with_settings(Self::builder())
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.settings.fmt(f)
    }
}

const fn content_type(format: BodyFormat) -> &'static str {
    match format {
        BodyFormat::Form => FORM,
        BodyFormat::Json => "application/json",
    }
}

/// What a header with other bytes says cannot be read.
fn challenges(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(WWW_AUTHENTICATE).into_iter();
    values
        .filter_map(|value| Some(value.to_str().ok()?.to_owned()))
        .collect()
}

/// The `Content-Encoding` headers, on one line.
pub(super) fn listed_codings(headers: &HeaderMap) -> String {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let lines: Vec<_> = lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    lines.join(",")
}
