//! A client of rmcp whose token expires, or is revoked.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_rmcp::{
    AuthManager, Clock as _, FileTokenStore, ManualClock, ProviderSpec as _, SessionClient,
    SystemClock,
};
use rmcp::model::CallToolRequestParams;
use tokio::task::JoinSet;

use super::world::{World, texts};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_token_that_expires_between_two_requests_is_refreshed_once_and_none_is_refused() {
    let world = World::start().await;
    world.signed_in().await;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let provider = world.server().builder().clock(Arc::clone(&clock) as _);
    let manager = AuthManager::builder(provider.build())
        .store(FileTokenStore::file(world.file()))
        .clock(Arc::clone(&clock) as _)
        .build();
    let client = world.connect(SessionClient::new(manager)).await.unwrap();
    assert_eq!(client.list_all_tools().await.unwrap()[0].name, "greet");
    assert_eq!(world.vendor.refreshes(), 0);

    clock.advance(2 * HOUR);
    world.vendor.revoke_access();
    let called = client.call_tool(CallToolRequestParams::new("greet")).await;
    assert_ne!(called.unwrap().is_error, Some(true));
    assert_eq!(client.list_all_tools().await.unwrap().len(), 1);
    assert_eq!(world.vendor.refreshes(), 1);
    assert_eq!(world.count("POST", 401), 0);
}

#[tokio::test]
async fn a_token_that_is_revoked_early_is_refreshed_once_and_the_call_succeeds() {
    let world = World::start().await;
    let client = SessionClient::new(world.signed_in().await);
    let client = world.connect(client).await.unwrap();
    client.list_all_tools().await.unwrap();
    world.vendor.revoke_access();
    let called = client.call_tool(CallToolRequestParams::new("greet")).await;
    assert_ne!(called.unwrap().is_error, Some(true));
    client.list_all_tools().await.unwrap();
    assert_eq!(world.vendor.refreshes(), 1);
    assert_eq!(world.count("POST", 401), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_clients_at_once_on_an_expired_session_cause_one_refresh() {
    let world = Arc::new(World::start().await);
    world.signed_in_for(Duration::ZERO).await;
    world.vendor.revoke_access();
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        let world = Arc::clone(&world);
        clients.spawn(async move {
            let client = SessionClient::new(world.manager());
            let client = world.connect(client).await.unwrap();
            client.list_all_tools().await.unwrap().len()
        });
    }
    assert_eq!(clients.join_all().await, [1; 20]);
    assert_eq!(world.vendor.refreshes(), 1);
    assert_eq!(world.count("POST", 401), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_that_are_refused_at_once_cause_one_refresh() {
    let world = Arc::new(World::start().await);
    let client = SessionClient::new(world.signed_in().await);
    let client = Arc::new(world.connect(client).await.unwrap());
    world.vendor.revoke_access();
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let client = Arc::clone(&client);
        calls.spawn(async move { client.list_all_tools().await.unwrap().len() });
    }
    assert_eq!(calls.join_all().await, [1; 20]);
    assert_eq!(world.vendor.refreshes(), 1);
}

#[tokio::test]
async fn a_server_that_refuses_every_token_gets_one_retry_and_the_error_says_what_to_do() {
    let world = World::start().await;
    let client = SessionClient::new(world.signed_in().await);
    let running = world.connect(client.clone()).await.unwrap();
    world.vendor.refuse_for_ever();
    for (posts, attempt) in [(2, 1), (3, 2), (4, 3)] {
        let error = running.list_all_tools().await.unwrap_err();
        let texts = texts(&error);
        assert!(texts.contains("work: "), "{texts}");
        assert!(texts.contains("sign in again"), "{texts}");
        assert!(!texts.contains("made-up-access"), "{texts}");
        assert_eq!(world.count("POST", 401), posts, "attempt {attempt}");
        // A fresh token that was refused is not refreshed at each request.
        assert_eq!(world.vendor.refreshes(), 1);
    }
    world.vendor.relent();
    assert_eq!(running.list_all_tools().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_that_another_program_replaces_heals_a_client_that_was_refused() {
    let world = World::start().await;
    let client = SessionClient::new(world.signed_in().await);
    let client = world.connect(client).await.unwrap();
    world.vendor.refuse_for_ever();
    client.list_all_tools().await.unwrap_err();
    let other = world.manager();
    let refused = other.token().await.unwrap();
    world.vendor.relent();
    assert_ne!(other.refresh().await.unwrap().access, refused.access);
    assert_eq!(client.list_all_tools().await.unwrap().len(), 1);
    assert_eq!(world.vendor.refreshes(), 2);
}

#[tokio::test]
async fn without_a_session_nothing_is_sent_and_the_error_asks_for_a_sign_in() {
    let world = World::start().await;
    let client = SessionClient::new(world.manager());
    let error = world.connect(client).await.unwrap_err();
    let texts = texts(&error);
    assert!(texts.contains("work: "), "{texts}");
    assert!(texts.contains("not signed in"), "{texts}");
    assert_eq!(world.seen(), []);
}

#[tokio::test]
async fn the_end_of_a_session_on_the_server_refreshes_nothing() {
    let world = World::start().await;
    let client = SessionClient::new(world.signed_in().await);
    let client = world.connect(client).await.unwrap();
    client.list_all_tools().await.unwrap();
    world.vendor.revoke_access();
    client.cancel().await.unwrap();
    assert_eq!(world.count("DELETE", 401), 1);
    assert_eq!(world.vendor.refreshes(), 0);
}
