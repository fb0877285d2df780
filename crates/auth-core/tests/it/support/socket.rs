//! A server that gives one response, byte for byte, and a client of it.

use llm_auth_core::provider::{Call, Form, OAuthConfig, Operation};
use llm_auth_core::{Error, HttpClient, Secret, SecureUrl, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Sends these bytes to one connection, and returns the request.
pub async fn serve(answer: Vec<u8>) -> (SecureUrl, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint =
        SecureUrl::new(&format!("http://{}/token", listener.local_addr().unwrap())).unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            seen.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&seen).into_owned();
            let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                let length = head
                    .lines()
                    .find_map(|line| {
                        line.to_ascii_lowercase()
                            .strip_prefix("content-length: ")?
                            .parse()
                            .ok()
                    })
                    .unwrap_or(0);
                body.len() >= length
            });
            if whole || read == 0 {
                // A client that has read enough closes the connection.
                let _closed = stream.write_all(&answer).await;
                return text;
            }
        }
    });
    (endpoint, task)
}

/// A response with these headers, each with its line end.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The result of a refresh whose response is these bytes.
pub async fn post(bytes: Vec<u8>) -> llm_auth_core::Result<llm_auth_core::provider::Response> {
    let (endpoint, _) = serve(bytes).await;
    let form = Form::new().secret("refresh_token", &Secret::from("made-up-token"));
    HttpClient::default().post_form(&endpoint, &form, &[]).await
}

/// The error of a refresh.
pub async fn refused(status: &str, body: &str) -> Error {
    let answer = post(answer(status, "", body)).await.unwrap();
    standard(Operation::Refresh, |call| call.read(&answer)).unwrap_err()
}

/// Reads a response as a provider does that differs from the RFCs in nothing.
pub fn standard<T>(operation: Operation, read: impl FnOnce(&Call<'_>) -> T) -> T {
    let config = OAuthConfig::new("made-up", SecureUrl::known("https://vendor.example/token"));
    read(&Call::new(
        operation,
        &config,
        Timestamp::default(),
        &config,
    ))
}

/// A response in a content coding.
pub fn coded(status: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Encoding: {coding}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
