//! Accepting connections, and turning HTTP into requests and answers.

pub(crate) mod dispatch;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::http::request::Request;
use crate::http::response::Answer;
use crate::http::stream::SharedStream;
use crate::kit::Kit;

use self::dispatch::Reply;

const BODY_LIMIT: usize = 1024 * 1024;

/// Serves on a thread of its own until the sender of `stopped` is gone.
pub(crate) fn spawn(
    listener: std::net::TcpListener,
    kit: Arc<Kit>,
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
            runtime.spawn(accept(listener, kit));
            // Never a value: only the end of the sender is waited for.
            let _gone = runtime.block_on(stopped);
        })
}

async fn accept(listener: TcpListener, kit: Arc<Kit>) {
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                // Small answers must not wait for acknowledgements; without it they only are slower.
                drop(stream.set_nodelay(true));
                tokio::spawn(converse(SharedStream::new(stream), Arc::clone(&kit)));
            }
            // Out of descriptors, say: give the others time to close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse(stream: SharedStream, kit: Arc<Kit>) {
    let socket = stream.clone();
    let service = service_fn(move |request| {
        let (kit, socket) = (Arc::clone(&kit), socket.clone());
        async move { serve(request, &kit, &socket).await }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection that fails concerns only its client.
    drop(connection.await);
}

/// Not an error of ours: a fault has closed the connection.
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
    kit: &Kit,
    stream: &SharedStream,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let answer = match Limited::new(body, BODY_LIMIT).collect().await {
        Err(_) => Answer::new(413, "text/plain", "The body is too large.\n"),
        Ok(body) => {
            let request = Request {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: body.to_bytes(),
            };
            match dispatch::reply(kit, &request, stream).await {
                Reply::Answer(answer) => *answer,
                Reply::Closed => return Err(Closed),
            }
        }
    };
    Ok(response(answer, &kit.clock.http_date()))
}

fn response(answer: Answer, date: &str) -> Response<Full<Bytes>> {
    let headers = answer.all_headers();
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let date = ("Date".to_owned(), date.to_owned());
    for (name, value) in std::iter::once(date).chain(headers) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
