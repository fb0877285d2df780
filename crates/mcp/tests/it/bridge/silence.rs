//! Requests whose responses do not come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedSender;

use super::agent::{Agent, message_of};
use super::exchange::Reply;
use super::server::Server;
use super::vendor::Vendor;

type Streams = Arc<Mutex<HashMap<String, UnboundedSender<String>>>>;

/// A server whose streams stay open, except for the notifications of an agent.
async fn server(streams: &Streams) -> Server {
    let streams = Arc::clone(streams);
    Server::start(move |request| match request.rpc().as_str() {
        rpc if rpc.starts_with("notifications/") => Reply::status(202),
        rpc => {
            let (reply, stream) = Reply::open();
            streams.lock().unwrap().insert(rpc.to_owned(), stream);
            reply
        }
    })
    .await
}

fn write(streams: &Streams, method: &str, message: &Value) {
    let streams = streams.lock().unwrap();
    streams[method]
        .send(format!("data: {message}\n\n"))
        .unwrap();
}

#[tokio::test]
async fn a_request_that_hangs_in_a_refresh_was_not_carried_out() {
    let vendor = Vendor::default();
    let directory = TempDir::new().unwrap();
    vendor.signed_in(directory.path()).await;
    vendor.hang();
    let server = Server::start(|_| Reply::status(401)).await;
    let mut agent = Agent::of_vendor(&vendor, directory.path(), &server);
    agent.ask(1, "tools/call", json!({"name": "x"})).await;
    vendor.hung().await;
    let rest = agent.close().await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["id"], 1);
    assert_eq!(rest[0]["error"]["data"]["reason"], "unreachable");
    assert!(
        message_of(&rest[0]).contains("send the request again"),
        "{rest:?}"
    );
    vendor.release();
}

#[tokio::test]
async fn requests_behind_an_initialize_that_hangs_get_their_responses_at_the_end() {
    let streams = Streams::default();
    let server = server(&streams).await;
    let mut agent = Agent::of(&server).await;
    agent.ask(0, "initialize", json!({})).await;
    server.request("initialize").await;
    for id in 1..=100 {
        agent.ask(id, "tools/list", json!({})).await;
    }
    let mut rest = agent.close().await;
    rest.sort_by_key(|response| response["id"].as_i64());
    assert_eq!(rest.len(), 101);
    assert_eq!(rest[0]["error"]["data"]["reason"], "response_lost");
    for response in &rest[1..] {
        assert_eq!(response["error"]["data"]["reason"], "unreachable");
    }
    assert_eq!(server.methods(), ["initialize"]);
    server.closed("initialize").await;
}

#[tokio::test]
async fn a_cancelled_request_is_given_up_and_another_one_with_its_id_is_not() {
    let streams = Streams::default();
    let server = server(&streams).await;
    let mut agent = Agent::of(&server).await;
    for (id, method) in [(1, "responds"), (2, "silent")] {
        agent.ask(id, method, json!({})).await;
        server.request(method).await;
        agent
            .notify("notifications/cancelled", json!({"requestId": id}))
            .await;
        if id == 1 {
            write(&streams, method, &json!({"id": 1, "result": {}}));
            assert_eq!(agent.next().await["id"], 1);
            agent.ask(1, "another", json!({})).await;
            server.request("another").await;
        }
    }
    // Both were given up by then.
    server.closed("silent").await;
    write(
        &streams,
        "another",
        &json!({"id": 1, "result": {"made": "up"}}),
    );
    let response = agent.next().await;
    assert_eq!(response["result"]["made"], "up", "{response}");
    // The id is free again.
    agent.ask(2, "later", json!({})).await;
    server.request("later").await;
    write(&streams, "later", &json!({"id": 2, "result": {}}));
    assert_eq!(agent.next().await["result"], json!({}));
    assert!(agent.close().await.is_empty());
}

/// Whether the kernel sends keep-alive probes on a connection of this computer to this port.
#[cfg(target_os = "linux")]
fn has_keep_alive(port: u16) -> bool {
    let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let peer = format!(":{port:04X}");
    let mut connections = connections.lines().map(str::split_whitespace);
    // The peer's address and the timer; 02 is that of keep-alive.
    connections.any(|mut one| {
        one.nth(2).is_some_and(|address| address.ends_with(&peer))
            && one.nth(2).is_some_and(|timer| timer.starts_with("02:"))
    })
}

/// A peer that is gone would hold up its request for ever.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_silent_connection_is_kept_alive_so_that_a_dead_one_ends() {
    let streams = Streams::default();
    let server = server(&streams).await;
    let mut agent = Agent::of(&server).await;
    agent.ask(1, "slow", json!({})).await;
    server.request("slow").await;
    write(
        &streams,
        "slow",
        &json!({"method": "notifications/progress"}),
    );
    // All that was sent is acknowledged now, so no other timer runs.
    agent.next().await;
    let port = server.url.as_str().rsplit_once(':').unwrap().1;
    let port = port.strip_suffix("/mcp").unwrap().parse().unwrap();
    assert!(has_keep_alive(port));
}
