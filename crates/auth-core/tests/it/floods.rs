//! Many callers, and servers that ask for fewer requests.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{Brittle, FakeProvider, Response, expired_session, session};
use llm_auth_core::{AuthManager, Clock as _, ErrorKind, ManualClock, SystemClock};

fn manager(provider: &FakeProvider, store: &Arc<Brittle>) -> AuthManager {
    AuthManager::builder(provider.clone())
        .store(Arc::clone(store))
        .build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_cause_one_request_and_one_look_without_the_lock() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(expired_session("a1", "r1"));
    let manager = manager(&provider, &store);
    provider.hold();
    let callers: Vec<_> = (0..10_000)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.token().await.unwrap() })
        })
        .collect();
    provider.asked().await;
    provider.release();
    for caller in callers {
        assert_eq!(caller.await.unwrap().access.expose(), "a2");
    }
    assert_eq!(provider.refreshes(), 1);
    assert_eq!(store.loads.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_issues_the_same_access_token_again_is_asked_once() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(session("a1", "r1", 3600));
    let manager = manager(&provider, &store);
    let rejected = manager.token().await.unwrap();
    provider.answer(Response::SameAccess);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (manager, rejected) = (manager.clone(), Arc::clone(&rejected));
            tokio::spawn(async move { manager.invalidate(&rejected).await.unwrap() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().access.expose(), "a1");
    }
    // And one that comes a moment later.
    manager.invalidate(&rejected).await.unwrap();
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_wait_that_the_server_asked_for_is_kept_by_every_process_and_call() {
    let provider = FakeProvider::default();
    provider.answer(Response::Limited(3600));
    let store = Brittle::holding(expired_session("a1", "r1"));
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let another_process = || {
        AuthManager::builder(provider.clone())
            .store(Arc::clone(&store))
            .clock(Arc::clone(&clock) as Arc<_>)
            .build()
    };
    let first = another_process();
    for _ in 0..30 {
        let error = first.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert!(error.retry_after().is_some());
    }
    assert!(another_process().token().await.unwrap_err().is_transient());
    assert_eq!(provider.refreshes(), 1);

    // A user who demands it overrides.
    assert!(first.refresh().await.unwrap_err().is_transient());
    assert_eq!(provider.refreshes(), 2);

    clock.advance(Duration::from_secs(3601));
    provider.answer(Response::Rotate);
    assert_eq!(first.token().await.unwrap().access.expose(), "a2");
    assert_eq!(provider.refreshes(), 3);
}

#[tokio::test]
async fn a_wait_noted_by_a_clock_that_was_ahead_is_not_believed() {
    let provider = FakeProvider::default();
    provider.answer(Response::Limited(600));
    let store = Brittle::holding(expired_session("a1", "r1"));
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::new(now.after(Duration::from_secs(86_400))));
    let manager = AuthManager::builder(provider.clone())
        .store(Arc::clone(&store))
        .clock(Arc::clone(&clock) as Arc<_>)
        .build();
    manager.token().await.unwrap_err();
    clock.set(now);
    provider.answer(Response::Rotate);
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
}

#[tokio::test]
async fn a_session_that_was_obtained_by_a_clock_that_was_ahead_is_refreshed_once() {
    let provider = FakeProvider::default();
    let now = SystemClock.now();
    let ahead = Duration::from_secs(7200);
    let mut token = session("a1", "r1", 3600 + 7200);
    token.metadata.refreshed_at = Some(now.after(ahead));
    let store = Brittle::holding(token);
    let manager = manager(&provider, &store);
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    manager.wait_idle().await;
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn what_an_api_and_the_server_have_rejected_is_not_handed_out_again() {
    let provider = FakeProvider::default();
    provider.answer(Response::Refuse);
    let store = Brittle::holding(session("a1", "r1", 3600));
    let first = manager(&provider, &store);
    let token = first.token().await.unwrap();
    let error = first.invalidate(&token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    for manager in [first, manager(&provider, &store)] {
        let error = manager.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RefreshRejected);
        assert!(manager.with_fresh(|_| ()).is_none());
    }
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn the_borrowed_form_begins_the_early_refresh_as_well() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(session("a1", "r1", 200));
    let manager = manager(&provider, &store);
    manager.load().await.unwrap();
    assert!(
        manager
            .with_fresh(|token| token.access.expose() == "a1")
            .unwrap()
    );
    manager.wait_idle().await;
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_keeper_finds_a_session_that_no_caller_has_asked_for_yet() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(session("a1", "r1", 200));
    let manager = manager(&provider, &store);
    let mut watch = manager.watch();
    let _keeper = manager.keep_fresh();
    watch.changed().await.unwrap();
    assert_eq!(store.held().unwrap().refresh.unwrap().expose(), "r2");
}

#[tokio::test]
async fn one_file_gives_no_account_the_session_of_another() {
    let provider = FakeProvider::default();
    let directory = tempfile::tempdir().unwrap();
    let store = llm_auth_core::FileTokenStore::file(directory.path().join("one.json"));
    let manager = |account: &str| {
        AuthManager::builder(provider.clone())
            .store(store.clone())
            .account(account)
            .build()
    };
    manager("ann")
        .insert_session(session("a1", "r1", 3600))
        .await
        .unwrap();
    for error in [
        manager("bob").token().await.unwrap_err(),
        manager("bob").logout().await.unwrap_err(),
        manager("bob")
            .insert_session(session("a7", "r7", 3600))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("ann"), "{error}");
    }
    let token = manager("ann").token().await.unwrap();
    assert_eq!(token.access.expose(), "a1");
}
