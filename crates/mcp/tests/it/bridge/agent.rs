//! The agent of a test: it writes lines to a bridge, and reads lines of it.

use std::path::Path;

use llm_auth_mcp::{AuthManager, Bridge, Result, SecureUrl};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::server::{LIMIT, Server};
use super::vendor::Vendor;

pub(crate) const SIGN_IN: &str = "llm-auth login mcp made-up";

pub(crate) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

pub(crate) struct Agent {
    input: DuplexStream,
    output: Lines<BufReader<DuplexStream>>,
    bridge: JoinHandle<Result<()>>,
    _directory: Option<TempDir>,
}

impl Agent {
    /// An agent with a signed-in session of its own.
    pub(crate) async fn of(server: &Server) -> Self {
        let directory = TempDir::new().unwrap();
        let manager = Vendor::default().signed_in(directory.path()).await;
        let mut agent = Self::with(manager, &server.url);
        agent._directory = Some(directory);
        agent
    }

    pub(crate) fn of_vendor(vendor: &Vendor, directory: &Path, server: &Server) -> Self {
        Self::with(vendor.manager(directory), &server.url)
    }

    pub(crate) fn with(manager: AuthManager, url: &SecureUrl) -> Self {
        let (input, bridge_input) = duplex(64 * 1024);
        let (bridge_output, output) = duplex(64 * 1024);
        let bridge = Bridge::new(manager, url.clone(), SIGN_IN);
        let bridge = tokio::spawn(bridge.run(bridge_input, bridge_output));
        Self {
            input,
            output: BufReader::new(output).lines(),
            bridge,
            _directory: None,
        }
    }

    pub(crate) async fn write(&mut self, line: &str) {
        let line = format!("{line}\n");
        let written = self.input.write_all(line.as_bytes());
        timeout(LIMIT, written).await.unwrap().unwrap();
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.write(&message.to_string()).await;
    }

    /// Sends a request.
    pub(crate) async fn ask(&mut self, id: impl Into<Value>, method: &str, params: Value) {
        let id: Value = id.into();
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await;
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        self.send(json!({"jsonrpc": "2.0", "method": method, "params": params}))
            .await;
    }

    /// Sends a request, and returns the next line.
    pub(crate) async fn call(
        &mut self,
        id: impl Into<Value>,
        method: &str,
        params: Value,
    ) -> Value {
        self.ask(id, method, params).await;
        self.next().await
    }

    /// Begins a session of an older revision.
    pub(crate) async fn initialize(&mut self) -> Value {
        let response = self
            .call(0, "initialize", json!({"protocolVersion": "2025-11-25"}))
            .await;
        self.notify("notifications/initialized", json!({})).await;
        response
    }

    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(LIMIT, self.output.next_line()).await.unwrap();
        line.unwrap().expect("the bridge writes another line")
    }

    pub(crate) async fn next(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    /// Closes the input, and returns the lines that come until the bridge ends.
    pub(crate) async fn close(self) -> Vec<Value> {
        let Self {
            input,
            mut output,
            bridge,
            _directory,
        } = self;
        drop(input);
        let rest = async {
            let mut lines = Vec::new();
            while let Some(line) = output.next_line().await.unwrap() {
                lines.push(serde_json::from_str(&line).unwrap());
            }
            lines
        };
        let lines = timeout(LIMIT, rest).await.unwrap();
        timeout(LIMIT, bridge).await.unwrap().unwrap().unwrap();
        lines
    }
}

/// Parameters of revision 2026-07-28.
pub(crate) fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({VERSION: "2026-07-28", "progressToken": 1});
    params
}

pub(crate) fn message_of(error: &Value) -> &str {
    error["error"]["message"].as_str().unwrap()
}
