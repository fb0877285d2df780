//! The advisory window, the watching of a session, and its keeping fresh.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{FakeProvider, Response, expired_session, key, manager_of, session};
use llm_auth_core::{
    AuthManager, Clock as _, ErrorKind, ManualClock, MemoryTokenStore, SessionChange, Silent,
    SystemClock, TokenStore as _,
};

#[tokio::test]
async fn in_the_advisory_window_no_caller_waits_and_a_refresh_runs_in_the_background() {
    let provider = FakeProvider::default();
    let (manager, _) = manager_of(&provider, session("a1", "r1", 200)).await;
    let mut watch = manager.watch();
    provider.hold();
    for _ in 0..3 {
        assert_eq!(manager.token().await.unwrap().access.expose(), "a1");
    }
    provider.asked().await;
    provider.release();
    assert!(matches!(
        watch.changed().await,
        Some(SessionChange::Refreshed(_))
    ));
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_failure_in_the_advisory_window_is_swallowed_noted_and_not_repeated_at_once() {
    let provider = FakeProvider::default();
    provider.answer(Response::Unavailable { lost: false });
    let (_, store) = manager_of(&provider, session("a1", "r1", 200)).await;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let manager = AuthManager::builder(provider.clone())
        .store(store.clone())
        .clock(Arc::clone(&clock) as Arc<_>)
        .build();
    let mut watch = manager.watch();
    manager.token().await.unwrap();
    let change = watch.changed().await;
    assert!(
        matches!(change, Some(SessionChange::RefreshFailed(_))),
        "{change:?}"
    );
    let series = provider.refreshes();
    for _ in 0..5 {
        assert_eq!(manager.token().await.unwrap().access.expose(), "a1");
    }
    manager.wait_idle().await;
    assert_eq!(provider.refreshes(), series, "not within a minute");
    let stored = store.load(&key()).await.unwrap().unwrap();
    let failure = stored.metadata.last_failure.unwrap();
    assert_eq!(failure.reason.as_deref(), Some("in trouble"));

    provider.answer(Response::Rotate);
    clock.advance(Duration::from_secs(61));
    manager.token().await.unwrap();
    assert!(matches!(
        watch.changed().await,
        Some(SessionChange::Refreshed(_))
    ));
    let stored = store.load(&key()).await.unwrap().unwrap();
    assert_eq!(stored.metadata.last_failure, None);
}

#[tokio::test]
async fn what_is_still_good_is_given_if_a_refresh_fails_for_now() {
    let provider = FakeProvider::default();
    provider.answer(Response::Unavailable { lost: false });
    let (manager, _) = manager_of(&provider, session("a1", "r1", 30)).await;
    assert_eq!(manager.token().await.unwrap().access.expose(), "a1");
    assert_eq!(provider.refreshes(), 3, "it was tried first");
    let insisting = manager.token_valid_for(Duration::from_secs(60)).await;
    assert!(insisting.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_token_that_is_in_the_window_on_arrival_is_not_refreshed_again_at_once() {
    let provider = FakeProvider::default();
    provider.lifetime(Duration::ZERO);
    let (manager, _) = manager_of(&provider, expired_session("a1", "r1")).await;
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    manager.wait_idle().await;
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_watch_hears_of_all_that_happens() {
    let provider = FakeProvider::default();
    let store = MemoryTokenStore::new();
    let manager = AuthManager::builder(provider.clone())
        .store(store.clone())
        .build();
    let mut watch = manager.watch();
    manager.login(&Silent).await.unwrap();
    assert!(matches!(
        watch.changed().await,
        Some(SessionChange::SignedIn(_))
    ));

    let other = session("a9", "r9", 3600);
    store
        .lock(&key())
        .await
        .unwrap()
        .save(&other)
        .await
        .unwrap();
    let first = manager.with_fresh(Clone::clone).unwrap();
    manager.invalidate(&first).await.unwrap();
    assert!(matches!(
        watch.changed().await,
        Some(SessionChange::Reloaded(_))
    ));

    provider.answer(Response::Refuse);
    let refused = manager.invalidate(&other).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::RefreshRejected);
    assert!(matches!(
        watch.changed().await,
        Some(SessionChange::Over(_))
    ));

    manager.logout().await.unwrap();
    assert!(matches!(
        watch.changed().await,
        Some(SessionChange::SignedOut)
    ));
    drop(manager);
    assert!(watch.changed().await.is_none());
}

#[tokio::test]
async fn a_keeper_refreshes_though_no_caller_asks_and_stops_when_it_is_dropped() {
    let provider = FakeProvider::default();
    let (manager, _) = manager_of(&provider, session("a1", "r1", 200)).await;
    manager.load().await.unwrap();
    let mut watch = manager.watch();
    let keeper = manager.keep_fresh();
    assert!(matches!(
        watch.changed().await,
        Some(SessionChange::Refreshed(_))
    ));
    assert_eq!(provider.refreshes(), 1);
    drop(keeper);
    manager
        .insert_session(expired_session("a5", "r5"))
        .await
        .unwrap();
    manager.wait_idle().await;
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn the_borrowed_form_gives_nothing_that_is_not_fresh() {
    let provider = FakeProvider::default();
    let (manager, _) = manager_of(&provider, session("a1", "r1", 3600)).await;
    assert!(manager.with_fresh(|_| ()).is_none(), "nothing is known yet");
    let owned = manager.token().await.unwrap();
    let same = manager.with_fresh(|token| std::ptr::eq(token, Arc::as_ptr(&owned)));
    assert_eq!(same, Some(true));
    manager
        .insert_session(expired_session("a5", "r5"))
        .await
        .unwrap();
    assert!(manager.with_fresh(|_| ()).is_none());
}
