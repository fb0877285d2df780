//! What a failed refresh leaves in the session, and which of them a caller notices.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{AuthManager, Clock as _, ErrorKind, SystemClock, TokenStore as _};

use super::stored;
use crate::support::{Brittle, FakeProvider, Response, expired_session, key, manager_of, session};

const DAY: u64 = 86_400;

#[tokio::test]
async fn after_a_refusal_the_token_that_another_process_stored_meanwhile_is_tried() {
    let provider = FakeProvider::default();
    provider.answer(Response::RefuseFirst);
    let store = Brittle::holding(expired_session("a1", "r1"));
    let shared = Arc::clone(&store);
    provider.meanwhile(move || shared.hold(expired_session("a2", "r2")));
    let manager = AuthManager::builder(provider.clone())
        .store(Arc::clone(&store))
        .build();
    assert_eq!(manager.token().await.unwrap().access.expose(), "a3");
    assert_eq!(provider.refreshes(), 2);
    assert!(!store.held().unwrap().is_rejected());
}

#[tokio::test]
async fn a_user_s_demand_sends_an_unread_token_again_and_a_rejected_one_never() {
    for (unread, refreshes) in [(false, 1), (true, 2)] {
        let provider = FakeProvider::default();
        provider.answer(Response::Refuse);
        let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
        manager.token().await.unwrap_err();
        let mut marked = stored(&store).await;
        marked.metadata.rejected.as_mut().unwrap().unread = unread;
        let mut guard = store.lock(&key()).await.unwrap();
        guard.save(&marked).await.unwrap();
        drop(guard);
        let error = manager.refresh().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RefreshRejected);
        assert_eq!(provider.refreshes(), refreshes, "unread: {unread}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_no_verdict_leaves_the_note_of_a_lost_answer() {
    for lost in [true, false] {
        let provider = FakeProvider::default();
        provider.answer(Response::Unavailable { lost });
        let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
        assert!(manager.token().await.unwrap_err().is_transient());
        provider.answer(Response::Dismiss);
        let error = manager.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RefreshRejected);
        let noted = stored(&store).await.metadata.in_progress;
        assert_eq!(noted.is_some(), lost);
    }
}

#[tokio::test]
async fn within_the_margin_only_a_temporary_failure_is_hidden() {
    let provider = FakeProvider::default();
    let (manager, _) = manager_of(&provider, session("a1", "r1", 20)).await;
    provider.answer(Response::Misconfigured);
    assert_eq!(manager.token().await.unwrap_err().kind(), ErrorKind::Config);
    provider.answer(Response::Unavailable { lost: false });
    assert_eq!(manager.token().await.unwrap().access.expose(), "a1");
}

#[tokio::test]
async fn a_server_makes_nothing_wait_longer_than_a_day() {
    let provider = FakeProvider::default();
    provider.answer(Response::Limited(3650 * DAY));
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    let failure = stored(&store).await.metadata.last_failure.unwrap();
    let wait = failure.until.unwrap().since(SystemClock.now());
    let longest = Duration::from_secs(DAY);
    assert!(wait <= longest && wait > longest / 2, "{wait:?}");
}

#[tokio::test]
async fn callers_in_a_loop_do_not_flood_a_server_that_fails_and_a_user_s_demand_is_sent_at_once() {
    for response in [
        Response::Unavailable { lost: false },
        Response::Misconfigured,
        Response::Dismiss,
    ] {
        let provider = FakeProvider::default();
        provider.answer(response.clone());
        let (manager, _) = manager_of(&provider, expired_session("a1", "r1")).await;
        let mut last = manager.token().await.unwrap_err();
        for _ in 0..200 {
            last = manager.token().await.unwrap_err();
        }
        // Each temporary failure is a series of three.
        let sent = provider.refreshes();
        assert!((2..=30).contains(&sent), "{response:?}: {sent}");
        assert!(last.retry_after().is_some(), "{last:?}");
        // The rejected token of an API makes no difference.
        let stored = manager.load().await.unwrap().unwrap();
        manager.invalidate(&stored).await.unwrap_err();
        assert_eq!(provider.refreshes(), sent);
        manager.refresh().await.unwrap_err();
        assert!(provider.refreshes() > sent);
        provider.answer(Response::Rotate);
        assert_eq!(manager.refresh().await.unwrap().access.expose(), "a2");
        assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    }
}
