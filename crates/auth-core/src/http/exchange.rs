//! A request on a connection, and its response.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::{ACCEPT, Entry, HOST, HeaderValue, USER_AGENT};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri, Version};

use super::builder::HttpClientBuilder;
use super::failure::Cause;
use super::pool::{Place, Pool, connect};
use super::wire::{Upload, Wire};
use crate::error::Result;
use crate::secure_url::SecureUrl;

type Outcome<T> = std::result::Result<T, Cause>;

impl Pool {
    /// Sends a request without a proxy, on a connection that waits or a new one. The path and the
    /// host are those of the endpoint.
    ///
    /// # Errors
    ///
    /// If no connection can be made with these settings; the inner error, if no response came.
    pub(super) async fn exchange(
        &self,
        settings: &HttpClientBuilder,
        endpoint: &SecureUrl,
        request: Request<Upload>,
    ) -> Result<Outcome<Response<ReceivedBody>>> {
        let (mut parts, mut body) = request.into_parts();
        if let Err(cause) = complete(&mut parts, settings, endpoint) {
            return Ok(Err(cause));
        }
        loop {
            let mut wire = match self.waiting(endpoint.url()).await {
                Some(wire) => wire,
                // Rare, and large.
                None => match Box::pin(connect(self.connector(settings)?, endpoint)).await {
                    Ok(wire) => wire,
                    Err(cause) => return Ok(Err(cause)),
                },
            };
            let was_used = wire.is_used;
            parts
                .headers
                .entry(HOST)
                .or_insert_with(|| wire.origin.header.clone());
            match wire.send(Request::from_parts(parts, body)).await {
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    let body = ReceivedBody::new(body, wire, self.place()).await;
                    return Ok(Ok(Response::from_parts(parts, body)));
                }
                // The server closed it before anything was sent.
                Err(mut failed) => match failed.take_message().filter(|_| was_used) {
                    Some(unsent) => (parts, body) = unsent.into_parts(),
                    None => return Ok(Err(failed.into_error().into())),
                },
            }
        }
    }
}

/// The headers that the HTTP library adds if they are missing, and the target.
fn complete(parts: &mut Parts, settings: &HttpClientBuilder, endpoint: &SecureUrl) -> Outcome<()> {
    let url = endpoint.url();
    let target = match url.query() {
        None => PathAndQuery::try_from(url.path()),
        Some(query) => PathAndQuery::try_from(format!("{}?{query}", url.path())),
    };
    parts.uri = Uri::from(target.map_err(Cause::building)?);
    parts.version = Version::HTTP_11;
    let any = HeaderValue::from_static("*/*");
    parts.headers.entry(ACCEPT).or_insert(any);
    if let Entry::Vacant(missing) = parts.headers.entry(USER_AGENT) {
        let user_agent = HeaderValue::from_str(&settings.user_agent);
        missing.insert(user_agent.map_err(Cause::building)?);
    }
    Ok(())
}

/// The body of a response, which keeps its connection for another request when all of it has been
/// read.
pub(super) struct ReceivedBody {
    body: Incoming,
    /// `None` if the connection has ended, waits again or is driven elsewhere.
    wire: Option<Box<Wire>>,
    place: Place,
}

impl ReceivedBody {
    async fn new(body: Incoming, wire: Box<Wire>, place: Place) -> Self {
        let mut received = Self {
            body,
            wire: Some(wire),
            place,
        };
        poll_fn(|context| {
            received.settle(context);
            Poll::Ready(())
        })
        .await;
        received
    }

    /// Once the whole response is there, the connection waits for another request. As long as the
    /// request is being sent, that does not depend on who reads the response.
    fn settle(&mut self, context: &mut Context<'_>) {
        if self.body.is_end_stream() {
            self.keep(context);
        } else if let Some(wire) = self.wire.take_if(|wire| wire.is_sending()) {
            wire.leave();
        }
    }

    fn keep(&mut self, context: &mut Context<'_>) {
        if let Some(wire) = self.wire.take() {
            self.place.keep(wire, context);
        }
    }

    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, hyper::Error>>> {
        let body = Pin::new(&mut self.body);
        let polled = match &mut self.wire {
            Some(wire) => wire.poll_frame(body, context),
            None => body.poll_frame(context),
        };
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) if !self.body.is_end_stream() => {}
            Poll::Ready(Some(Ok(_)) | None) => self.keep(context),
            Poll::Ready(Some(Err(_))) => self.wire = None,
        }
        polled
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
