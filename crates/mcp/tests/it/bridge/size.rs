//! Long messages.

use serde_json::json;

use super::agent::Agent;
use super::exchange::Reply;
use super::server::Server;

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn messages_of_several_mib_pass_in_both_directions() {
    let server = Server::start(|request| {
        let text = request.json()["params"]["text"].clone();
        let response = json!({"id": request.json()["id"], "result": {"text": text}});
        match request.json()["id"].as_i64() {
            Some(1) => Reply::json(response),
            _ => Reply::events(format!("data: {response}\n\n")),
        }
    })
    .await;
    let mut agent = Agent::of(&server).await;
    let text = "ä".repeat(MIB);
    for id in 1..3 {
        let line = json!({"id": id, "method": "x", "params": {"text": text}});
        agent.send(line).await;
        let response = agent.next().await;
        assert_eq!(response["id"], id);
        assert!(response["result"]["text"] == text.as_str());
    }
    assert!(agent.close().await.is_empty());
}

#[tokio::test]
async fn a_message_of_more_than_64_mib_is_an_error_of_its_request() {
    let server = Server::start(|request| match request.rpc().as_str() {
        "json" => Reply::json("x".repeat(65 * MIB)),
        "events" => Reply::events(format!("data: {}", "x".repeat(65 * MIB))),
        _ => Reply::result(request, json!({})),
    })
    .await;
    let mut agent = Agent::of(&server).await;
    for method in ["json", "events"] {
        let response = agent.call(1, method, json!({})).await;
        assert_eq!(
            response["error"]["data"]["reason"], "too_long",
            "{response}"
        );
    }
    let long = "x".repeat(65 * MIB);
    let line = format!(r#"{{"params":"{long}","method":"x","id":3}}"#);
    agent.write(&line).await;
    let response = agent.next().await;
    assert_eq!(response["error"]["data"]["reason"], "too_long");
    assert_eq!(response["id"], 3);
    assert_eq!(agent.call(4, "x", json!({})).await["result"], json!({}));
    assert!(agent.close().await.is_empty());
}
