//! Requests of another program that are sent on.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http_body_util::{Channel, Full};
use hyper::body::{Body, Bytes};
use hyper::{Request, Response};
use llm_auth_core::http::ForwardedBody;
use llm_auth_core::{Error, ErrorKind, HttpClient, Secret, SecureUrl};

use crate::support::socket::{answer, serve};

async fn forward<B>(
    http: &HttpClient,
    endpoint: &SecureUrl,
    request: Request<B>,
) -> Result<Response<ForwardedBody>, Error>
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let access = Secret::from("made-up");
    http.forwarder().forward(endpoint, request, &access).await
}

async fn read(mut body: ForwardedBody) -> (Vec<u8>, Result<(), Error>) {
    let mut read = Vec::new();
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        match frame {
            None => return (read, Ok(())),
            Some(Err(error)) => return (read, Err(error)),
            Some(Ok(frame)) => read.extend(frame.into_data().unwrap()),
        }
    }
}

#[tokio::test]
async fn a_request_goes_to_the_endpoint_as_it_is_but_for_its_authorization() {
    let (endpoint, seen) = serve(answer("418 Made Up", "X-A: 1\r\nX-A: 2\r\n", "body")).await;
    let request = Request::put("https://elsewhere.example/other?key=made-up-key")
        .header("authorization", "Bearer made-up-key")
        .header("x-b", "3")
        .body(Full::from("made-up body"));
    let http = HttpClient::default();
    let response = forward(&http, &endpoint, request.unwrap());
    let response = response.await.unwrap();
    assert_eq!(response.status(), 418);
    assert_eq!(response.headers().get_all("x-a").iter().count(), 2);
    let (body, ended) = read(response.into_body()).await;
    assert!(body == b"body" && ended.is_ok());
    let seen = seen.await.unwrap();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("PUT /token HTTP/1.1\r\n"), "{head}");
    assert_eq!(body, "made-up body");
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("\r\nauthorization: bearer made-up\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\nx-b: 3"), "{head}");
    assert!(head.contains("\r\ncontent-length: 12"), "{head}");
    assert!(!head.contains("made-up-key"), "{head}");
}

#[tokio::test]
async fn a_body_without_a_length_is_sent_with_each_method() {
    for method in ["GET", "HEAD", "POST", "DELETE"] {
        let (endpoint, seen) = serve(answer("200 OK", "", "")).await;
        let (sender, body) = Channel::<Bytes>::new(1);
        let request = Request::builder().method(method).body(body).unwrap();
        let http = HttpClient::default();
        forward(&http, &endpoint, request).await.unwrap();
        let seen = seen.await.unwrap().to_ascii_lowercase();
        assert!(
            seen.contains("\r\ntransfer-encoding: chunked\r\n"),
            "{seen}"
        );
        drop(sender);
    }
}

#[tokio::test]
async fn a_redirect_and_a_coding_are_returned_as_they_are() {
    for (status, header) in [
        ("302 Found", "Location: /x\r\n"),
        ("200 OK", "Content-Encoding: gzip\r\n"),
    ] {
        let (endpoint, _seen) = serve(answer(status, header, "x")).await;
        let request = Request::new(Full::default());
        let http = HttpClient::default();
        let response = forward(&http, &endpoint, request);
        let response = response.await.unwrap();
        assert!(status.starts_with(response.status().as_str()));
        assert_eq!(read(response.into_body()).await.0, b"x");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_an_error_after_what_came() {
    let cut_off = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody".to_vec();
    let (endpoint, _seen) = serve(cut_off).await;
    let http = HttpClient::default();
    let response = forward(&http, &endpoint, Request::new(Full::default()));
    let (body, ended) = read(response.await.unwrap().into_body()).await;
    let error = ended.unwrap_err();
    assert_eq!(body, b"body");
    assert!(error.is_transient() && error.response_lost());
    assert_eq!(error.status(), Some(200));
    assert!(!format!("{error:?}").contains("made-up"));
}

#[tokio::test]
async fn nothing_is_sent_through_a_proxy_that_could_read_the_token() {
    let http = HttpClient::builder()
        .proxy("http://127.0.0.1:9", "")
        .refuse_secrets_by_proxy("a made-up reason")
        .build()
        .unwrap();
    let endpoint = SecureUrl::known("https://api.example/v1");
    let request = Request::new(Full::default());
    let error = forward(&http, &endpoint, request).await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("a made-up reason"), "{error}");
    assert!(!error.response_lost());
}

#[test]
fn a_request_outside_a_runtime_is_an_error_and_no_panic() {
    let endpoint = SecureUrl::known("https://api.example/v1");
    let http = HttpClient::default();
    let sent = pin!(forward(&http, &endpoint, Request::new(Full::default())));
    let Poll::Ready(Err(error)) = sent.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for a runtime that is not there");
    };
    assert_eq!(error.kind(), ErrorKind::System);
}
