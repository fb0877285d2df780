//! An API on loopback: `upstream`. It prints its base URL, and sends to each request with the token
//! a chat completion, or events below `/v1/events`: the first at once, the last after a line
//! of standard input.

use std::convert::Infallible;
use std::io::BufRead;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Channel, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use llm_auth_bench::Result;
use llm_auth_bench::upstream::{FIRST, LAST, completion, token};
use tokio::net::TcpSocket;
use tokio::sync::watch;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(4096)?;
    println!("http://{}", listener.local_addr()?);
    let (release, released) = watch::channel(0_u64);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        for _line in lines.map_while(std::io::Result::ok) {
            release.send_modify(|count| *count += 1);
        }
        std::process::exit(0);
    });
    let completion = Bytes::from(completion());
    let bearer = format!("Bearer {}", token());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (completion, bearer) = (completion.clone(), bearer.clone());
        let released = released.clone();
        let service = service_fn(move |request| {
            respond(
                request,
                bearer.clone(),
                completion.clone(),
                released.clone(),
            )
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A proxy closes what it no longer needs.
        tokio::spawn(async move { drop(connection.await) });
    }
}

async fn respond(
    request: Request<Incoming>,
    bearer: String,
    completion: Bytes,
    released: watch::Receiver<u64>,
) -> std::result::Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let (parts, body) = request.into_parts();
    // All of it: a server reads a request before it responds.
    drop(body.collect().await);
    let given = parts.headers.get(AUTHORIZATION);
    let is_allowed = given.is_some_and(|given| given == bearer.as_str());
    let (status, kind, body) = if !is_allowed {
        (401, "text/plain", Full::from("no token").boxed())
    } else if parts.uri.path() == "/v1/events" {
        (200, "text/event-stream", events(released))
    } else {
        (200, "application/json", Full::new(completion).boxed())
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", kind)
        .header("x-request-id", "made-up-request")
        .body(body);
    Ok(response.unwrap_or_default())
}

fn events(mut released: watch::Receiver<u64>) -> BoxBody<Bytes, Infallible> {
    released.mark_unchanged();
    let (mut sender, body) = Channel::new(2);
    tokio::spawn(async move {
        for event in [FIRST, LAST] {
            let sent = sender.send(Frame::data(Bytes::from_static(event.as_bytes())));
            // A client that has gone needs no more.
            if sent.await.is_err() || (event == FIRST && released.changed().await.is_err()) {
                return;
            }
        }
    });
    body.boxed()
}
