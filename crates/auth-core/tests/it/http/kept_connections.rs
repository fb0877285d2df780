//! Connections that requests of another program share, one after another.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Channel, Empty};
use hyper::body::{Body as _, Frame};
use hyper::{Request, Response};
use llm_auth_core::http::{ForwardedBody, Forwarder};
use llm_auth_core::{HttpClient, Secret, SecureUrl};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::timeout;

/// Until a test that waits in vain fails.
const PATIENCE: Duration = Duration::from_secs(30);

const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";

async fn listen() -> (TcpListener, SecureUrl) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    (listener, SecureUrl::known(&url))
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

/// Reads the headers of a request, which has no body.
async fn head(stream: &mut TcpStream) -> String {
    let mut seen = String::new();
    while !seen.ends_with("\r\n\r\n") {
        seen.push(char::from(stream.read_u8().await.unwrap()));
    }
    seen
}

async fn get(forwarder: &Forwarder, endpoint: &SecureUrl) -> Response<ForwardedBody> {
    let request = Request::new(Empty::<Bytes>::new());
    let access = Secret::from("made-up");
    let response = forwarder.forward(endpoint, request, &access).await;
    response.unwrap()
}

async fn text(response: Response<ForwardedBody>) -> Vec<u8> {
    let mut body = response.into_body();
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        read.extend(frame.unwrap().into_data().unwrap_or_default());
    }
    read
}

#[tokio::test]
async fn requests_one_after_another_share_a_connection_however_their_bodies_end() {
    let responses: [&[u8]; 4] = [
        SHORT,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        SHORT,
    ];
    let (listener, endpoint) = listen().await;
    let server = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        // There is no second connection.
        drop(listener);
        for response in responses {
            head(&mut stream).await;
            stream.write_all(response).await.unwrap();
        }
    });
    let forwarder = HttpClient::default().forwarder();
    for response in responses {
        let expected: &[u8] = if response.ends_with(b"No Content\r\n\r\n") {
            b""
        } else {
            b"body"
        };
        assert_eq!(text(get(&forwarder, &endpoint).await).await, expected);
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_gets_no_request() {
    let (listener, endpoint) = listen().await;
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let mut stream = accept(&listener).await;
            head(&mut stream).await;
            stream.write_all(SHORT).await.unwrap();
        }
    });
    let forwarder = HttpClient::default().forwarder();
    assert_eq!(text(get(&forwarder, &endpoint).await).await, b"body");
    // Each turn looks for what has come.
    for _ in 0..10 {
        yield_now().await;
    }
    assert_eq!(text(get(&forwarder, &endpoint).await).await, b"body");
    server.await.unwrap();
}

#[tokio::test]
async fn what_a_server_sends_unasked_is_no_response_to_a_later_request() {
    let (listener, endpoint) = listen().await;
    let server = tokio::spawn(async move {
        let mut first = accept(&listener).await;
        head(&mut first).await;
        let unasked = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        first.write_all(&[SHORT, unasked].concat()).await.unwrap();
        let mut second = accept(&listener).await;
        head(&mut second).await;
        second.write_all(SHORT).await.unwrap();
    });
    let forwarder = HttpClient::default().forwarder();
    for _ in 0..2 {
        assert_eq!(text(get(&forwarder, &endpoint).await).await, b"body");
    }
    server.await.unwrap();
}

#[tokio::test]
async fn each_origin_has_connections_of_its_own() {
    let forwarder = HttpClient::default().forwarder();
    let mut servers = Vec::new();
    for name in ["made-up-a", "made-up-b"] {
        let (listener, endpoint) = listen().await;
        let endpoint = endpoint.join(name).unwrap();
        servers.push((endpoint, name));
        drop(tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            drop(listener);
            loop {
                let head = head(&mut stream).await;
                assert!(head.starts_with(&format!("GET /{name} ")), "{head}");
                stream.write_all(SHORT).await.unwrap();
            }
        }));
    }
    for (endpoint, _) in [&servers[..], &servers[..]].concat() {
        assert_eq!(text(get(&forwarder, &endpoint).await).await, b"body");
    }
}

#[tokio::test]
async fn a_response_that_is_not_read_to_its_end_closes_its_connection() {
    let (listener, endpoint) = listen().await;
    let server = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        head(&mut stream).await;
        let unfinished = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody";
        stream.write_all(unfinished).await.unwrap();
        stream.read(&mut [0]).await
    });
    let forwarder = HttpClient::default().forwarder();
    drop(get(&forwarder, &endpoint).await);
    // It may be closed by a reset.
    assert!(matches!(server.await.unwrap(), Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_closed_here_too() {
    let (listener, endpoint) = listen().await;
    let (read, is_read) = oneshot::channel();
    let server = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        head(&mut stream).await;
        stream.write_all(SHORT).await.unwrap();
        is_read.await.unwrap();
        stream.shutdown().await.unwrap();
        stream.read(&mut [0]).await
    });
    let forwarder = HttpClient::default().forwarder();
    assert_eq!(text(get(&forwarder, &endpoint).await).await, b"body");
    read.send(()).unwrap();
    // Time passes as soon as nothing else happens.
    tokio::time::pause();
    let closed = timeout(100 * PATIENCE, server).await;
    let closed = closed.expect("it is closed");
    assert_eq!(closed.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_server_that_responds_early_gets_the_rest_of_the_request_before_its_response_is_read() {
    let (listener, endpoint) = listen().await;
    let server = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        head(&mut stream).await;
        stream.write_all(SHORT).await.unwrap();
        let mut rest = String::new();
        while !rest.ends_with("0\r\n\r\n") {
            rest.push(char::from(stream.read_u8().await.unwrap()));
        }
        rest
    });
    let forwarder = HttpClient::default().forwarder();
    let (mut sender, body) = Channel::<Bytes, std::convert::Infallible>::new(1);
    let request = Request::post("/").body(body).unwrap();
    let access = Secret::from("made-up");
    let response = forwarder.forward(&endpoint, request, &access).await;
    let response = response.unwrap();
    let sent = async {
        for piece in ["made ", "up"] {
            let piece = Frame::data(Bytes::from_static(piece.as_bytes()));
            sender.send(piece).await.unwrap();
        }
        drop(sender);
        server.await.unwrap()
    };
    let sent = timeout(PATIENCE, sent).await.expect("all of it arrives");
    assert_eq!(sent, "5\r\nmade \r\n2\r\nup\r\n0\r\n\r\n");
    assert_eq!(text(response).await, b"body");
}
