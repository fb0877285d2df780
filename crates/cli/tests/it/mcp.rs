//! An MCP server that the user names, and agents at its bridge.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};

use llm_auth_testkit::{Approval, Fault, Operation, StandardProvider, Testkit};
use serde_json::{Value, json};

use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

const NAME: &str = "company";

/// The URL of a client's document, which is not fetched.
const DOCUMENT: &str = "https://client.example/llm-auth.json";

/// A user of this provider, whose sign-ins are approved at once.
fn user_of(provider: StandardProvider) -> User {
    let kit = Testkit::builder().approval(Approval::Auto);
    let user = User {
        kit: kit.standard(provider).start_blocking().unwrap(),
        directory: tempfile::tempdir().unwrap(),
    };
    user.trust(&[user.kit.base_url()]);
    user
}

/// Signs in to the MCP server in the browser.
fn login(user: &User, more: &[&str]) -> Done {
    let url = format!("{}/standard/mcp", user.kit.base_url());
    let args = ["login", "mcp", &url, "--name", NAME, "--json"];
    user.sign_in_with_browser(&[&args, more].concat())
}

/// What is remembered of the server.
fn server(user: &User) -> Value {
    let home = user.directory.path().join("home");
    read(&home.join(format!("servers/{NAME}.json")))
}

fn assert_nothing_stored(user: &User) {
    let home = user.directory.path().join("home");
    assert!(!home.join(format!("servers/{NAME}.json")).exists());
    assert!(!user.file(NAME, "default").exists());
}

/// Runs a line of a shell, in which `llm-auth` is the command of this user.
fn run_line(user: &User, line: &str) -> Done {
    let words: Vec<_> = user
        .words(&[])
        .iter()
        .map(|word| format!("'{word}'"))
        .collect();
    let program = user.directory.path().join("bin/llm-auth");
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "));
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    Done::of(user.shell(line).env("PATH", program.parent().unwrap()))
}

/// An agent at a bridge.
struct Agent {
    bridge: Child,
    lines: BufReader<ChildStdout>,
}

impl Agent {
    fn start(user: &User) -> Self {
        let mut command: Command = user.command(&["mcp", "bridge", NAME]);
        let mut bridge = command.stdin(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(bridge.stdout.take().unwrap());
        let mut agent = Self { bridge, lines };
        let parameters = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
        let response = agent.ask("initialize", &parameters);
        assert_eq!(response["result"]["serverInfo"]["name"], "testkit");
        agent
    }

    /// Sends a request, and returns its response.
    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
        writeln!(self.bridge.stdin.as_mut().unwrap(), "{request}").unwrap();
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).unwrap();
        assert_ne!(read, 0, "the bridge ended");
        serde_json::from_str(&line).unwrap()
    }

    fn call(&mut self, tool: &str) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": {}}))
    }

    fn end(mut self) {
        drop(self.bridge.stdin.take());
        assert!(self.bridge.wait().unwrap().success());
    }
}

