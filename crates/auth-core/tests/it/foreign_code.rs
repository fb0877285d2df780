//! Providers and stores that panic, hang or fail: an error like any other, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{Brittle, FakeProvider, Misbehaviour, Response, expired_session, session};
use llm_auth_core::{AuthManager, ErrorKind, SessionChange, Silent};

/// Long enough for a call that works, however busy the machine is, is not needed: the calls that
/// work here do not wait.
const LIMIT: Duration = Duration::from_millis(300);

fn manager(provider: &FakeProvider, store: &Arc<Brittle>) -> AuthManager {
    AuthManager::builder(provider.clone())
        .store(Arc::clone(store))
        .call_limit(LIMIT)
        .build()
}

#[tokio::test]
async fn a_store_that_panics_or_hangs_in_save_loses_no_successor() {
    for how in [Misbehaviour::PanicsInSave, Misbehaviour::HangsInSave] {
        let provider = FakeProvider::default();
        let store = Brittle::holding(expired_session("a1", "r1"));
        let manager = manager(&provider, &store);
        let mut watch = manager.watch();
        store.misbehave(how);
        let error = manager.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{how:?}: {error}");
        assert!(matches!(
            watch.changed().await,
            Some(SessionChange::SaveFailed(_))
        ));
        store.misbehave(Misbehaviour::None);
        assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
        assert_eq!(store.held().unwrap().refresh.unwrap().expose(), "r2");
        assert_eq!(provider.refreshes(), 1, "{how:?}");
    }
}

#[tokio::test]
async fn a_store_that_fails_before_anything_is_sent_costs_no_request() {
    for (how, kind) in [
        (Misbehaviour::PanicsInPrepare, ErrorKind::Store),
        (Misbehaviour::PanicsInLock, ErrorKind::Store),
        (Misbehaviour::HangsInLock, ErrorKind::StoreBusy),
        (Misbehaviour::PanicsInLoad, ErrorKind::Store),
        (Misbehaviour::RefusesLock, ErrorKind::StoreBusy),
    ] {
        let provider = FakeProvider::default();
        let store = Brittle::holding(expired_session("a1", "r1"));
        let manager = manager(&provider, &store);
        let mut watch = manager.watch();
        store.misbehave(how);
        let error = manager.token().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{how:?}: {error}");
        if how != Misbehaviour::PanicsInLoad {
            let change = watch.changed().await;
            assert!(
                matches!(change, Some(SessionChange::RefreshFailed(_))),
                "{how:?}: {change:?}"
            );
        }
        store.misbehave(Misbehaviour::None);
        assert_eq!(provider.refreshes(), 0, "{how:?}");
        assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_or_panics_is_an_error_and_may_have_spent_the_token() {
    for (answer, transient) in [(Response::Hang, true), (Response::Panic, false)] {
        let provider = FakeProvider::default();
        let store = Brittle::holding(expired_session("a1", "r1"));
        let manager = manager(&provider, &store);
        provider.answer(answer.clone());
        let error = manager.token().await.unwrap_err();
        assert_eq!(error.is_transient(), transient, "{answer:?}: {error}");
        assert!(store.held().unwrap().may_be_spent(), "{answer:?}");
        // No caller waits for it any more.
        manager.wait_idle().await;
        provider.answer(Response::Rotate);
        assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    }
}

#[tokio::test]
async fn a_provider_that_blocks_its_thread_keeps_no_caller_for_ever() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(expired_session("a1", "r1"));
    let manager = AuthManager::builder(provider.clone())
        .store(Arc::clone(&store))
        .call_limit(Duration::from_millis(10))
        .build();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    provider.meanwhile(move || blocked.recv().unwrap());
    // The one that starts the refresh, and one that joins it.
    let (first, second) = tokio::join!(manager.token(), manager.token());
    for outcome in [first, second] {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert_eq!(error.to_string(), "fake: the refresh did not finish");
    }
    release.send(()).unwrap();
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_stored_is_tried_again_and_kept() {
    let provider = FakeProvider::default();
    let store = Arc::new(Brittle::default());
    let manager = manager(&provider, &store);
    store.refuse_save.store(true, Ordering::SeqCst);
    let error = manager.login(&Silent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(store.held().is_none());
    store.refuse_save.store(false, Ordering::SeqCst);
    assert_eq!(manager.token().await.unwrap().access.expose(), "a1");
    assert_eq!(provider.sign_ins(), 1, "the user is not asked again");
    assert_eq!(store.held().unwrap().refresh.unwrap().expose(), "r1");
}

#[tokio::test]
async fn a_store_that_recovers_gets_what_waits_though_nothing_is_called() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(session("a1", "r1", 3600));
    let manager = manager(&provider, &store);
    store.refuse_save.store(true, Ordering::SeqCst);
    manager.refresh().await.unwrap_err();
    // The old access token is still valid, so that no call reaches the store.
    assert_eq!(manager.token().await.unwrap().access.expose(), "a1");
    assert!(manager.has_unsaved());
    store.refuse_save.store(false, Ordering::SeqCst);
    manager.wait_idle().await;
    assert!(!manager.has_unsaved());
    assert_eq!(store.held().unwrap().refresh.unwrap().expose(), "r2");
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
}

#[tokio::test]
async fn what_is_over_is_reported_once() {
    let provider = FakeProvider::default();
    provider.answer(Response::Refuse);
    let store = Brittle::holding(expired_session("a1", "r1"));
    let manager = manager(&provider, &store);
    let mut watch = manager.watch();
    manager.token().await.unwrap_err();
    assert!(matches!(
        watch.changed().await,
        Some(SessionChange::Over(_))
    ));
    for _ in 0..3 {
        assert!(manager.token().await.unwrap_err().needs_login());
    }
    drop(manager);
    assert!(watch.changed().await.is_none(), "nothing else happened");
}

#[tokio::test]
async fn a_sign_out_that_fails_keeps_the_successor_that_waits_to_be_stored() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(expired_session("a1", "r1"));
    let manager = manager(&provider, &store);
    store.refuse_save.store(true, Ordering::SeqCst);
    manager.token().await.unwrap_err();
    store.misbehave(Misbehaviour::RefusesRemove);
    manager.logout().await.unwrap_err();
    store.misbehave(Misbehaviour::None);
    store.refuse_save.store(false, Ordering::SeqCst);
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_valid_session_is_given_although_the_lock_cannot_be_had() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(expired_session("a1", "r1"));
    let manager = manager(&provider, &store);
    manager.load().await.unwrap();
    store.misbehave(Misbehaviour::RefusesLock);
    // The process that holds the lock has refreshed.
    store.hold(session("a9", "r9", 3600));
    let token = manager.token_valid_for(Duration::from_secs(600)).await;
    assert_eq!(token.unwrap().access.expose(), "a9");
    assert_eq!(provider.refreshes(), 0);
}
