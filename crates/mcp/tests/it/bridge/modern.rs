//! Revision 2026-07-28: headers, and no session.

use serde_json::{Value, json};

use super::agent::{Agent, modern};
use super::exchange::{Reply, Request, in_turn};
use super::server::Server;

fn tool() -> Value {
    json!({"name": "query", "inputSchema": {"type": "object", "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
    }}})
}

fn echo(request: &Request) -> Reply {
    match request.rpc().as_str() {
        "tools/list" => Reply::result(request, json!({"tools": [tool()]})),
        _ => Reply::result(request, json!({})),
    }
}

#[tokio::test]
async fn each_message_carries_its_headers_and_no_session_is_kept() {
    let server = Server::start(|request| echo(request).with("mcp-session-id", "ignored")).await;
    let mut agent = Agent::of(&server).await;
    agent.call(1, "server/discover", modern(json!({}))).await;
    agent.call(2, "tools/list", modern(json!({}))).await;
    let params = json!({"name": "query", "arguments": {"region": "Zürich"}});
    agent.call(3, "tools/call", modern(params)).await;
    agent
        .call(4, "resources/read", modern(json!({"uri": "file:///a b"})))
        .await;
    agent
        .call(5, "prompts/get", modern(json!({"name": " padded "})))
        .await;
    assert!(agent.close().await.is_empty());

    let requests = server.requests();
    assert_eq!(requests.len(), 5);
    for request in &requests {
        assert_eq!(request.method, "POST");
        assert_eq!(request.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(request.header("mcp-method"), Some(&*request.rpc()));
        assert_eq!(
            request.header("accept"),
            Some("application/json, text/event-stream")
        );
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(
            request.header("authorization"),
            Some("Bearer made-up-access-1")
        );
        assert_eq!(request.header("mcp-session-id"), None);
    }
    let names: Vec<_> = requests
        .iter()
        .map(|request| request.header("mcp-name"))
        .collect();
    let padded = Some("=?base64?IHBhZGRlZCA=?=");
    assert_eq!(
        names,
        [None, None, Some("query"), Some("file:///a b"), padded]
    );
    let regions: Vec<_> = requests
        .iter()
        .map(|request| request.header("mcp-param-region"))
        .collect();
    assert_eq!(
        regions,
        [None, None, Some("=?base64?WsO8cmljaA==?="), None, None]
    );
}

#[tokio::test]
async fn a_call_that_misses_headers_is_sent_again_after_the_tools_were_listed() {
    let server = Server::start(|request| match request.rpc().as_str() {
        "tools/call" if request.header("mcp-param-region").is_none() => {
            let id = &request.json()["id"];
            let error = json!({"id": id, "error": {"code": -32020, "message": "Header mismatch"}});
            Reply::Whole(400, Vec::new(), error.to_string())
        }
        "tools/list" if request.json()["params"]["cursor"].is_null() => {
            Reply::result(request, json!({"tools": [], "nextCursor": "2"}))
        }
        _ => echo(request),
    })
    .await;
    let mut agent = Agent::of(&server).await;
    let params = json!({"name": "query", "arguments": {"region": "x"}});
    let response = agent.call(1, "tools/call", modern(params)).await;
    assert_eq!(response["result"], json!({}));
    assert_eq!(
        server.methods(),
        ["tools/call", "tools/list", "tools/list", "tools/call"]
    );
    // Another tool misses something that the list does not show.
    let response = agent
        .call(2, "tools/call", modern(json!({"name": "other"})))
        .await;
    assert_eq!(response["error"]["code"], -32020);
    assert_eq!(response["id"], 2);
    assert!(agent.close().await.is_empty());
}

#[tokio::test]
async fn a_tool_with_a_header_that_is_not_valid_is_left_out() {
    let server = Server::start(|request| {
        let bad = json!({"name": "bad", "inputSchema": {"x-mcp-header": "A"}});
        Reply::result(request, json!({"tools": [bad, tool()]}))
    })
    .await;
    let mut agent = Agent::of(&server).await;
    let response = agent.call(1, "tools/list", modern(json!({}))).await;
    assert_eq!(response["result"]["tools"], json!([tool()]));
    // An older revision knows no such headers.
    let response = agent.call(2, "tools/list", json!({})).await;
    assert_eq!(response["result"]["tools"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn errors_of_the_server_pass_with_the_id_of_the_request() {
    let error = |id: Value| {
        let data = json!({"supported": ["2026-07-28"]});
        json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32022, "message": "no", "data": data}})
    };
    for (status, body) in [
        (400, error(json!("a"))),
        (404, error(json!("a"))),
        (400, error(Value::Null)),
        (400, error(json!("server-error"))),
    ] {
        let body = body.to_string();
        let server = Server::start(move |_| Reply::Whole(status, Vec::new(), body.clone())).await;
        let mut agent = Agent::of(&server).await;
        let response = agent.call("a", "server/discover", modern(json!({}))).await;
        assert_eq!(response, error(json!("a")));
    }
}

#[tokio::test]
async fn a_broken_stream_is_an_error_and_nothing_is_resumed() {
    let replies = in_turn([{
        let (reply, stream) = Reply::open();
        stream
            .send("id: 1\ndata: {\"method\":\"notifications/progress\"}\n\n".into())
            .unwrap();
        stream.send(String::new()).unwrap();
        reply
    }]);
    let server = Server::start(move |_| replies()).await;
    let mut agent = Agent::of(&server).await;
    agent
        .ask(1, "tools/call", modern(json!({"name": "x"})))
        .await;
    assert_eq!(agent.next().await["method"], "notifications/progress");
    let response = agent.next().await;
    assert_eq!(
        response["error"]["data"]["reason"], "response_lost",
        "{response}"
    );
    assert!(agent.close().await.is_empty());
    assert_eq!(server.requests().len(), 1);
}
