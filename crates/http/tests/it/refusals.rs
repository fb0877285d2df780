//! What a refused token leads to: one refresh, one more request, and no loop.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use llm_auth_core::{AuthManager, ErrorKind, MemoryTokenStore, ProviderSpec as _};
use llm_auth_minimax::MiniMax;
use llm_auth_testkit::{ScriptedResponse, ScriptedServer, immediate_polls};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    PATH, Vendor, bearer, chat, client, credentials, json_request, kit, of_session, session,
    signed_in, standard,
};

#[tokio::test]
async fn a_token_that_the_api_kills_in_mid_run_costs_one_refresh_and_no_call() {
    let kit = kit().await;
    let client = client(&standard(&kit).await);
    for call in 0..6 {
        if call == 3 {
            kit.standard().expire_access_tokens();
        }
        let response = chat(&kit, &client, false).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        assert!(text.contains("heard: hello"), "{text}");
    }
    let seen = kit.standard().counters();
    assert_eq!((seen.chats_ok, seen.chats_refused), (6, 1));
    assert_eq!((seen.refreshes, seen.reuse), (1, 0));
    assert_eq!(seen.violations, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_at_once_with_a_killed_token_cost_one_refresh() {
    let kit = kit().await;
    let client = client(&standard(&kit).await);
    kit.standard().expire_access_tokens();
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let request = chat(&kit, &client, false);
        calls.spawn(async move { request.send().await.unwrap().status() });
    }
    let statuses = calls.join_all().await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let seen = kit.standard().counters();
    assert_eq!((seen.chats_ok, seen.refreshes, seen.reuse), (50, 1, 0));
}

#[tokio::test]
async fn a_refusal_for_ever_is_returned_whole_after_two_requests() {
    let refusal = ScriptedResponse::json(401, r#"{"error": "made-up words"}"#);
    let server = ScriptedServer::start([refusal]).await.unwrap();
    let vendor = Vendor::at(&server);
    let client = client(&vendor.manager().await);
    let url = format!("{}{PATH}", server.base_url());
    let response = client.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.url().as_str(), url);
    assert_eq!(response.content_length(), Some(26));
    assert_eq!(
        response.text().await.unwrap(),
        r#"{"error": "made-up words"}"#
    );
    assert_eq!(credentials(&server), [bearer(1), bearer(2)]);
    assert_eq!(vendor.refreshes(), 1);

    // The fresh token was refused, so calls after that do not refresh it again.
    for _ in 0..3 {
        assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    }
    assert_eq!(vendor.refreshes(), 1);
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn a_session_that_another_manager_stored_is_used_after_a_refusal_of_the_fresh_one() {
    let script = [401, 401, 401, 200].map(|status| ScriptedResponse::json(status, "{}"));
    let server = ScriptedServer::start(script).await.unwrap();
    let vendor = Vendor::at(&server);
    let store = Arc::new(MemoryTokenStore::new());
    let [manager, other] = [(), ()].map(|()| {
        let builder = AuthManager::builder(vendor.clone());
        builder.store(Arc::clone(&store)).build()
    });
    let client = client(&manager);
    let url = format!("{}{PATH}", server.base_url());
    manager.insert_session(session(1)).await.unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    other.insert_session(session(9)).await.unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    let sent = [1, 2, 2, 9].map(bearer);
    assert_eq!(credentials(&server), sent);
    assert_eq!(vendor.refreshes(), 1);
}

#[tokio::test]
async fn minimax_refuses_with_status_200_and_the_call_succeeds_all_the_same() {
    let kit = kit().await;
    let provider = MiniMax::default().builder().base_url(kit.base_url());
    let provider = provider.unwrap().schedule(immediate_polls()).build();
    let client = client(&signed_in(AuthManager::builder(provider).build()).await);
    let body = json!({
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hello"}],
    });
    for killed in [false, true, false] {
        if killed {
            kit.minimax().expire_access_tokens();
        }
        let request = json_request(&client, &kit.minimax().chat_url(), &body);
        let response = request.header("anthropic-version", "2023-06-01").send();
        let text = response.await.unwrap().text().await.unwrap();
        let reply: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(reply["base_resp"]["status_code"], 0, "{text}");
        assert!(text.contains("heard: hello"), "{text}");
    }
    let seen = kit.minimax().counters();
    assert_eq!(
        (seen.chats_ok, seen.chats_refused, seen.refreshes),
        (3, 1, 1)
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_again_gets_the_refusal_and_the_next_request_is_good() {
    let kit = kit().await;
    let client = client(&standard(&kit).await);
    kit.standard().expire_access_tokens();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]});
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let body = Full::new(Bytes::from(body.to_string()));
        let request = client.post(kit.standard().chat_url());
        let request = request.header("content-type", "application/json");
        let response = request.body(reqwest::Body::wrap(body)).send().await;
        statuses.push(response.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [401, 200]);
    let seen = kit.standard().counters();
    assert_eq!(
        (seen.chats_refused, seen.chats_ok, seen.refreshes),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn the_provider_decides_what_is_a_refusal() {
    for (status, body, in_success, requests) in [
        (401, "{}", false, 2),
        (401, r#"{"code": "denied"}"#, false, 1),
        (403, "{}", false, 1),
        (403, r#"{"code": "refused"}"#, false, 2),
        (429, "{}", false, 1),
        (500, r#"{"code": "refused"}"#, false, 1),
        (200, r#"{"code": "refused"}"#, false, 1),
        (200, r#"{"code": "refused"}"#, true, 2),
        (200, r#"{"code": "ok"}"#, true, 1),
    ] {
        let server = ScriptedServer::json([(status, body)]).await.unwrap();
        let mut vendor = Vendor::at(&server);
        vendor.in_success = in_success;
        let client = client(&vendor.manager().await);
        let url = format!("{}{PATH}", server.base_url());
        let response = client.get(url).send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.text().await.unwrap(), body);
        assert_eq!(server.requests().len(), requests, "{status} {body}");
        assert_eq!(vendor.refreshes(), requests - 1);
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_the_error_of_the_call() {
    let server = ScriptedServer::json([(401, "{}")]).await.unwrap();
    let mut vendor = Vendor::at(&server);
    vendor.ends = true;
    let client = client(&vendor.manager().await);
    let url = format!("{}{PATH}", server.base_url());
    let error = client.get(&url).send().await.unwrap_err();
    assert_eq!(of_session(&error).kind(), ErrorKind::RefreshRejected);
    assert!(of_session(&error).needs_login());
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(text.contains("made-up: it is over"), "{text}");
        assert!(!text.contains("access"), "{text}");
    }
    // What is over is not sent again.
    let error = client.get(&url).send().await.unwrap_err();
    assert!(of_session(&error).needs_login());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn without_a_session_nothing_is_sent() {
    let server = ScriptedServer::json([(200, "{}")]).await.unwrap();
    let manager = AuthManager::builder(Vendor::at(&server)).build();
    let url = format!("{}{PATH}", server.base_url());
    let error = client(&manager).get(url).send().await.unwrap_err();
    assert_eq!(of_session(&error).kind(), ErrorKind::NotSignedIn);
    assert_eq!(server.requests().len(), 0);
}
