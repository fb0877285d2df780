//! The bridge with servers of the official SDKs, which `.ci/run` installs.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use llm_auth_mcp::SecureUrl;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::agent::{Agent, VERSION};
use super::server::LIMIT;
use super::vendor::{Vendor, session};

/// The token that the servers take.
const TOKEN: &str = "made-up-token";

struct Official {
    url: SecureUrl,
    _program: Child,
}

fn servers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers")
}

/// Starts a server; `None` if its SDK is not installed: the test prints that it is skipped, and with
/// `CI` set it fails.
async fn start(test: &str, program: &str, script: &str, sdk: &str) -> Option<Official> {
    if !servers().join(sdk).exists() {
        let why = format!("no {sdk} in crates/mcp/tests/servers: see .ci/run");
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("SKIPPED: {why}: {test}");
        return None;
    }
    let mut program = Command::new(program)
        .arg(script)
        .current_dir(servers())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let port = timeout(LIMIT, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    Some(Official {
        url: SecureUrl::new(&format!("http://127.0.0.1:{port}/mcp")).unwrap(),
        _program: program,
    })
}

async fn typescript(test: &str) -> Option<Official> {
    start(
        test,
        "node",
        "server.mjs",
        "node_modules/@modelcontextprotocol/sdk",
    )
    .await
}

async fn python(test: &str) -> Option<Official> {
    start(test, ".venv/bin/python3", "server.py", ".venv/bin/python3").await
}

async fn agent(directory: &TempDir, server: &Official) -> Agent {
    let manager = Vendor::default().manager(directory.path());
    manager.insert_session(session(TOKEN)).await.unwrap();
    Agent::with(manager, &server.url)
}

async fn initialize(agent: &mut Agent) {
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {"roots": {}},
        "clientInfo": {"name": "made-up", "version": "1"},
    });
    let response = agent.call(0, "initialize", params).await;
    assert_eq!(
        response["result"]["protocolVersion"], "2025-11-25",
        "{response}"
    );
    agent.notify("notifications/initialized", json!({})).await;
}

fn call(tool: &str, arguments: Value) -> Value {
    json!({"name": tool, "arguments": arguments})
}

fn text(response: &Value) -> &str {
    response["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
}

#[tokio::test]
async fn a_session_with_the_typescript_sdk() {
    let Some(server) = typescript("a_session_with_the_typescript_sdk").await else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let mut agent = agent(&directory, &server).await;
    initialize(&mut agent).await;
    let long = "é".repeat(1024 * 1024);
    let response = agent
        .call(1, "tools/call", call("echo", json!({"text": long})))
        .await;
    assert!(text(&response) == long);

    agent.ask(2, "tools/call", call("roots", json!({}))).await;
    let asked = agent.next().await;
    assert_eq!(asked["method"], "roots/list", "{asked}");
    let roots = json!({"roots": [{"uri": "file:///made-up"}]});
    agent
        .send(json!({"jsonrpc": "2.0", "id": asked["id"], "result": roots}))
        .await;
    assert!(text(&agent.next().await).contains("file:///made-up"));

    agent.ask(3, "tools/call", call("slow", json!({}))).await;
    assert_eq!(agent.next().await["params"]["data"], "begun");
    agent
        .notify("notifications/cancelled", json!({"requestId": 3}))
        .await;

    let response = agent.call(4, "tools/call", call("forget", json!({}))).await;
    assert_eq!(text(&response), "forgotten", "{response}");
    let response = agent
        .call(5, "tools/call", call("echo", json!({"text": "again"})))
        .await;
    assert_eq!(text(&response), "again", "{response}");
    assert!(agent.close().await.is_empty());
}

#[tokio::test]
async fn a_session_with_the_python_sdk() {
    let Some(server) = python("a_session_with_the_python_sdk").await else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let mut agent = agent(&directory, &server).await;
    initialize(&mut agent).await;
    let response = agent
        .call(1, "tools/call", call("echo", json!({"text": "é"})))
        .await;
    assert_eq!(text(&response), "é", "{response}");
    let mut params = call("progress", json!({}));
    params["_meta"] = json!({"progressToken": 7});
    agent.ask(2, "tools/call", params).await;
    assert_eq!(agent.next().await["params"]["progressToken"], 7);
    assert_eq!(text(&agent.next().await), "done");
    assert!(agent.close().await.is_empty());
}

#[tokio::test]
async fn revision_2026_07_28_with_the_python_sdk() {
    let Some(server) = python("revision_2026_07_28_with_the_python_sdk").await else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let mut agent = agent(&directory, &server).await;
    let modern = |mut params: Value| {
        params["_meta"] = json!({
            VERSION: "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "made-up", "version": "1"},
        });
        params
    };
    let response = agent.call(0, "server/discover", modern(json!({}))).await;
    assert_eq!(
        response["result"]["supportedVersions"][0], "2026-07-28",
        "{response}"
    );
    // The tool wants a header, which the bridge has not seen yet.
    let params = || modern(call("echo", json!({"text": " Zürich "})));
    let response = agent.call(1, "tools/call", params()).await;
    assert_eq!(text(&response), " Zürich ", "{response}");
    let response = agent.call(2, "tools/list", modern(json!({}))).await;
    assert!(response["result"]["tools"].is_array(), "{response}");
    let response = agent.call(3, "tools/call", params()).await;
    assert_eq!(text(&response), " Zürich ", "{response}");
    let response = agent
        .call(4, "resources/read", modern(json!({"uri": "made-up://x"})))
        .await;
    assert_eq!(response["result"]["contents"][0]["text"], "x", "{response}");
    let response = agent.call(5, "made-up", modern(json!({}))).await;
    assert_eq!(response["error"]["code"], -32601, "{response}");
    assert!(agent.close().await.is_empty());
}
