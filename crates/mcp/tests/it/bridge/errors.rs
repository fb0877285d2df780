//! What an agent receives when its server fails.

use serde_json::json;

use super::agent::{Agent, message_of};
use super::exchange::Reply;
use super::server::Server;

#[tokio::test]
async fn an_interrupted_call_is_not_sent_again() {
    let server = Server::start(|_| Reply::Cut).await;
    let mut agent = Agent::of(&server).await;
    let response = agent.call(1, "tools/call", json!({"name": "x"})).await;
    assert_eq!(response["error"]["data"]["reason"], "response_lost");
    assert!(
        message_of(&response).contains("may have carried out"),
        "{response}"
    );
    assert!(agent.close().await.is_empty());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_page_is_not_quoted_whatever_its_status() {
    for status in [200, 400, 402, 403, 404, 405, 429, 500, 502, 503] {
        let server = Server::start(move |_| {
            let html = vec![("content-type", "text/html".to_owned())];
            Reply::Whole(status, html, "<p>secret page</p>".into())
        })
        .await;
        let mut agent = Agent::of(&server).await;
        let response = agent.call("a\"b", "ping", json!({})).await;
        assert_eq!(response["id"], "a\"b");
        assert_eq!(response["error"]["data"]["httpStatus"], status);
        assert!(message_of(&response).contains("127.0.0.1"), "{response}");
        assert!(!response.to_string().contains("secret"), "{response}");
        assert!(agent.close().await.is_empty());
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_and_the_bridge_goes_on() {
    let server = Server::start(|request| Reply::result(request, json!({}))).await;
    let mut agent = Agent::of(&server).await;
    drop(server);
    for id in 1..3 {
        let response = agent.call(id, "ping", json!({})).await;
        assert_eq!(response["id"], id);
        assert_eq!(
            response["error"]["data"]["reason"], "unreachable",
            "{response}"
        );
    }
    assert!(agent.close().await.is_empty());
}

#[tokio::test]
async fn what_is_no_message_and_an_id_twice_are_errors() {
    let kept = std::sync::Mutex::new(Vec::new());
    let server = Server::start(move |request| match request.rpc().as_str() {
        "slow" => {
            let (reply, stream) = Reply::open();
            kept.lock().unwrap().push(stream);
            reply
        }
        _ => Reply::status(202),
    })
    .await;
    let mut agent = Agent::of(&server).await;
    agent.write("nonsense").await;
    let response = agent.next().await;
    assert_eq!(response["id"], json!(null));
    assert_eq!(response["error"]["code"], -32700);
    agent.ask(1, "slow", json!({})).await;
    let response = agent.call(1, "other", json!({})).await;
    assert!(message_of(&response).contains("another id"), "{response}");
    // A request that was only accepted has no result.
    let response = agent.call(2, "accepted", json!({})).await;
    assert_eq!(
        response["error"]["data"]["reason"], "response_lost",
        "{response}"
    );
}

#[tokio::test]
async fn a_batch_is_taken_apart_in_both_directions() {
    let server = Server::start(|request| {
        let id = &request.json()["id"];
        let note = json!({"method": "notifications/message"});
        Reply::json(json!([note, {"id": id, "result": {}}]))
    })
    .await;
    let mut agent = Agent::of(&server).await;
    agent
        .write(r#"[{"id":1,"method":"a"},{"id":2,"method":"b"}]"#)
        .await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.extend(agent.next().await["id"].as_i64());
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    assert!(agent.close().await.is_empty());
}
