//! Requests whose response is read piece by piece.

use llm_auth_core::http::StreamRequest;
use llm_auth_core::{ErrorKind, HttpClient};

use crate::support::socket::{answer, serve};

#[tokio::test]
async fn a_request_carries_its_token_and_its_headers_and_asks_for_no_coding() {
    let (endpoint, seen) = serve(answer("201 Created", "X-A: 1\r\nX-A: 2\r\n", "body")).await;
    let request = StreamRequest::post(&endpoint, "{}")
        .header("Mcp-Method", "ping")
        .bearer(&"made-up".into());
    assert!(!format!("{request:?}").contains("made-up"));
    let mut response = HttpClient::default().stream(request).await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.header("x-a").collect::<Vec<_>>(), ["1", "2"]);
    let mut body = Vec::new();
    while response.read(&mut body).await.unwrap() > 0 {}
    assert_eq!(body, b"body");
    let seen = seen.await.unwrap().to_ascii_lowercase();
    for header in [
        "\r\nauthorization: bearer made-up\r\n",
        "\r\naccept-encoding: identity\r\n",
        "\r\ncontent-type: application/json\r\n",
        "\r\nmcp-method: ping\r\n",
        "\r\nuser-agent: llm-auth/",
    ] {
        assert!(seen.contains(header), "{header}: {seen}");
    }
}

#[tokio::test]
async fn a_redirect_and_a_coding_and_a_bad_header_are_errors() {
    let (endpoint, _seen) = serve(answer("302 Found", "Location: /x\r\n", "")).await;
    let request = || StreamRequest::get(&endpoint).bearer(&"made-up".into());
    let error = HttpClient::default().stream(request()).await.unwrap_err();
    assert_eq!(error.status(), Some(302));

    let (endpoint, _seen) = serve(answer("200 OK", "Content-Encoding: gzip\r\n", "x")).await;
    let request = StreamRequest::get(&endpoint);
    let error = HttpClient::default().stream(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.response_lost());

    let request = StreamRequest::delete(&endpoint).header("x-a", "a\nmade-up");
    let error = HttpClient::default().stream(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!format!("{error:?}").contains("made-up"));
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_a_lost_response() {
    let cut_off = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody".to_vec();
    let (endpoint, _seen) = serve(cut_off).await;
    let request = StreamRequest::post(&endpoint, "{}");
    let mut response = HttpClient::default().stream(request).await.unwrap();
    let mut body = Vec::new();
    let error = loop {
        match response.read(&mut body).await {
            Ok(0) => panic!("the body has no end"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(body, b"body");
    assert!(error.is_transient() && error.response_lost());
    assert_eq!(error.status(), Some(200));
}
