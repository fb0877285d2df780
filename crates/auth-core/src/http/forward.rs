//! Requests of another program to an API, which are sent on with the session's token.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Request, Response};
use reqwest::header::AUTHORIZATION;

use super::client::HttpClient;
use super::form::bearer;
use super::stream::ENDLESS;
use crate::engine::{self, AbortOnDrop};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// The body of a response to [`HttpClient::forward`], piece by piece as it arrives; dropping it
/// closes the connection unless all of it was read.
pub struct ForwardedBody {
    http: HttpClient,
    endpoint: SecureUrl,
    status: u16,
    body: reqwest::Body,
}

impl Body for ForwardedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map_err(|source| {
            self.http
                .no_response(&self.endpoint, source)
                .with_status(self.status)
                .with_cut_off_response()
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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

impl HttpClient {
    /// Sends the request of another program to an API with a bearer token, and returns the response
    /// as soon as its headers are there, with any status: a redirect and a content coding too. Both
    /// bodies pass piece by piece.
    ///
    /// The URI of the request does not count, because the request goes to `endpoint`; its headers
    /// are sent as they are but for `Authorization`, which the token replaces. The way is that of
    /// every request of this client. Only connecting is limited in time.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post), without [`ErrorKind::Redirected`](crate::ErrorKind::Redirected).
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
    /// let http = HttpClient::default();
    /// let response = http.forward(&endpoint, request, session.bearer()?).await?;
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
        self.check_proxy(endpoint)?;
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers;
        headers.insert(AUTHORIZATION, bearer(access)?);
        let sent = self
            .client(endpoint)?
            .request(parts.method, endpoint.url().clone())
            .timeout(ENDLESS)
            .headers(headers)
            .body(reqwest::Body::wrap(body));
        // The connections belong to the engine, because a caller's runtime may block or end.
        let task = self.clone().pass_on(endpoint.clone(), sent);
        AbortOnDrop::spawn(&engine::io()?, task).await
    }

    async fn pass_on(
        self,
        endpoint: SecureUrl,
        request: reqwest::RequestBuilder,
    ) -> Result<Response<ForwardedBody>> {
        let response = request
            .send()
            .await
            .map_err(|source| self.no_response(&endpoint, source))?;
        let status = response.status().as_u16();
        tracing::debug!(endpoint = %endpoint.host(), status, "received a response to pass on");
        let (parts, body) = Response::<reqwest::Body>::from(response).into_parts();
        let body = ForwardedBody {
            http: self,
            endpoint,
            status,
            body,
        };
        Ok(Response::from_parts(parts, body))
    }
}
