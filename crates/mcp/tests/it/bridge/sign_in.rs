//! Tokens: refreshed, refused, and never where they do not belong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use llm_auth_mcp::{Bridge, SecureUrl};
use serde_json::json;
use tempfile::TempDir;

use super::agent::{Agent, SIGN_IN, message_of, modern};
use super::exchange::{Reply, Request};
use super::server::Server;
use super::vendor::{Vendor, session};

/// Takes only this access token.
fn wants(access: &'static str) -> impl Fn(&Request) -> Reply {
    move |request| {
        if request.header("authorization") == Some(&format!("Bearer {access}")) {
            Reply::result(request, json!({"ok": true}))
        } else {
            Reply::Whole(
                401,
                Vec::new(),
                format!("no {:?}", request.header("authorization")),
            )
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_refreshed_and_the_request_sent_once_more() {
    let server = Server::start(wants("made-up-access-2")).await;
    let mut agent = Agent::of(&server).await;
    let response = agent
        .call(1, "tools/call", modern(json!({"name": "x"})))
        .await;
    assert_eq!(response["result"]["ok"], true);
    let response = agent
        .call(2, "tools/call", modern(json!({"name": "x"})))
        .await;
    assert_eq!(response["result"]["ok"], true);
    assert_eq!(server.requests().len(), 3);
    assert!(agent.close().await.is_empty());
}

#[tokio::test]
async fn many_agents_at_once_on_an_expired_session_cause_one_refresh() {
    let (vendor, directory) = (Vendor::default(), TempDir::new().unwrap());
    vendor.signed_in(directory.path()).await;
    let server = Server::start(wants("made-up-access-2")).await;
    let mut agents: Vec<_> = (0..8)
        .map(|_| Agent::of_vendor(&vendor, directory.path(), &server))
        .collect();
    for agent in &mut agents {
        for id in 0..4 {
            agent.ask(id, "ping", modern(json!({}))).await;
        }
    }
    for agent in &mut agents {
        for _ in 0..4 {
            assert_eq!(agent.next().await["result"]["ok"], true);
        }
    }
    assert_eq!(vendor.refreshes(), 1);
}

#[tokio::test]
async fn a_session_that_is_refused_twice_names_the_command_and_a_new_sign_in_heals_it() {
    let (vendor, directory) = (Vendor::default(), TempDir::new().unwrap());
    vendor.signed_in(directory.path()).await;
    let server = Server::start(wants("made-up-new")).await;
    let mut agent = Agent::of_vendor(&vendor, directory.path(), &server);
    for id in 1..4 {
        let response = agent.call(id, "ping", json!({})).await;
        assert_eq!(response["id"], id);
        assert!(
            message_of(&response).contains(&format!("run `{SIGN_IN}`")),
            "{response}"
        );
        assert_eq!(response["error"]["data"]["reason"], "sign_in_required");
        assert!(
            !response.to_string().contains("made-up-access"),
            "{response}"
        );
    }
    // A fresh token that was refused is not refreshed at each request.
    assert_eq!(vendor.refreshes(), 1);
    let other = vendor.manager(directory.path());
    other.insert_session(session("made-up-new")).await.unwrap();
    let response = agent.call(4, "ping", json!({})).await;
    assert_eq!(response["result"]["ok"], true);
}

#[tokio::test]
async fn a_session_that_cannot_be_refreshed_names_the_command_too() {
    let (vendor, directory) = (Vendor::default(), TempDir::new().unwrap());
    vendor.signed_in(directory.path()).await;
    vendor.refuse();
    let server = Server::start(wants("made-up-new")).await;
    let mut agent = Agent::of_vendor(&vendor, directory.path(), &server);
    let response = agent.call(1, "ping", json!({})).await;
    assert!(
        message_of(&response).contains(&format!("run `{SIGN_IN}`")),
        "{response}"
    );
    let other = vendor.manager(directory.path());
    other.insert_session(session("made-up-new")).await.unwrap();
    assert_eq!(agent.call(2, "ping", json!({})).await["result"]["ok"], true);
}

#[tokio::test]
async fn missing_scopes_are_named_and_nothing_is_refreshed() {
    let server = Server::start(|_| {
        let header = r#"Bearer error="insufficient_scope", scope="files:write mail""#;
        Reply::status(403).with("www-authenticate", header)
    })
    .await;
    let mut agent = Agent::of(&server).await;
    let response = agent.call(1, "tools/call", json!({"name": "x"})).await;
    assert!(
        message_of(&response).contains("\"files:write mail\""),
        "{response}"
    );
    assert!(message_of(&response).contains(SIGN_IN), "{response}");
    assert_eq!(response["error"]["data"]["reason"], "insufficient_scope");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_repeats_the_token_as_a_scope_or_with_escapes_is_not_quoted() {
    let server = Server::start(|request| {
        let bearer = request.header("authorization").unwrap();
        let token = bearer.strip_prefix("Bearer ").unwrap();
        if request.json()["id"] == 1 {
            let header = format!(r#"Bearer error="insufficient_scope", scope="a {token}""#);
            return Reply::status(403).with("www-authenticate", &header);
        }
        let (first, rest) = token.split_at(1);
        let first = u32::from(first.chars().next().unwrap());
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":2,"x":"\u{first:04x}{rest}","error":{{"code":-1}}}}"#
        );
        Reply::Whole(400, Vec::new(), body)
    })
    .await;
    let mut agent = Agent::of(&server).await;
    let first = agent.call(1, "tools/call", json!({"name": "x"})).await;
    assert_eq!(first["error"]["data"]["reason"], "insufficient_scope");
    let second = agent.call(2, "tools/call", json!({"name": "x"})).await;
    let requests = server.requests();
    let bearer = requests[0].header("authorization").unwrap();
    let token = bearer.strip_prefix("Bearer ").unwrap();
    for response in [first, second] {
        assert!(!response.to_string().contains(token), "{response}");
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    let elsewhere = Server::start(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::result(request, json!({}))
    })
    .await;
    for status in [301, 302, 303, 307, 308] {
        let target = elsewhere.url.to_string();
        let server = Server::start(move |_| Reply::status(status).with("location", &target)).await;
        let mut agent = Agent::of(&server).await;
        let response = agent.call(1, "ping", json!({})).await;
        assert_eq!(
            response["error"]["data"]["httpStatus"], status,
            "{response}"
        );
        assert!(agent.close().await.is_empty());
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_repeats_the_token_cannot_put_it_into_an_error() {
    let server = Server::start(|request| {
        let token = request.header("authorization").unwrap_or_default();
        let error = json!({"id": 1, "error": {"code": -32000, "message": format!("bad {token}")}});
        Reply::Whole(400, Vec::new(), error.to_string())
    })
    .await;
    let mut agent = Agent::of(&server).await;
    let response = agent.call(1, "ping", json!({})).await;
    assert!(response["error"].is_object());
    assert!(
        !response.to_string().contains("made-up-access"),
        "{response}"
    );
}

#[tokio::test]
async fn a_bridge_shows_no_token() {
    let directory = TempDir::new().unwrap();
    let manager = Vendor::default().signed_in(directory.path()).await;
    let url = SecureUrl::known("https://mcp.example/mcp");
    let bridge = Bridge::new(manager, url, SIGN_IN);
    assert!(!format!("{bridge:?}").contains("made-up-access"));
}
