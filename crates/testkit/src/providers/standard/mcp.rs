//! An MCP server (2025-11-25 and 2026-07-28) whose users sign in at this provider.

use hyper::Method;
use serde_json::{Value, json};

use super::config::StandardProvider;
use crate::http::{Call, HandlerResult, Response, reject};
use crate::state::State;

/// Where the metadata of resources are (RFC 9728 section 3.1).
const METADATA: &str = "/.well-known/oauth-protected-resource";

/// The path of client registration (RFC 7591).
pub(super) const REGISTRATION: &str = "/standard/register";

impl StandardProvider {
    /// The path of an MCP server that takes the access tokens of this provider, and names it in its
    /// metadata (RFC 9728). A call of any tool returns the tool's name. Default: `/standard/mcp`.
    #[must_use]
    pub fn mcp_path(mut self, path: impl Into<String>) -> Self {
        self.mcp_path = path.into();
        self
    }

    /// A scope without which the MCP server refuses to call this tool. Default: none.
    #[must_use]
    pub fn tool_scope(mut self, tool: impl Into<String>, scope: impl Into<String>) -> Self {
        self.tool_scopes.push((tool.into(), scope.into()));
        self
    }

    /// Declares that the URL of a document is taken for a client id
    /// (`client_id_metadata_document_supported`). The document is not fetched: the only client is still
    /// that of [`new`](Self::new). Default: no.
    #[must_use]
    pub fn takes_client_documents(mut self) -> Self {
        self.takes_client_documents = true;
        self
    }

    /// Registers every client that asks for it (RFC 7591), at `/standard/register`. Default: no.
    #[must_use]
    pub fn registers_clients(mut self) -> Self {
        self.registers_clients = true;
        self
    }

    pub(super) fn resource_metadata_path(&self) -> String {
        format!("{METADATA}{}", self.mcp_path)
    }

    pub(super) fn resource_metadata(&self, base_url: &str, issuer: &Value) -> Value {
        json!({
            "resource": format!("{base_url}{}", self.mcp_path),
            "authorization_servers": [issuer],
        })
    }
}

/// The response to one message.
pub(super) fn respond(provider: &StandardProvider, call: &Call<'_>, state: &mut State) -> Response {
    let metadata = format!("{}{}", call.base_url, provider.resource_metadata_path());
    let token = call.request.bearer();
    let Some(family) = token.and_then(|token| state.grants.live(token)) else {
        state.counters.chats_refused += 1;
        let challenge = format!("Bearer resource_metadata=\"{metadata}\"");
        return Response::json(401, &json!({})).header("WWW-Authenticate", &challenge);
    };
    if call.request.method != Method::POST {
        return Response::new(405, "text/plain; charset=utf-8", "Method not allowed.\n");
    }
    let message: Value = serde_json::from_slice(&call.request.body).unwrap_or_default();
    let tool = message["params"]["name"].as_str().unwrap_or_default();
    let missing = |(name, scope): &&(String, String)| {
        name == tool && !family.scope.split(' ').any(|granted| granted == scope)
    };
    if let Some((_, scope)) = provider.tool_scopes.iter().find(missing) {
        state.counters.chats_refused += 1;
        let challenge = format!(
            "Bearer error=\"insufficient_scope\", scope=\"{scope}\", resource_metadata=\"{metadata}\""
        );
        return Response::json(403, &json!({})).header("WWW-Authenticate", &challenge);
    }
    state.counters.chats_ok += 1;
    let result = match message["method"].as_str() {
        _ if message.get("id").is_none() => {
            return Response::new(202, "text/plain; charset=utf-8", "");
        }
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "testkit", "version": "1"},
        }),
        Some("tools/call") => json!({"content": [{"type": "text", "text": tool}]}),
        Some("tools/list") => json!({"tools": [{
            "name": "echo",
            "description": "Returns its own name.",
            "inputSchema": {"type": "object"},
        }]}),
        Some("ping") => json!({}),
        _ => {
            let error = json!({"code": -32601, "message": "Method not found"});
            let response = json!({"jsonrpc": "2.0", "id": message["id"], "error": error});
            return Response::json(200, &response);
        }
    };
    let response = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    Response::json(200, &response)
}

/// RFC 7591 section 3.
pub(super) fn register(call: &Call<'_>, state: &mut State) -> HandlerResult {
    let Ok(Value::Object(mut client)) = serde_json::from_slice(&call.request.body) else {
        return reject(400, "invalid_client_metadata", "the body is no JSON object");
    };
    if !client.contains_key("redirect_uris") {
        return reject(400, "invalid_redirect_uri", "redirect_uris is required");
    }
    let id = format!("testkit-registered-{}", state.more_clients.len() + 1);
    state.more_clients.insert(id.clone());
    client.insert("client_id".to_owned(), json!(id));
    Ok(Response::json(201, &Value::Object(client)))
}
