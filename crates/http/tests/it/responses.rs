//! A response whose body was looked at is handed on whole.

use llm_auth_testkit::{ScriptedResponse, ScriptedServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{PATH, Vendor, client};

#[tokio::test]
async fn a_body_of_any_length_and_its_headers_are_the_same_as_without_the_session() {
    for length in [0, 1, 16_384, 16_385, 1_000_000] {
        for status in [200, 400] {
            let body = "x".repeat(length);
            let response = ScriptedResponse::json(status, &body).header("x-made-up", "1");
            let server = ScriptedServer::start([response]).await.unwrap();
            let mut vendor = Vendor::at(&server);
            vendor.in_success = true;
            let client = client(&vendor.manager().await);
            let url = format!("{}{PATH}", server.base_url());
            let response = client.get(&url).send().await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(response.url().as_str(), url);
            assert!(response.remote_addr().is_some());
            assert_eq!(response.headers()["x-made-up"], "1");
            assert_eq!(response.content_length(), Some(length as u64));
            assert!(response.text().await.unwrap() == body, "{length}");
        }
    }
}

/// A server that sends these bytes, and closes the connection.
async fn raw(bytes: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut head).await.unwrap();
        }
        stream.write_all(bytes.as_bytes()).await.unwrap();
    });
    base
}

async fn body_of(bytes: String) -> (String, bool) {
    let base = raw(bytes).await;
    let server = ScriptedServer::json([(200, "{}")]).await.unwrap();
    let mut vendor = Vendor::at(&server);
    vendor.in_success = true;
    vendor.move_to(&base);
    let client = client(&vendor.manager().await);
    let mut response = client.get(format!("{base}{PATH}")).send().await.unwrap();
    let mut read = String::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => read.push_str(std::str::from_utf8(&chunk).unwrap()),
            Ok(None) => return (read, true),
            Err(_cut_off) => return (read, false),
        }
    }
}

#[tokio::test]
async fn chunks_are_handed_on_and_a_body_that_is_cut_off_is_cut_off_for_the_caller_too() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let long = "y".repeat(20_000);
    let chunked = format!(
        "{head}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n{:x}\r\n{long}\r\n2\r\nde\r\n0\r\n\r\n",
        long.len()
    );
    assert_eq!(body_of(chunked).await, (format!("abc{long}de"), true));
    let cut_off = format!("{head}content-length: 9\r\n\r\nabc");
    assert_eq!(body_of(cut_off).await, ("abc".to_owned(), false));
}