#[test]
fn a_tool_that_wants_more_scopes_works_after_the_command_that_its_error_names() {
    let provider = StandardProvider::default().tool_scope("write", "files:write");
    let user = user_of(provider);
    let url = format!("{}/standard/mcp", user.kit.base_url());
    let client = ["--client-id", "testkit-client", "--device"];
    let first = [
        "login",
        "mcp",
        &url,
        "--name",
        NAME,
        "--scope",
        "files:read",
    ];
    let done = user.run(&[&first[..], &client].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    let mut agent = Agent::start(&user);
    assert_eq!(agent.call("read")["result"]["content"][0]["text"], "read");
    let refused = agent.call("write");
    assert_eq!(refused["error"]["data"]["reason"], "insufficient_scope");
    let message = refused["error"]["message"].as_str().unwrap();
    let command = message.split('`').nth(1).unwrap();
    assert_eq!(
        command,
        "llm-auth login company --scope 'files:read files:write'"
    );
    let done = run_line(&user, command);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(user.stored(NAME)["scope"], "files:read files:write");
    // The bridge that refused it goes on with the new session.
    let response = agent.call("write");
    assert_eq!(
        response["result"]["content"][0]["text"], "write",
        "{response}"
    );
    agent.end();
    let kit = user.kit.standard();
    assert_eq!((kit.counters().logins_ok, kit.counters().refreshes), (2, 0));
    assert_eq!(kit.violations(), [""; 0]);
}

#[test]
fn a_bridge_sends_no_token_of_a_server_that_takes_its_name_later() {
    let user = user_of(StandardProvider::default());
    let done = login(&user, &["--client-id", "testkit-client"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let mut agent = Agent::start(&user);
    assert_eq!(agent.call("read")["result"]["content"][0]["text"], "read");

    let other = Testkit::builder().approval(Approval::Auto);
    let other = other.start_blocking().unwrap();
    user.trust(&[user.kit.base_url(), other.base_url()]);
    let forgotten = user.run(&["logout", NAME, "--forget-server"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
    let url = format!("{}/standard/mcp", other.base_url());
    let client = ["--client-id", "testkit-client", "--device"];
    let done = user.run(&[&["login", "mcp", &url, "--name", NAME], &client[..]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");

    let before = user.kit.standard().counters().chats_refused;
    let response = agent.call("read");
    let message = response["error"]["message"].as_str().unwrap();
    assert!(message.contains("made for other servers"), "{message}");
    assert!(message.contains("start this program again"), "{message}");
    // Its own token, which the sign-out has revoked, and nothing after that.
    let refused = user.kit.standard().counters().chats_refused;
    assert_eq!(refused, before + 1);
    agent.end();
    // One that is started now goes to the other server.
    let mut agent = Agent::start(&user);
    assert_eq!(agent.call("read")["result"]["content"][0]["text"], "read");
    agent.end();
}

#[test]
fn a_server_that_is_remembered_is_signed_in_to_by_its_name_too() {
    let user = user_of(StandardProvider::default());
    let url = format!("{}/standard/mcp", user.kit.base_url());
    let named = [
        "--client-id",
        "testkit-client",
        "--name",
        "work",
        "--device",
    ];
    let done = user.run(&[&["login", "mcp", &url], &named[..]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    for name in ["work", "WORK"] {
        let again = user.run(&["login", "mcp", name]);
        assert_eq!(again.code, Some(0), "{again:?}");
    }
    assert_eq!(user.kit.standard().counters().logins_ok, 3);
    for other in ["wrk", "mcp.example/mcp"] {
        let done = user.run(&["login", "mcp", other]);
        assert_eq!(done.code, Some(2), "{done:?}");
        let why = "neither a URL, which begins with https://, nor the name";
        assert!(done.err.contains(why), "{done:?}");
    }
}

#[test]
fn a_document_is_the_client_id_of_every_request_at_a_server_that_takes_documents() {
    // No other client is known there.
    let user = user_of(StandardProvider::new(DOCUMENT).takes_client_documents());
    let done = login(&user, &["--client-document", DOCUMENT]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(server(&user)["client"]["id"], DOCUMENT);
    user.expire(NAME);
    let mut agent = Agent::start(&user);
    assert_eq!(agent.call("read")["result"]["content"][0]["text"], "read");
    agent.end();
    let kit = user.kit.standard();
    let counters = kit.counters();
    assert_eq!((counters.exchanges, counters.refreshes), (1, 1));
    assert_eq!(kit.violations(), [""; 0]);
}

#[test]
fn a_server_that_takes_no_documents_gets_a_client_that_registers_itself() {
    let user = user_of(StandardProvider::default().registers_clients());
    let done = login(&user, &["--client-document", DOCUMENT]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(server(&user)["client"]["id"], "testkit-registered-1");
    assert!(!server(&user).to_string().contains(DOCUMENT));
    // The client that is remembered comes before another one.
    let done = login(&user, &["--client-document", DOCUMENT]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(server(&user)["client"]["id"], "testkit-registered-1");
    assert_eq!(user.kit.standard().violations(), [""; 0]);
}

#[test]
fn a_server_that_refuses_the_client_it_has_just_registered_is_not_asked_for_another() {
    let user = user_of(StandardProvider::default().registers_clients());
    let refused = r#"{"error":"invalid_client","error_description":"Missing client_id"}"#;
    let kit = user.kit.standard();
    kit.fault(Operation::Exchange, Fault::response(401, refused).times(2));
    let done = login(&user, &[]);
    done.assert_failed(1, "invalid_client (Missing client_id)");
    assert!(!done.err.contains("--register"), "{done:?}");
    let advice = "register a client at the server yourself, and name it with --client-id";
    assert!(done.err.contains(advice), "{done:?}");
    // The next sign-in uses the client that is remembered, which the server may have lost.
    let done = login(&user, &[]);
    done.assert_failed(1, "invalid_client");
    assert!(done.err.contains("--register"), "{done:?}");
}

#[test]
fn what_is_wrong_with_a_call_is_found_before_a_client_is_registered() {
    let user = user_of(StandardProvider::default().registers_clients());
    for (more, why) in [
        (&["--region", "cn"][..], "--region applies to minimax only"),
        (&["--resource", "/api"], "no absolute URI"),
        (&["--api-base", "https://a.example"], "--api-base is for"),
    ] {
        let done = login(&user, more);
        done.assert_failed(2, why);
        assert_nothing_stored(&user);
    }
}

#[test]
fn the_directory_of_a_call_counts_after_the_name_of_a_server_too() {
    let user = user_of(StandardProvider::default().registers_clients());
    let done = login(&user, &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let home = user.directory.path().join("home");
    let elsewhere = user.directory.path().join("elsewhere");
    let (home, elsewhere) = (home.to_str().unwrap(), elsewhere.to_str().unwrap());
    for command in ["token", "logout"] {
        let done = user.run(&[command, "mcp", NAME, "--home", elsewhere]);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.out.is_empty(), "{done:?}");
    }
    let done = user.run(&["token", "mcp", NAME, "--home", home]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_secret_goes_to_no_authorization_server_that_only_the_mcp_server_names() {
    let user = user_of(StandardProvider::default().registers_clients());
    let file = user.directory.path().join("secret.txt");
    std::fs::write(&file, "made-up").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    for flags in [
        &["--registration-token-file", file][..],
        &["--client-id", "x", "--client-secret-file", file],
    ] {
        login(&user, flags).assert_failed(2, "add --issuer URL");
    }
}

#[test]
fn a_server_that_names_another_authorization_server_than_before_is_not_signed_in_at() {
    let user = user_of(StandardProvider::default().registers_clients());
    let done = login(&user, &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let file = user
        .directory
        .path()
        .join(format!("home/servers/{NAME}.json"));
    let mut server = server(&user);
    // As it was remembered.
    server["issuer"] = "https://former.example".into();
    server["endpoints"]["token"] = "https://former.example/token".into();
    std::fs::write(&file, server.to_string()).unwrap();
    let done = login(&user, &[]);
    done.assert_failed(1, "https://former.example");
    assert!(
        done.err.contains("this is also what an attack looks like"),
        "{done:?}"
    );
}

#[test]
fn a_server_that_takes_no_documents_and_registers_nothing_wants_a_client_id() {
    let user = user_of(StandardProvider::default());
    let done = login(&user, &["--client-document", DOCUMENT]);
    done.assert_failed(1, "the server registers no clients");
    assert!(done.err.contains("--client-id"), "{done:?}");
    assert_nothing_stored(&user);
}

#[test]
fn an_issuer_that_differs_is_refused_unless_the_user_accepts_its_name_once() {
    const SECOND: &str = "https://second.example";
    const THIRD: &str = "https://third.example";
    let user = user_of(StandardProvider::default());
    let kit = user.kit.standard();
    // The first document is that of the resource.
    let names = |issuer| {
        kit.fault(
            Operation::Token,
            Fault::patch(json!({"issuer": issuer})).skip(1),
        );
    };
    let client = ["--client-id", "testkit-client"];

    names(SECOND);
    let done = login(&user, &client);
    let issuer = format!("{}/standard", user.kit.base_url());
    done.assert_failed(1, &issuer);
    assert!(done.err.contains(SECOND), "{done:?}");
    assert_nothing_stored(&user);

    names(SECOND);
    kit.set_issuer(Some(SECOND.into()));
    let done = login(&user, &[&client[..], &["--accept-issuer", SECOND]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(server(&user)["issuer"], SECOND);

    let again = user.sign_in_with_browser(&["login", NAME, "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let (session, remembered) = (user.stored(NAME), server(&user));

    kit.set_issuer(Some(THIRD.into()));
    // A response that names another issuer is none of this sign-in, which goes on waiting.
    let done = user.sign_in_with_browser(&["login", NAME, "--json", "--timeout", "3"]);
    assert_ne!(done.code, Some(0), "{done:?}");
    names(THIRD);
    let done = login(&user, &[&client[..], &["--accept-issuer", SECOND]].concat());
    done.assert_failed(1, THIRD);
    assert!(done.err.contains(SECOND), "{done:?}");
    assert_eq!((user.stored(NAME), server(&user)), (session, remembered));
    assert_eq!(kit.counters().logins_ok, 2);
}
