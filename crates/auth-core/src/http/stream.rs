//! Requests to an API whose response is read piece by piece.

use std::fmt;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};

use super::client::{HttpClient, listed_codings};
use super::coding;
use super::form::bearer;
use super::moved::redirected;
use crate::engine::{self, AbortOnDrop};
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::printable;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// A stream may stay open for days, and the client's time limit cannot be switched off for one
/// request: 30 years.
pub(super) const ENDLESS: Duration = Duration::from_secs(30 * 365 * 86_400);

/// A request for [`HttpClient::stream`].
///
/// # Examples
///
/// ```
/// use llm_auth_core::SecureUrl;
/// use llm_auth_core::http::StreamRequest;
///
/// let server = SecureUrl::known("https://mcp.example/mcp");
/// let request = StreamRequest::post(&server, r#"{"jsonrpc":"2.0"}"#)
///     .header("accept", "application/json, text/event-stream")
///     .bearer(&"made-up".into());
/// assert!(!format!("{request:?}").contains("made-up"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct StreamRequest {
    method: Method,
    endpoint: SecureUrl,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    bearer: Option<Secret>,
}

impl StreamRequest {
    /// Posts a JSON document.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// # use llm_auth_core::http::StreamRequest;
    /// let server = SecureUrl::known("https://mcp.example/mcp");
    /// let request = StreamRequest::post(&server, "{}");
    /// ```
    pub fn post(endpoint: &SecureUrl, document: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::without_body(Method::POST, endpoint);
        request.body = Some(document.into());
        request
    }

    /// Gets a document or a stream of events.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// # use llm_auth_core::http::StreamRequest;
    /// let server = SecureUrl::known("https://mcp.example/mcp");
    /// let request = StreamRequest::get(&server).header("accept", "text/event-stream");
    /// ```
    pub fn get(endpoint: &SecureUrl) -> Self {
        Self::without_body(Method::GET, endpoint)
    }

    /// Deletes the resource.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// # use llm_auth_core::http::StreamRequest;
    /// let server = SecureUrl::known("https://mcp.example/mcp");
    /// let request = StreamRequest::delete(&server).header("mcp-session-id", "made-up");
    /// ```
    pub fn delete(endpoint: &SecureUrl) -> Self {
        Self::without_body(Method::DELETE, endpoint)
    }

    fn without_body(method: Method, endpoint: &SecureUrl) -> Self {
        Self {
            method,
            endpoint: endpoint.clone(),
            headers: Vec::new(),
            body: None,
            bearer: None,
        }
    }

    /// Adds a header.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// # use llm_auth_core::http::StreamRequest;
    /// # let server = SecureUrl::known("https://mcp.example/mcp");
    /// let request = StreamRequest::get(&server).header("last-event-id", "7");
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the bearer token of the `Authorization` header (RFC 6750 section 2.1).
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// # use llm_auth_core::http::StreamRequest;
    /// # let server = SecureUrl::known("https://mcp.example/mcp");
    /// let request = StreamRequest::get(&server).bearer(&"made-up".into());
    /// ```
    pub fn bearer(mut self, access: &Secret) -> Self {
        self.bearer = Some(access.clone());
        self
    }

    fn header_map(&self) -> Result<HeaderMap> {
        let mut map = HeaderMap::new();
        // A body is not decoded on its way, so that each event arrives when it was sent.
        map.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.body.is_some() {
            map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &self.headers {
            let not_valid = || {
                let name = printable(name);
                Error::new(ErrorKind::Config, format!("the {name} header is not valid"))
            };
            let value = HeaderValue::from_str(value).map_err(|_quotes_it| not_valid())?;
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_quotes_it| not_valid())?;
            map.insert(name, value);
        }
        if let Some(access) = &self.bearer {
            map.insert(AUTHORIZATION, bearer(access)?);
        }
        Ok(map)
    }
}

