//! Servers of the transport before streamable HTTP.

use serde_json::json;

use super::agent::{Agent, message_of, modern};
use super::exchange::Reply;
use super::server::Server;

/// A server that refuses messages with this status, and whose `GET` opens this stream.
async fn server(status: u16, stream: &'static str) -> Server {
    Server::start(move |request| match request.method.as_str() {
        "GET" => Reply::events(stream),
        _ => Reply::status(status),
    })
    .await
}

#[tokio::test]
async fn a_server_that_speaks_only_http_and_sse_is_named_as_such() {
    for status in [400, 404, 405] {
        let server = server(status, "event: endpoint\ndata: /messages?id=made-up\n\n").await;
        let mut agent = Agent::of(&server).await;
        for (method, params) in [
            ("initialize", json!({})),
            ("server/discover", modern(json!({}))),
        ] {
            let response = agent.call(1, method, params).await;
            let message = message_of(&response);
            assert!(message.contains("transport of 2024-11-05"), "{response}");
            assert!(message.contains("set the URL"), "{response}");
            assert!(!message.contains("made-up"), "{response}");
            assert_eq!(response["error"]["data"]["httpStatus"], status);
        }
        assert!(agent.close().await.is_empty());
    }
}

#[tokio::test]
async fn another_stream_is_not_taken_for_that_transport() {
    let server = server(405, "event: message\ndata: {\"method\":\"x\"}\n\n").await;
    let mut agent = Agent::of(&server).await;
    let response = agent.call(1, "initialize", json!({})).await;
    assert!(
        message_of(&response).contains("no streamable HTTP endpoint"),
        "{response}"
    );
    // Only the beginning is worth another request.
    agent.call(2, "tools/list", json!({})).await;
    assert_eq!(server.methods(), ["initialize", "GET", "tools/list"]);
}
