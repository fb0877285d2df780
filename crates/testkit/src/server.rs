//! Accepts connections, and turns HTTP into requests and responses.

mod dispatch;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::http::{Request, Response, SharedStream};
use crate::shared::Shared;
use dispatch::Outcome;

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

/// A fault has closed the connection.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by a scripted fault")
    }
}

impl std::error::Error for Closed {}

async fn serve(
    request: hyper::Request<Incoming>,
    shared: &Shared,
    stream: &SharedStream,
) -> Result<hyper::Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let response = match Limited::new(body, BODY_LIMIT).collect().await {
        Err(_) => Response::new(413, "text/plain", "The body is too large.\n"),
        Ok(body) => {
            let request = Request {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: body.to_bytes(),
            };
            match dispatch::respond(shared, &request, stream).await {
                Outcome::Response(response) => *response,
                Outcome::Closed => return Err(Closed),
            }
        }
    };
    Ok(encode(response, &shared.clock.http_date()))
}

fn encode(response: Response, date: &str) -> hyper::Response<Full<Bytes>> {
    let headers = response.all_headers();
    let mut encoded = hyper::Response::new(Full::new(response.body));
    *encoded.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let date = ("Date".to_owned(), date.to_owned());
    for (name, value) in std::iter::once(date).chain(headers) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            encoded.headers_mut().insert(name, value);
        }
    }
    encoded
}
