//! MCP servers of the official SDK, whose users sign in at oidc-provider, and agents at the bridge.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::http::get;
use crate::node::{Server, has, run};
use crate::oidc_provider::approve;
use crate::person::{NAME, Person};
use crate::support::browser::browse;

struct McpServer {
    server: Server,
}

impl McpServer {
    /// `None` if it is not installed: the test prints that it is skipped, and with `CI` set it fails.
    fn start(test: &str) -> Option<Self> {
        let module = "oidc-provider/node_modules/@modelcontextprotocol/sdk";
        has(test, &[], Some(module)).then(|| Self {
            server: Server::start("oidc-provider/mcp.mjs"),
        })
    }

    fn url(&self) -> &str {
        self.server.ready["url"].as_str().unwrap()
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.ready["origin"].as_str().unwrap())
    }

    fn refreshes(&self) -> Value {
        get(&self.at("/refreshes")).json()
    }

    /// A user who is signed in, in the browser.
    fn signed_in(&self) -> Person {
        let person = Person::new();
        let args = ["login", "mcp", self.url(), "--json", "--name", NAME];
        let done = person.sign_in(&args, |event| {
            get(&approve(event));
        });
        assert_eq!(done.code, Some(0), "{done:?}");
        person
    }
}

/// An agent at a bridge of its own.
struct Agent {
    bridge: Child,
    lines: BufReader<ChildStdout>,
}

impl Agent {
    fn start(person: &Person) -> Self {
        let mut command = person.command(&["mcp", "bridge", NAME]);
        let mut bridge = command.stdin(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(bridge.stdout.take().unwrap());
        let mut agent = Self { bridge, lines };
        let client = json!({"name": "made-up", "version": "1"});
        let parameters =
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
        agent.send(
            &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": parameters}),
        );
        assert_eq!(agent.response(1)["serverInfo"]["name"], "made-up");
        agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        agent
    }

    fn send(&mut self, message: &Value) {
        let input = self.bridge.stdin.as_mut().unwrap();
        writeln!(input, "{message}").unwrap();
    }

    /// The result of a request, after what else the server has to say.
    fn response(&mut self, id: u64) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.lines.read_line(&mut line).unwrap(),
                0,
                "the bridge ended"
            );
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{message}");
                return message["result"].clone();
            }
        }
    }

    fn call(&mut self, id: u64) {
        let parameters = json!({"name": "echo", "arguments": {}});
        self.send(
            &json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": parameters}),
        );
    }

    fn end(mut self) {
        drop(self.bridge.stdin.take());
        assert!(self.bridge.wait().unwrap().success());
    }
}

#[test]
fn an_agent_of_the_official_sdk_calls_a_tool_before_and_after_its_token_has_ended() {
    let Some(server) = McpServer::start("agent of the SDK") else {
        return;
    };
    let person = server.signed_in();
    assert_eq!(person.server()["resource"], server.url());
    let expire = server.at("/expire");
    let bridge = person.words(&["mcp", "bridge", NAME]);
    let words: Vec<&str> = bridge.iter().map(String::as_str).collect();
    let seen = run(
        "oidc-provider/agent.mjs",
        &[&[expire.as_str()], &words[..]].concat(),
    );
    let seen: Value = serde_json::from_str(&seen).unwrap();
    let answers = ["made-up answer", "made-up answer"];
    assert_eq!(seen, json!({"tools": ["echo"], "answers": answers}));
    assert_eq!(server.refreshes(), 1);
}

#[test]
fn twenty_agents_whose_token_has_ended_cause_one_refresh() {
    let Some(server) = McpServer::start("twenty agents") else {
        return;
    };
    let person = server.signed_in();
    let mut agents: Vec<_> = (0..20).map(|_| Agent::start(&person)).collect();
    get(&server.at("/expire"));
    for agent in &mut agents {
        agent.call(2);
    }
    for agent in &mut agents {
        assert_eq!(agent.response(2)["content"][0]["text"], "made-up answer");
    }
    assert_eq!(server.refreshes(), 1);
    agents.into_iter().for_each(Agent::end);
}

#[test]
fn the_headers_for_an_agent_are_those_that_the_server_takes() {
    let Some(server) = McpServer::start("headers") else {
        return;
    };
    let person = server.signed_in();
    let done = person.run(&["token", "mcp", NAME, "--format", "headers-json"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    let headers: Value = serde_json::from_str(&done.out).unwrap();
    let token = headers["Authorization"].as_str().unwrap();
    assert_eq!(token.strip_prefix("Bearer ").unwrap(), person.token());
}

#[test]
fn a_name_is_not_given_to_another_mcp_server_while_a_session_is_stored() {
    let Some(server) = McpServer::start("another server of a name") else {
        return;
    };
    let person = server.signed_in();
    let before = person.server();
    let other = format!("{}?team=other", server.url());
    let done = person.run(&["login", "mcp", &other, "--name", NAME]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("the name company belongs to"), "{done:?}");
    // Nothing leads the session there.
    assert_eq!(person.server(), before);
}

/// The SDK for Python lists the header, and refuses a client that authenticates with it.
#[test]
fn a_client_registers_itself_with_the_python_sdk_and_its_agent_calls_across_an_expiry() {
    let Some(server) = Server::python("Python SDK", "sign_in.py") else {
        return;
    };
    let at = |path: &str| format!("{}{path}", server.ready["origin"].as_str().unwrap());
    let person = Person::new();
    let url = server.ready["url"].as_str().unwrap();
    let args = ["login", "mcp", url, "--json", "--name", NAME];
    let done = person.sign_in(&args, |event| browse(event["url"].as_str().unwrap()));
    assert_eq!(done.code, Some(0), "{done:?}");
    let mut agent = Agent::start(&person);
    for id in [2, 3] {
        agent.call(id);
        assert_eq!(agent.response(id)["content"][0]["text"], "made-up answer");
        get(&at("/expire"));
    }
    agent.end();
    assert_eq!(
        get(&at("/seen")).json(),
        json!({"clients": 1, "refreshes": 1})
    );
}
