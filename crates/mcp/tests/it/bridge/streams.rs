//! Responses in streams of events.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::agent::Agent;
use super::exchange::{Reply, in_turn};
use super::server::Server;

#[tokio::test]
async fn events_become_lines_and_a_second_response_is_dropped() {
    let server = Server::start(|_| {
        Reply::events(
            ": ping\n\ndata: {\"method\":\"notifications/message\",\ndata: \"params\":{\"n\":1.0}}\n\n\
             event: message\ndata: {\"id\":1,\ndata: \"result\":{\"big\":12345678901234567890}}\n\n\
             data: {\"id\":1,\"result\":{}}\n\ndata: not JSON\n\n",
        )
    })
    .await;
    let mut agent = Agent::of(&server).await;
    agent.ask(1, "tools/call", json!({"name": "x"})).await;
    let notification = r#"{"method":"notifications/message", "params":{"n":1.0}}"#;
    assert_eq!(agent.line().await, notification);
    assert_eq!(
        agent.line().await,
        r#"{"id":1, "result":{"big":12345678901234567890}}"#
    );
    assert!(agent.close().await.is_empty());
}

#[tokio::test]
async fn a_stream_that_ends_early_is_resumed_after_its_last_event() {
    let posts = AtomicUsize::new(0);
    let replies = in_turn([
        // Nothing new, and one connection that fails.
        Reply::status(503),
        Reply::events("id: 8\nretry: 1\ndata: {\"method\":\"notifications/progress\"}\n\n"),
        Reply::events("data: {\"id\":1,\"result\":{\"done\":true}}\n\n"),
    ]);
    let server = Server::start(move |request| match request.method.as_str() {
        "POST" if posts.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reply::events("id: 7\nretry: 1\ndata:\n\n")
        }
        _ => replies(),
    })
    .await;
    let mut agent = Agent::of(&server).await;
    agent.ask(1, "tools/call", json!({"name": "x"})).await;
    assert_eq!(agent.next().await["method"], "notifications/progress");
    assert_eq!(agent.next().await["result"]["done"], true);
    assert!(agent.close().await.is_empty());
    assert_eq!(server.methods(), ["tools/call", "GET", "GET", "GET"]);
    let ids: Vec<_> = server
        .requests()
        .iter()
        .map(|one| one.header("last-event-id").map(str::to_owned))
        .collect();
    assert_eq!(
        ids,
        [None, Some("7".into()), Some("7".into()), Some("8".into())]
    );
}

#[tokio::test]
async fn a_stream_that_brings_the_same_event_again_and_again_is_given_up() {
    let server = Server::start(|_| Reply::events("id: 7\nretry: 0\ndata:\n\n")).await;
    let mut agent = Agent::of(&server).await;
    let response = agent.call(1, "tools/call", json!({"name": "x"})).await;
    assert_eq!(
        response["error"]["data"]["reason"], "response_lost",
        "{response}"
    );
    // The request, and five tries.
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn a_stream_that_cannot_be_resumed_is_an_error_and_nothing_is_sent_again() {
    for first in ["id: 7\nretry: 1\ndata:\n\n", "data:\n\n", ""] {
        let server = Server::start(move |request| match request.method.as_str() {
            "POST" => Reply::events(first),
            _ => Reply::status(405),
        })
        .await;
        let mut agent = Agent::of(&server).await;
        let response = agent.call(1, "tools/call", json!({"name": "x"})).await;
        assert_eq!(
            response["error"]["data"]["reason"], "response_lost",
            "{response}"
        );
        assert!(agent.close().await.is_empty());
        let posts = server
            .requests()
            .into_iter()
            .filter(|one| one.method == "POST");
        assert_eq!(posts.count(), 1);
    }
}
