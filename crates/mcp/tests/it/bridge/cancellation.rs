//! Cancellation, as each revision has it.

use serde_json::json;

use super::agent::{Agent, modern};
use super::exchange::Reply;
use super::server::Server;

/// Responds to `slow` with a stream that stays open, and to everything else at once.
async fn server() -> Server {
    let kept = std::sync::Mutex::new(Vec::new());
    Server::start(move |request| match request.rpc().as_str() {
        "slow" => {
            let (reply, stream) = Reply::open();
            kept.lock().unwrap().push(stream);
            reply
        }
        "GET" => Reply::status(405),
        rpc if rpc.starts_with("notifications/") => Reply::status(202),
        _ => Reply::result(request, json!({"protocolVersion": "2025-11-25"})),
    })
    .await
}

#[tokio::test]
async fn in_2026_the_stream_is_closed_and_the_notification_is_not_posted() {
    let server = server().await;
    let mut agent = Agent::of(&server).await;
    agent.ask(1, "slow", modern(json!({}))).await;
    server.request("slow").await;
    agent
        .notify("notifications/cancelled", json!({"requestId": 1}))
        .await;
    server.closed("slow").await;
    // One that has ended already.
    agent
        .notify("notifications/cancelled", json!({"requestId": 1}))
        .await;
    assert_eq!(agent.call(2, "ping", modern(json!({}))).await["id"], 2);
    assert!(agent.close().await.is_empty());
    assert_eq!(server.methods(), ["slow", "ping"]);
}

#[tokio::test]
async fn before_that_the_notification_is_posted_and_the_stream_stays_open() {
    let server = server().await;
    let mut agent = Agent::of(&server).await;
    agent.initialize().await;
    agent.ask(1, "slow", json!({})).await;
    server.request("slow").await;
    agent
        .notify("notifications/cancelled", json!({"requestId": 1}))
        .await;
    let posted = server.request("notifications/cancelled").await;
    assert_eq!(posted.json()["params"]["requestId"], 1);
    assert_eq!(agent.call(2, "ping", json!({})).await["id"], 2);
    // The request that was cancelled neither holds up the end nor gets an error.
    assert!(agent.close().await.is_empty());
}
