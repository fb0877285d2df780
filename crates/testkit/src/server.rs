//! Accepts connections, and turns HTTP into requests and responses.

mod closed;
mod dispatch;
mod stream_body;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::http::{Body, Request, Response, SharedStream};
use crate::shared::Shared;
use closed::Closed;
use dispatch::Outcome;
use stream_body::StreamBody;

type ResponseBody = Either<Full<Bytes>, StreamBody>;

const BODY_LIMIT: usize = 1024 * 1024;

/// Serves on a separate thread until the sender of `stopped` is gone.
pub(crate) fn spawn(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<Infallible>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    Builder::new()
        .name("llm-auth-testkit".to_owned())
        .spawn(move || {
            runtime.spawn(accept(listener, shared));
            // No value ever comes: this waits for the end of the sender.
            let _gone = runtime.block_on(stopped);
        })
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                // Small responses must not wait for acknowledgements. A failure only makes them slower.
                drop(stream.set_nodelay(true));
                tokio::spawn(serve_connection(
                    SharedStream::new(stream),
                    Arc::clone(&shared),
                ));
            }
            // Out of descriptors, for example: give the others time to close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve_connection(stream: SharedStream, shared: Arc<Shared>) {
    let socket = stream.clone();
    let service = service_fn(move |request| {
        let (shared, socket) = (Arc::clone(&shared), socket.clone());
        async move { serve(request, &shared, &socket).await }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A failed connection affects only its client.
    drop(connection.await);
}

async fn serve(
    request: hyper::Request<Incoming>,
    shared: &Arc<Shared>,
    stream: &SharedStream,
) -> Result<hyper::Response<ResponseBody>, Closed> {
    let (head, body) = request.into_parts();
    let outcome = match Limited::new(body, BODY_LIMIT).collect().await {
        Err(_) => Response::new(413, "text/plain", "The body is too large.\n").into(),
        Ok(body) => {
            let request = Request {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: body.to_bytes(),
            };
            dispatch::respond(shared, &request, stream).await
        }
    };
    match outcome {
        Outcome::Response(response) => Ok(encode(*response, shared)),
        Outcome::Closed => Err(Closed),
    }
}

fn encode(response: Response, shared: &Arc<Shared>) -> hyper::Response<ResponseBody> {
    let headers = response.all_headers();
    let body = match response.body {
        Body::Whole(whole) => Either::Left(Full::new(whole)),
        Body::Events(events) => Either::Right(StreamBody::new(&events, Arc::clone(shared))),
    };
    let mut encoded = hyper::Response::new(body);
    *encoded.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let date = ("Date".to_owned(), shared.clock.http_date());
    for (name, value) in std::iter::once(date).chain(headers) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            encoded.headers_mut().insert(name, value);
        }
    }
    encoded
}
