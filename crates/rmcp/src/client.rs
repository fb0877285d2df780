//! The HTTP client of rmcp's transport, with the token of a session.

mod events;
mod messages;
pub(crate) mod origin;
mod refusal;
mod response;
mod send;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use sse_stream::Sse;

use crate::{AuthManager, Error, HttpClient, Refusals};

/// What rmcp receives in place of a response.
type Failure = StreamableHttpError<Error>;

/// The HTTP client of rmcp's transport over streamable HTTP, with the access token of a session on
/// each request.
///
/// The manager refreshes the session before it expires, once for all processes that share it. If the
/// server refuses the token (status 401), the client reports this token to the manager, and
/// sends the request once more. If the server refuses the fresh token too, the request fails, and
/// for a minute that token causes no other refresh; a new sign-in, by any program, heals it at once.
///
/// The token is sent only to the origin of the session's API, and no redirect is followed. TLS,
/// proxy and certificates are those of [`HttpClient`]. Responses are limited as the transport is
/// configured; one that repeats the token in an error is not quoted.
///
/// # Errors
///
/// [`StreamableHttpError::Client`] with an [`Error`], for which [`Error::needs_login`] returns true if
/// only a new sign-in helps; [`StreamableHttpError::InsufficientScope`] with the server's challenge if
/// the session lacks a scope. What is no error of the session is as rmcp's own clients report it.
///
/// # Examples
///
/// ```no_run
/// # async fn run(manager: llm_auth_rmcp::AuthManager) -> Result<(), Box<dyn std::error::Error>> {
/// use llm_auth_rmcp::SessionClient;
/// use rmcp::ServiceExt as _;
/// use rmcp::transport::StreamableHttpClientTransport;
/// use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
///
/// let config = StreamableHttpClientTransportConfig::with_uri("https://mcp.example/mcp");
/// let transport = StreamableHttpClientTransport::with_client(SessionClient::new(manager), config);
/// let client = ().serve(transport).await?;
/// println!("{} tools", client.list_all_tools().await?.len());
/// # Ok(())
/// # }
/// ```
// A client of its own, not around one of rmcp's: those may follow redirects, quote the body of a
// refusal in their errors, and report a status of 401 as one only if it has a challenge.
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionClient {
    manager: AuthManager,
    http: HttpClient,
    refusals: Arc<Refusals>,
}

impl SessionClient {
    /// With the session of this manager. Clones share it, and one client serves any number of
    /// transports to its API.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_rmcp::provider::Endpoints;
    /// use llm_auth_rmcp::{AuthManager, ProviderSpec as _, SecureUrl, Server, SessionClient};
    ///
    /// let token = SecureUrl::known("https://auth.example/token");
    /// let server = Server::new("work", Endpoints::new(token));
    /// let client = SessionClient::new(AuthManager::builder(server.provider()).build());
    /// ```
    pub fn new(manager: AuthManager) -> Self {
        Self {
            manager,
            http: HttpClient::default(),
            refusals: Arc::default(),
        }
    }

    /// The HTTP client for the MCP server: its proxy, its certificates, its user agent. Its time
    /// limit applies to connecting only.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_rmcp::provider::Endpoints;
    /// # use llm_auth_rmcp::{AuthManager, ProviderSpec as _, SecureUrl, Server, SessionClient};
    /// use llm_auth_rmcp::HttpClient;
    ///
    /// # let token = SecureUrl::known("https://auth.example/token");
    /// # let server = Server::new("work", Endpoints::new(token));
    /// # let manager = AuthManager::builder(server.provider()).build();
    /// let http = HttpClient::builder().proxy("http://proxy.example:8080", "").build()?;
    /// let client = SessionClient::new(manager).http(http);
    /// # Ok::<(), llm_auth_rmcp::Error>(())
    /// ```
    pub fn http(mut self, http: HttpClient) -> Self {
        self.http = http;
        self
    }
}

type Headers = HashMap<HeaderName, HeaderValue>;

impl StreamableHttpClient for SessionClient {
    type Error = Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(
            uri,
            message,
            session_id,
            auth_header,
            custom_headers,
            limits,
        )
        .await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let mut limits = StreamableHttpResponseLimits::default();
        limits.max_sse_event_size = max_sse_event_size;
        self.post_message_with_response_limits(
            uri,
            message,
            session_id,
            auth_header,
            custom_headers,
            limits,
        )
        .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        messages::no_other_token(auth_header.as_deref())?;
        let has_session = session_id.is_some();
        let request = messages::post(&uri, &message, session_id.as_deref(), &custom_headers)?;
        let sent = self.send(&uri, request).await?;
        response::read(sent, &message, has_session, limits).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<(), Failure> {
        messages::no_other_token(auth_header.as_deref())?;
        let request = messages::delete(&uri, &session_id, &custom_headers)?;
        self.send_as_is(&uri, request).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        let longest = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(
            uri,
            session_id,
            last_event_id,
            auth_header,
            custom_headers,
            longest,
        )
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        messages::no_other_token(auth_header.as_deref())?;
        let session_id = session_id.as_deref();
        let last_event_id = last_event_id.as_deref();
        let request = messages::get(&uri, session_id, last_event_id, &custom_headers)?;
        let sent = self.send(&uri, request).await;
        response::stream(
            sent.map_err(refusal::final_for_streams)?,
            max_sse_event_size,
        )
    }
}
