//! The end of a bridge.

use std::time::{Duration, Instant};

use llm_auth_mcp::Bridge;
use serde_json::json;
use tempfile::TempDir;

use super::agent::{Agent, SIGN_IN, modern};
use super::exchange::{Reply, Request};
use super::server::Server;
use super::vendor::Vendor;

fn hold(kept: &std::sync::Mutex<Vec<tokio::sync::mpsc::UnboundedSender<String>>>) -> Reply {
    let (reply, stream) = Reply::open();
    kept.lock().unwrap().push(stream);
    reply
}

#[tokio::test]
async fn requests_that_are_in_the_pipe_get_their_responses_after_the_input_ended() {
    let server = Server::start(|request: &Request| match request.rpc().as_str() {
        "notifications/initialized" => Reply::status(202),
        "GET" => Reply::status(405),
        "initialize" => Reply::result(request, json!({"protocolVersion": "2025-11-25"})),
        _ => Reply::result(request, json!({})),
    })
    .await;
    let directory = TempDir::new().unwrap();
    let manager = Vendor::default().signed_in(directory.path()).await;
    let input = concat!(
        r#"{"id":0,"method":"initialize","params":{}}"#,
        "\n",
        r#"{"method":"notifications/initialized"}"#,
        "\n",
        r#"{"id":1,"method":"tools/list"}"#,
        "\n",
        r#"{"id":2,"method":"tools/call"}"#,
    );
    let mut output = Vec::new();
    let bridge = Bridge::new(manager, server.url.clone(), SIGN_IN);
    bridge.run(input.as_bytes(), &mut output).await.unwrap();
    let output = String::from_utf8(output).unwrap();
    assert_eq!(output.lines().count(), 3, "{output}");
    assert!(!output.contains("error"), "{output}");
    assert!(output.ends_with('\n'));
}

#[tokio::test]
async fn a_request_that_hangs_gets_an_error_and_the_session_its_end() {
    let kept = std::sync::Mutex::new(Vec::new());
    let server = Server::start(move |request| match request.rpc().as_str() {
        "initialize" => {
            let result = json!({"protocolVersion": "2025-11-25"});
            Reply::result(request, result).with("mcp-session-id", "made-up")
        }
        "slow" | "GET" => hold(&kept),
        _ => Reply::status(202),
    })
    .await;
    let mut agent = Agent::of(&server).await;
    agent.initialize().await;
    agent.ask(1, "slow", json!({})).await;
    server.request("slow").await;
    let began = Instant::now();
    let rest = agent.close().await;
    // Agents kill a bridge that takes longer.
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["id"], 1);
    assert_eq!(rest[0]["error"]["data"]["reason"], "response_lost");
    server.request("DELETE").await;
}

#[tokio::test]
async fn a_subscription_does_not_hold_up_the_end() {
    let kept = std::sync::Mutex::new(Vec::new());
    let server = Server::start(move |_| hold(&kept)).await;
    let mut agent = Agent::of(&server).await;
    agent
        .ask(1, "subscriptions/listen", modern(json!({})))
        .await;
    server.request("subscriptions/listen").await;
    let began = Instant::now();
    assert_eq!(agent.close().await.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(1));
    server.closed("subscriptions/listen").await;
}

#[tokio::test]
async fn an_agent_that_reads_no_more_ends_the_bridge() {
    let server = Server::start(|request| Reply::result(request, json!({}))).await;
    let directory = TempDir::new().unwrap();
    let manager = Vendor::default().signed_in(directory.path()).await;
    let (mut input, bridge_input) = tokio::io::duplex(1024);
    let (bridge_output, output) = tokio::io::duplex(1024);
    drop(output);
    tokio::io::AsyncWriteExt::write_all(&mut input, b"{\"id\":1,\"method\":\"x\"}\n")
        .await
        .unwrap();
    let bridge = Bridge::new(manager, server.url.clone(), SIGN_IN);
    let ended = bridge.run(bridge_input, bridge_output);
    tokio::time::timeout(super::server::LIMIT, ended)
        .await
        .unwrap()
        .unwrap();
}
