//! What all requests together may hold in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use super::agent::{Agent, message_of};
use super::exchange::Reply;
use super::server::Server;

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn responses_that_hold_too_much_together_fail_and_the_others_go_on() {
    let streams: Arc<Mutex<HashMap<i64, UnboundedSender<String>>>> = Arc::default();
    let kept = Arc::clone(&streams);
    let server = Server::start(move |request| match request.rpc().as_str() {
        "long" => {
            let (reply, stream) = Reply::open();
            let id = request.json()["id"].as_i64().unwrap();
            kept.lock().unwrap().insert(id, stream);
            reply
        }
        _ => Reply::result(request, json!({})),
    })
    .await;
    let mut agent = Agent::of(&server).await;
    for id in 0..20 {
        agent.ask(id, "long", json!({})).await;
        server
            .nth_request("long", usize::try_from(id).unwrap())
            .await;
    }
    // 140 MiB, and none of them ends.
    let mut streams = std::mem::take(&mut *streams.lock().unwrap());
    for (id, stream) in &streams {
        let text = "x".repeat(7 * MIB);
        let begun = format!("data: {{\"id\":{id},\"result\":{{\"text\":\"{text}");
        stream.send(begun).unwrap();
    }
    for _ in 0..2 {
        let failed = agent.next().await;
        assert_eq!(failed["error"]["data"]["reason"], "response_lost");
        assert!(message_of(&failed).contains("128 MiB"), "{failed}");
        streams.remove(&failed["id"].as_i64().unwrap()).unwrap();
    }
    // A short one finds room.
    assert_eq!(
        agent.call(20, "short", json!({})).await["result"],
        json!({})
    );
    // A long one does not, and is not sent.
    let params = json!({"text": "x".repeat(4 * MIB)});
    let failed = agent.call(21, "refused", params).await;
    assert_eq!(failed["error"]["data"]["reason"], "unreachable");
    assert!(message_of(&failed).contains("128 MiB"), "{failed}");
    assert!(!server.methods().contains(&"refused".to_owned()));
    for stream in streams.values() {
        stream.send("\"}}\n\n".into()).unwrap();
    }
    while !streams.is_empty() {
        // Not parsed, which takes long.
        let line = agent.line().await;
        assert!(line.len() > 7 * MIB);
        let id = line.strip_prefix("{\"id\":").unwrap().split_once(',');
        streams.remove(&id.unwrap().0.parse().unwrap()).unwrap();
    }
    assert!(agent.close().await.is_empty());
}
