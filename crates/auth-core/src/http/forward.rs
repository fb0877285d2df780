//! Requests of another program to an API, which are sent on with the session's token.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Request, Response};
use reqwest::header::{AUTHORIZATION, HeaderValue, TRANSFER_ENCODING};
use tokio::runtime::Handle;

use super::client::HttpClient;
use super::exchange::ReceivedBody;
use super::failure::Cause;
use super::form::bearer;
use super::pool::Pool;
use super::stream::ENDLESS;
use super::wire::Upload;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// The body of a response to [`Forwarder::forward`], piece by piece as it arrives; dropping it
/// closes the connection unless all of it was read.
pub struct ForwardedBody {
    http: HttpClient,
    endpoint: SecureUrl,
    status: u16,
    body: Received,
}

enum Received {
    Directly(ReceivedBody),
    ThroughProxy(reqwest::Body),
}

impl Body for ForwardedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let polled = match &mut self.body {
            Received::Directly(body) => body.poll_frame(context).map_err(Cause::from),
            Received::ThroughProxy(body) => {
                let polled = Pin::new(body).poll_frame(context);
                polled.map_err(Cause::from)
            }
        };
        polled.map_err(|cause| {
            self.http
                .no_response(&self.endpoint, cause)
                .with_status(self.status)
                .with_cut_off_response()
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Received::Directly(body) => body.is_end_stream(),
            Received::ThroughProxy(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Received::Directly(body) => body.size_hint(),
            Received::ThroughProxy(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for ForwardedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardedBody")
            .field("endpoint", &self.endpoint)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Sends requests of other programs to an API, in the runtime of its caller: on a thread of their
/// own, each would wait several times for another thread to wake up.
///
/// Its connections end with that runtime, so it is for requests that spend no credential.
///
/// # Examples
///
/// ```
/// use llm_auth_core::HttpClient;
///
/// let http = HttpClient::builder().proxy("http://proxy.example:8080", "").build()?;
/// let forwarder = http.forwarder();
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Forwarder {
    http: HttpClient,
    pool: Pool,
}

impl Default for Forwarder {
    fn default() -> Self {
        HttpClient::default().forwarder()
    }
}

impl HttpClient {
    /// A forwarder with the settings of this client, and with connections of its own. Use it in one
    /// runtime only.
    ///
    /// # Examples
    ///
    /// ```
    /// let forwarder = llm_auth_core::HttpClient::default().forwarder();
    /// ```
    pub fn forwarder(&self) -> Forwarder {
        Forwarder {
            http: self.with_own_connections(),
            pool: Pool::default(),
        }
    }
}

impl Forwarder {
    /// Sends the request of another program to an API with a bearer token, and returns the response
    /// as soon as its headers are there, with any status: a redirect and a content coding too. Both
    /// bodies pass piece by piece.
    ///
    /// The URI of the request does not count, because the request goes to `endpoint`; its headers
    /// are sent as they are but for `Authorization`, which the token replaces. The way is that of
    /// every request of the client. Only connecting is limited in time.
    ///
    /// # Errors
    ///
    /// As [`HttpClient::post`], without [`ErrorKind::Redirected`]; [`ErrorKind::System`] outside a
    /// runtime of tokio.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_core::{HttpClient, OAuthToken, SecureUrl};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Sends a request.
    /// let session = OAuthToken::new("made-up".into(), None);
    /// let endpoint = SecureUrl::known("https://api.example/v1/chat/completions");
    /// let request = hyper::Request::post("/").body(r#"{"model": "made-up"}"#.to_owned())?;
    /// let forwarder = HttpClient::default().forwarder();
    /// let response = forwarder.forward(&endpoint, request, session.bearer()?).await?;
    /// println!("{}", response.status());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn forward<B>(
        &self,
        endpoint: &SecureUrl,
        request: Request<B>,
        access: &Secret,
    ) -> Result<Response<ForwardedBody>>
    where
        B: Body + Send + Sync + 'static,
        B::Data: Into<Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let http = &self.http;
        http.check_proxy(endpoint)?;
        Handle::try_current().map_err(|source| {
            let message = "a request is forwarded in a runtime of tokio only: call it in one";
            Error::new(ErrorKind::System, message).with_source(source)
        })?;
        let (mut parts, body) = request.into_parts();
        parts.headers.insert(AUTHORIZATION, bearer(access)?);
        if !body.is_end_stream() && body.size_hint().exact().is_none() {
            // hyper drops such a body of a GET otherwise.
            let chunked = HeaderValue::from_static("chunked");
            parts.headers.insert(TRANSFER_ENCODING, chunked);
        }
        let (parts, body) = match http.proxy_for(endpoint) {
            None => {
                let request = Request::from_parts(parts, Upload::new(body));
                let response = self.pool.exchange(http.settings(), endpoint, request);
                let response = response
                    .await?
                    .map_err(|cause| http.no_response(endpoint, cause))?;
                let (parts, body) = response.into_parts();
                (parts, Received::Directly(body))
            }
            Some(_) => {
                let sent = http
                    .client(endpoint)?
                    .request(parts.method, endpoint.url().clone())
                    .timeout(ENDLESS)
                    .headers(parts.headers)
                    .body(reqwest::Body::wrap(body))
                    .send();
                let response = Box::pin(sent)
                    .await
                    .map_err(|source| http.no_response(endpoint, source))?;
                let (parts, body) = Response::<reqwest::Body>::from(response).into_parts();
                (parts, Received::ThroughProxy(body))
            }
        };
        let status = parts.status.as_u16();
        tracing::debug!(endpoint = %endpoint.host(), status, "received a response to pass on");
        let body = ForwardedBody {
            http: http.clone(),
            endpoint: endpoint.clone(),
            status,
            body,
        };
        Ok(Response::from_parts(parts, body))
    }
}
