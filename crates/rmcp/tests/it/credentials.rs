//! The store for programs that keep rmcp's authorization manager.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use llm_auth_rmcp::{Clock as _, ErrorKind, SessionStore, SystemClock};
use rmcp::transport::auth::{
    AuthError, AuthorizationManager, AuthorizationMetadata, CredentialStore as _, OAuthHttpClient,
    OAuthHttpClientFuture, OAuthHttpRequest,
};

use super::world::World;

/// rmcp sends nothing by itself.
struct NoRequests;

impl OAuthHttpClient for NoRequests {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        panic!("rmcp sent a request to {}", request.request.uri())
    }
}

async fn rmcp_with(store: SessionStore, url: &str, issuer: &str) -> AuthorizationManager {
    let mut rmcp = AuthorizationManager::new_with_oauth_http_client(url, Arc::new(NoRequests))
        .await
        .unwrap();
    let mut metadata = AuthorizationMetadata::default();
    metadata.authorization_endpoint = "https://auth.example/authorize".into();
    metadata.token_endpoint = "https://auth.example/token".into();
    metadata.issuer = Some(issuer.to_owned());
    rmcp.set_metadata(metadata);
    rmcp.set_credential_store(store);
    rmcp
}

#[tokio::test]
async fn rmcp_gets_a_fresh_token_and_nothing_to_refresh_it_with() {
    let world = World::start().await;
    let manager = world.signed_in_for(Duration::ZERO).await;
    let store = SessionStore::new(manager, &world.server()).unwrap();
    let before = SystemClock.now().as_unix_millis() / 1000;
    let loaded = store.load().await.unwrap().unwrap();
    let written = serde_json::to_value(&loaded).unwrap();
    let response = &written["token_response"];
    assert_eq!(response["access_token"], "made-up-access-2");
    assert_eq!(response["token_type"], "bearer");
    assert!((3000..=3600).contains(&response["expires_in"].as_u64().unwrap()));
    let after = SystemClock.now().as_unix_millis() / 1000;
    let received_at = i64::try_from(loaded.token_received_at.unwrap()).unwrap();
    assert!((before..=after).contains(&received_at));
    assert_eq!(loaded.client_id, "made-up-client");
    assert_eq!(loaded.issuer.as_deref(), Some("https://auth.example"));
    assert_eq!(loaded.granted_scopes, ["read", "write"]);
    assert!(
        !written.to_string().contains("made-up-refresh"),
        "{written}"
    );
    assert_eq!(world.vendor.refreshes(), 1);
}

#[tokio::test]
async fn rmcp_s_own_manager_refreshes_through_the_store() {
    let world = World::start().await;
    let manager = world.signed_in_for(Duration::ZERO).await;
    let store = SessionStore::new(manager, &world.server()).unwrap();
    let mut rmcp = rmcp_with(store, &world.url, "https://auth.example").await;
    assert!(rmcp.initialize_from_store().await.unwrap());
    for _ in 0..3 {
        let token = rmcp.get_access_token().await.unwrap();
        assert_eq!(token, "made-up-access-2");
    }
    assert_eq!(world.vendor.refreshes(), 1);
    // Without a refresh token, it asks for a sign-in, and sends nothing.
    let error = rmcp.refresh_token().await.unwrap_err();
    assert!(matches!(error, AuthError::AuthorizationRequired), "{error}");
    assert_eq!(world.vendor.refreshes(), 1);
}

#[tokio::test]
async fn a_session_that_is_over_or_absent_is_a_request_to_sign_in() {
    let world = World::start().await;
    let absent = SessionStore::new(world.manager(), &world.server()).unwrap();
    assert!(absent.load().await.unwrap().is_none());
    let manager = world.signed_in_for(Duration::ZERO).await;
    world.vendor.fail(400);
    let over = SessionStore::new(manager, &world.server()).unwrap();
    assert!(over.load().await.unwrap().is_none());
    for store in [absent, over] {
        let rmcp = rmcp_with(store, &world.url, "https://auth.example").await;
        let error = rmcp.get_access_token().await.unwrap_err();
        assert!(matches!(error, AuthError::AuthorizationRequired), "{error}");
    }
}

#[tokio::test]
async fn a_temporary_failure_is_no_request_to_sign_in() {
    let world = World::start().await;
    let manager = world.signed_in_for(Duration::ZERO).await;
    world.vendor.fail(503);
    let store = SessionStore::new(manager, &world.server()).unwrap();
    let error = store.load().await.unwrap_err();
    assert!(matches!(error, AuthError::TokenRefreshFailed(_)), "{error}");
    assert!(error.to_string().contains("work: "), "{error}");
    assert!(!format!("{error:?}").contains("made-up-"), "{error:?}");
}

#[tokio::test]
async fn what_rmcp_saves_or_clears_leaves_the_file_byte_for_byte() {
    let world = World::start().await;
    let manager = world.signed_in().await;
    let store = SessionStore::new(manager, &world.server()).unwrap();
    let before = fs::read(world.file()).unwrap();
    let loaded = store.load().await.unwrap().unwrap();
    let error = store.save(loaded).await.unwrap_err();
    assert!(
        matches!(error, AuthError::CredentialStoreError(_)),
        "{error}"
    );
    assert!(
        !format!("{error:?} {error}").contains("made-up-access"),
        "{error}"
    );
    store.clear().await.unwrap();
    // It clears its store if the server has another issuer.
    let mut rmcp = rmcp_with(store.clone(), &world.url, "https://other.example").await;
    assert!(!rmcp.initialize_from_store().await.unwrap());
    assert_eq!(fs::read(world.file()).unwrap(), before);
    assert!(store.load().await.unwrap().is_some());
    assert_eq!(world.vendor.refreshes(), 0);
}

#[tokio::test]
async fn the_session_of_another_server_is_not_handed_out() {
    let (world, other) = (World::start().await, World::start().await);
    let manager = world.signed_in().await;
    let store = SessionStore::new(manager, &other.server()).unwrap();
    let error = store.load().await.unwrap_err();
    assert!(
        matches!(error, AuthError::CredentialStoreError(_)),
        "{error}"
    );
    assert!(
        error.to_string().contains("is for http://127.0.0.1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_without_a_client_or_an_api_has_no_store() {
    let world = World::start().await;
    let mut without_client = world.server();
    without_client.client = None;
    let mut without_api = world.server();
    without_api.endpoints.api_base = None;
    for server in [without_client, without_api] {
        let error = SessionStore::new(world.manager(), &server).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("set it"), "{error}");
    }
}