impl fmt::Debug for StreamRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRequest")
            .field("method", &self.method)
            .field("endpoint", &self.endpoint)
            .field("bytes", &self.body.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// The response to a [`StreamRequest`], with any status; dropping it closes the connection unless
/// all of it was read.
pub struct StreamedResponse {
    http: HttpClient,
    endpoint: SecureUrl,
    response: reqwest::Response,
}

impl StreamedResponse {
    /// The status.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(response: llm_auth_core::http::StreamedResponse) {
    /// assert_eq!(response.status(), 200);
    /// # }
    /// ```
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The values of a header, without those that are not text.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(response: llm_auth_core::http::StreamedResponse) {
    /// let kind = response.header("content-type").next();
    /// # }
    /// ```
    pub fn header(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.response.headers().get_all(name).iter();
        values.filter_map(|value| value.to_str().ok())
    }

    /// Appends the next piece of the body, as soon as it arrives, and returns its length: 0 at the
    /// end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transient`] if the connection is interrupted.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(mut response: llm_auth_core::http::StreamedResponse) -> llm_auth_core::Result<()> {
    /// let mut body = Vec::new();
    /// while response.read(&mut body).await? > 0 {
    ///     println!("{} bytes so far", body.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read(&mut self, into: &mut Vec<u8>) -> Result<usize> {
        loop {
            match self.response.chunk().await {
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(Some(piece)) => {
                    into.extend_from_slice(&piece);
                    return Ok(piece.len());
                }
                Ok(None) => return Ok(0),
                Err(source) => {
                    return Err(self
                        .http
                        .no_response(&self.endpoint, source)
                        .with_status(self.status())
                        .with_cut_off_response());
                }
            }
        }
    }
}

impl fmt::Debug for StreamedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedResponse")
            .field("endpoint", &self.endpoint)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Sends a request to an API, for a program that hands the session's token on, and returns the
    /// response as soon as its headers are there. The way is that of every request of this client:
    /// its TLS back end, its certificates, its proxy, and no redirects. Only connecting is limited in
    /// time.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post); [`ErrorKind::Protocol`] if the body has a content coding.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::{HttpClient, SecureUrl};
    /// use llm_auth_core::http::StreamRequest;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// // Sends a request.
    /// let server = SecureUrl::known("https://mcp.example/mcp");
    /// let response = HttpClient::default().stream(StreamRequest::get(&server)).await?;
    /// println!("{}", response.status());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stream(&self, request: StreamRequest) -> Result<StreamedResponse> {
        if request.bearer.is_some() {
            self.check_proxy(&request.endpoint)?;
        }
        // The connections belong to the engine, because a caller's runtime may block or end.
        let task = self.clone().open(request);
        AbortOnDrop::spawn(&engine::io()?, task).await
    }

    async fn open(self, request: StreamRequest) -> Result<StreamedResponse> {
        let headers = request.header_map()?;
        let StreamRequest {
            method,
            endpoint,
            body,
            bearer,
            ..
        } = request;
        let mut sent = self
            .client(&endpoint)?
            .request(method, endpoint.url().clone())
            .timeout(ENDLESS)
            .headers(headers);
        if let Some(body) = body {
            sent = sent.body(body);
        }
        let response = sent
            .send()
            .await
            .map_err(|source| self.no_response(&endpoint, source))?;
        let status = response.status().as_u16();
        tracing::debug!(endpoint = %endpoint.host(), path = endpoint.url().path(), status, "received a response");
        if response.status().is_redirection() {
            let location = response.headers().get(LOCATION);
            return Err(redirected(&endpoint, status, location, bearer.as_slice()));
        }
        if !coding::listed(&listed_codings(response.headers())).is_empty() {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "{} sent a compressed response, which was not asked for",
                    endpoint.host()
                ),
            )
            .with_status(status)
            .with_response_lost(true));
        }
        Ok(StreamedResponse {
            http: self,
            endpoint,
            response,
        })
    }
}
