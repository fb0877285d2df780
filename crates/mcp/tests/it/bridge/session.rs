//! The sessions of revisions up to 2025-11-25.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::sync::mpsc;

use super::agent::{Agent, message_of};
use super::exchange::{Reply, Request};
use super::server::Server;

fn initialized(request: &Request, session: &str) -> Reply {
    let result = json!({"protocolVersion": "2025-06-18", "capabilities": {}});
    Reply::result(request, result).with("mcp-session-id", session)
}

fn plain(request: &Request) -> Reply {
    match request.rpc().as_str() {
        "initialize" => initialized(request, "made-up-1"),
        "GET" => Reply::status(405),
        "DELETE" => Reply::status(204),
        rpc if rpc.starts_with("notifications/") => Reply::status(202),
        _ => Reply::result(request, json!({})),
    }
}

#[tokio::test]
async fn a_session_has_its_headers_from_its_beginning_to_its_end() {
    let server = Server::start(plain).await;
    let mut agent = Agent::of(&server).await;
    // All at once: what follows `initialize` waits for its response.
    agent
        .ask(0, "initialize", json!({"protocolVersion": "2025-11-25"}))
        .await;
    agent.notify("notifications/initialized", json!({})).await;
    agent.ask(1, "tools/list", json!({})).await;
    assert_eq!(agent.next().await["id"], 0);
    assert_eq!(agent.next().await["id"], 1);
    server.request("GET").await;
    assert!(agent.close().await.is_empty());

    let first = server.request("initialize").await;
    assert_eq!(first.header("mcp-session-id"), None);
    assert_eq!(first.header("mcp-protocol-version"), None);
    for method in ["notifications/initialized", "tools/list", "GET", "DELETE"] {
        let request = server.request(method).await;
        assert_eq!(
            request.header("mcp-session-id"),
            Some("made-up-1"),
            "{method}"
        );
        assert_eq!(
            request.header("mcp-protocol-version"),
            Some("2025-06-18"),
            "{method}"
        );
        assert_eq!(request.header("mcp-method"), None, "{method}");
        assert_eq!(
            request.header("authorization"),
            Some("Bearer made-up-access-1"),
            "{method}"
        );
    }
    let methods = server.methods();
    assert_eq!(methods[..2], ["initialize", "notifications/initialized"]);
    assert_eq!(methods.last().unwrap(), "DELETE");
}

#[tokio::test]
async fn a_session_that_the_server_forgot_begins_again_once_and_unseen() {
    let begun = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let session = match request.rpc().as_str() {
            "initialize" => begun.fetch_add(1, Ordering::SeqCst) + 1,
            _ => begun.load(Ordering::SeqCst),
        };
        let current = format!("made-up-{session}");
        match request.rpc().as_str() {
            "initialize" => initialized(request, &current),
            "tools/call" if request.header("mcp-session-id") != Some("made-up-2") => {
                let error = json!({"id": null, "error": {"code": -32001, "message": "gone"}});
                Reply::Whole(404, Vec::new(), error.to_string())
            }
            _ => plain(request),
        }
    })
    .await;
    let mut agent = Agent::of(&server).await;
    agent.initialize().await;
    for id in 1..6 {
        agent.ask(id, "tools/call", json!({"name": "x"})).await;
    }
    let mut ids = Vec::new();
    for _ in 1..6 {
        let response = agent.next().await;
        assert_eq!(response["result"], json!({}), "{response}");
        ids.push(response["id"].as_i64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    assert!(agent.close().await.is_empty());
    let count = |method: &str| server.methods().iter().filter(|rpc| *rpc == method).count();
    assert_eq!(count("initialize"), 2);
    assert_eq!(count("notifications/initialized"), 2);
    let replayed = server.nth_request("initialize", 1).await;
    assert_eq!(replayed.body, server.request("initialize").await.body);
    assert_eq!(replayed.header("mcp-session-id"), None);
    let end = server.request("DELETE").await;
    assert_eq!(end.header("mcp-session-id"), Some("made-up-2"));
}

#[tokio::test]
async fn a_server_that_forgets_every_session_is_an_error() {
    let server = Server::start(|request| match request.rpc().as_str() {
        "tools/call" => Reply::status(404),
        _ => plain(request),
    })
    .await;
    let mut agent = Agent::of(&server).await;
    agent.initialize().await;
    let response = agent.call(1, "tools/call", json!({"name": "x"})).await;
    assert!(message_of(&response).contains("404"), "{response}");
    assert!(agent.close().await.is_empty());
    assert_eq!(
        server
            .methods()
            .iter()
            .filter(|rpc| *rpc == "tools/call")
            .count(),
        2
    );
}

#[tokio::test]
async fn the_server_asks_on_its_stream_and_the_agent_responds() {
    let (sender, receiver) = mpsc::unbounded_channel::<mpsc::UnboundedSender<String>>();
    let receiver = Mutex::new(receiver);
    let server = Server::start(move |request| match request.rpc().as_str() {
        "GET" => {
            let (reply, stream) = Reply::open();
            sender.send(stream).unwrap();
            reply
        }
        "POST" => Reply::status(202),
        _ => plain(request),
    })
    .await;
    let mut agent = Agent::of(&server).await;
    agent.initialize().await;
    let get = server.request("GET").await;
    assert_eq!(get.header("accept"), Some("text/event-stream"));
    let stream = receiver.lock().unwrap().try_recv().unwrap();
    let ask = "retry: 1\nid: 7\ndata: {\"id\":\"s1\",\"method\":\"roots/list\"}\n\n";
    stream.send(ask.into()).unwrap();
    assert_eq!(agent.line().await, r#"{"id":"s1","method":"roots/list"}"#);
    agent
        .send(json!({"jsonrpc": "2.0", "id": "s1", "result": {"roots": []}}))
        .await;
    let posted = server.request("POST").await;
    assert_eq!(posted.json()["result"], json!({"roots": []}));
    // The stream ends, and goes on where it was.
    drop(stream);
    let again = server.nth_request("GET", 1).await;
    assert_eq!(again.header("last-event-id"), Some("7"));
    assert!(agent.close().await.is_empty());
}
