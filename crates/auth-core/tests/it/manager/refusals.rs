//! What an API that refuses even fresh tokens leads to.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{AuthManager, OAuthToken, Refusals, TokenStore as _};
use tokio::time::advance;

use crate::support::{FakeProvider, key, manager_of, session};

/// The token for a second attempt, which is worth it.
async fn retried(
    refusals: &Refusals,
    manager: &AuthManager,
    refused: &OAuthToken,
) -> Arc<OAuthToken> {
    let next = refusals.retry_with(manager, refused).await;
    next.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_that_is_refused_is_refreshed_once_a_minute_only() {
    let provider = FakeProvider::default();
    let (manager, _) = manager_of(&provider, session("a1", "r1", 3600)).await;
    let refusals = Refusals::default();
    for minute in 1..=3 {
        let token = manager.token().await.unwrap();
        let fresh = retried(&refusals, &manager, &token).await;
        for _ in 0..5 {
            refusals.refused_again(&fresh);
            let next = refusals.retry_with(&manager, &fresh).await.unwrap();
            assert!(next.is_none());
            advance(Duration::from_secs(11)).await;
        }
        assert_eq!(provider.refreshes(), minute);
        advance(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_by_another_process_is_found_at_the_next_refusal() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, session("a1", "r1", 3600)).await;
    let refusals = Refusals::default();
    let token = manager.token().await.unwrap();
    let fresh = retried(&refusals, &manager, &token).await;
    refusals.refused_again(&fresh);
    let mut guard = store.lock(&key()).await.unwrap();
    guard.save(&session("a9", "r9", 3600)).await.unwrap();
    drop(guard);
    let other = retried(&refusals, &manager, &fresh).await;
    assert_eq!(other.access.expose(), "a9");
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_dies_after_it_was_accepted_is_refreshed_at_once() {
    let provider = FakeProvider::default();
    let (manager, _) = manager_of(&provider, session("a1", "r1", 3600)).await;
    let refusals = Refusals::default();
    let mut token = manager.token().await.unwrap();
    for _ in 0..3 {
        token = retried(&refusals, &manager, &token).await;
    }
    assert_eq!(provider.refreshes(), 3);
}
