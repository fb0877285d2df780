//! The life of a session: refreshing, waiting, storing.

mod failures;
mod refusals;
mod sign_in;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{
    Brittle, FakeProvider, Response, caller_in_mid_refresh, expired_session, key, manager_of,
    session,
};
use llm_auth_core::{AuthManager, ErrorKind, MemoryTokenStore, Silent, TokenStore as _};

async fn stored(store: &MemoryTokenStore) -> llm_auth_core::OAuthToken {
    store.load(&key()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_valid_session_is_given_without_a_request() {
    let provider = FakeProvider::default();
    let (manager, _) = manager_of(&provider, session("a1", "r1", 3600)).await;
    assert_eq!(manager.token().await.unwrap().access.expose(), "a1");
    assert_eq!(provider.refreshes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_cause_one_refresh() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    provider.hold();
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.token().await.unwrap().access.expose().to_owned() })
        })
        .collect();
    provider.asked().await;
    provider.release();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "a2");
    }
    assert_eq!(provider.refreshes(), 1);
    assert_eq!(stored(&store).await.refresh.unwrap().expose(), "r2");
}

#[tokio::test]
async fn a_cancelled_caller_keeps_the_successor() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    let caller = caller_in_mid_refresh(&provider, &manager).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    provider.release();
    manager.wait_idle().await;
    assert_eq!(stored(&store).await.refresh.unwrap().expose(), "r2");
}

#[tokio::test]
async fn what_an_answer_leaves_out_is_kept() {
    let provider = FakeProvider::default();
    provider.answer(Response::WithoutRefreshToken);
    let mut old = expired_session("a1", "r1");
    old.resource_url = Some("portal.example".into());
    let (manager, store) = manager_of(&provider, old).await;
    manager.token().await.unwrap();
    let kept = stored(&store).await;
    assert_eq!(kept.refresh.unwrap().expose(), "r1");
    assert_eq!(kept.resource_url.as_deref(), Some("portal.example"));
}

#[tokio::test]
async fn a_refresh_by_another_process_is_adopted() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    assert!(manager.load().await.unwrap().is_some());
    let other = session("a9", "r9", 3600);
    store
        .lock(&key())
        .await
        .unwrap()
        .save(&other)
        .await
        .unwrap();
    assert_eq!(manager.token().await.unwrap().access.expose(), "a9");
    assert_eq!(provider.refreshes(), 0);
}

#[tokio::test]
async fn a_refusal_marks_the_session_and_is_not_asked_for_again() {
    let provider = FakeProvider::default();
    provider.answer(Response::Refuse);
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    assert_eq!(error.session(), Some(&key()));
    let kept = stored(&store).await;
    assert!(kept.is_rejected());
    assert_eq!(kept.refresh.unwrap().expose(), "r1", "marked, not erased");
    assert!(manager.token().await.unwrap_err().needs_login());
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_refusal_that_is_no_verdict_is_told_and_asked_for_again() {
    let provider = FakeProvider::default();
    provider.answer(Response::Dismiss);
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    let kept = stored(&store).await;
    assert!(!kept.is_rejected() && !kept.may_be_spent());
    assert!(kept.metadata.last_failure.is_some());
    let again = manager.invalidate(&kept).await.unwrap_err();
    assert!(again.needs_login());
    assert_eq!(provider.refreshes(), 2);
    provider.answer(Response::Rotate);
    // Without the pause after two failures.
    assert_eq!(manager.refresh().await.unwrap().access.expose(), "a2");
}

#[tokio::test]
async fn a_refusal_of_a_token_that_was_replaced_meanwhile_is_no_verdict() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(expired_session("a1", "r1"));
    provider.answer(Response::Refuse);
    // gochat writes without the lock.
    let shared = Arc::clone(&store);
    provider.meanwhile(move || shared.hold(session("a9", "r9", 3600)));
    let manager = AuthManager::builder(provider)
        .store(Arc::clone(&store))
        .build();
    assert_eq!(manager.token().await.unwrap().access.expose(), "a9");
    assert!(!store.held().unwrap().is_rejected());
}

#[tokio::test]
async fn trouble_is_retried_a_few_times_and_is_no_verdict() {
    let provider = FakeProvider::default();
    provider.answer(Response::Unavailable { lost: false });
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    assert!(manager.token().await.unwrap_err().is_transient());
    assert_eq!(provider.refreshes(), 3);
    let kept = stored(&store).await;
    assert_eq!(kept.refresh.as_ref().unwrap().expose(), "r1");
    assert!(!kept.is_rejected() && !kept.may_be_spent());
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_once_more_and_leaves_a_note() {
    let provider = FakeProvider::default();
    provider.answer(Response::Unavailable { lost: true });
    let (manager, store) = manager_of(&provider, expired_session("a1", "r1")).await;
    assert!(manager.token().await.unwrap_err().is_transient());
    assert_eq!(provider.refreshes(), 2);
    assert!(stored(&store).await.may_be_spent());

    provider.answer(Response::Refuse);
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    assert!(error.to_string().contains("was lost"), "{error}");
}

#[tokio::test]
async fn a_failed_flight_does_not_poison_the_next() {
    let provider = FakeProvider::default();
    provider.answer(Response::Panic);
    let (manager, _) = manager_of(&provider, expired_session("a1", "r1")).await;
    assert_eq!(manager.token().await.unwrap_err().kind(), ErrorKind::System);
    provider.answer(Response::Rotate);
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
}

#[tokio::test]
async fn a_store_that_cannot_take_the_successor_is_known_before_anything_is_spent() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(expired_session("a1", "r1"));
    store.refuse_prepare.store(true, Ordering::SeqCst);
    let manager = AuthManager::builder(provider.clone()).store(store).build();
    assert_eq!(manager.token().await.unwrap_err().kind(), ErrorKind::Store);
    assert_eq!(provider.refreshes(), 0);
}

#[tokio::test]
async fn a_store_that_cannot_take_a_session_is_known_before_the_person_is_asked() {
    let provider = FakeProvider::default();
    let store = Brittle::default();
    store.refuse_prepare.store(true, Ordering::SeqCst);
    let manager = AuthManager::builder(provider.clone()).store(store).build();
    let error = manager.login(&Silent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(provider.sign_ins(), 0);
}

#[tokio::test]
async fn a_save_that_fails_after_all_is_made_up_for_and_shows_nothing_before() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(expired_session("a1", "r1"));
    store.refuse_save.store(true, Ordering::SeqCst);
    let manager = AuthManager::builder(provider.clone())
        .store(Arc::clone(&store))
        .build();
    for _ in 0..2 {
        assert_eq!(manager.token().await.unwrap_err().kind(), ErrorKind::Store);
    }
    assert_eq!(provider.refreshes(), 1, "the spent token is not sent again");
    store.refuse_save.store(false, Ordering::SeqCst);
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    assert_eq!(provider.refreshes(), 1);
    assert_eq!(store.held().unwrap().refresh.unwrap().expose(), "r2");
}

#[tokio::test]
async fn invalidate_refreshes_only_the_token_that_is_still_current() {
    let provider = FakeProvider::default();
    let (manager, _) = manager_of(&provider, session("a1", "r1", 3600)).await;
    let first = manager.token().await.unwrap();
    let second = manager.invalidate(&first).await.unwrap();
    assert_eq!(second.access.expose(), "a2");
    let again = manager.invalidate(&first).await.unwrap();
    assert_eq!(again.access.expose(), "a2");
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_session_without_refresh_token_needs_a_sign_in_once_it_expires() {
    let provider = FakeProvider::default();
    let mut token = expired_session("a1", "r1");
    token.refresh = None;
    let (manager, _) = manager_of(&provider, token).await;
    assert_eq!(
        manager.token().await.unwrap_err().kind(),
        ErrorKind::NotSignedIn
    );
    assert_eq!(provider.refreshes(), 0);
}

#[tokio::test]
async fn tokens_that_live_shorter_than_the_margin_are_not_refreshed_at_every_call() {
    let provider = FakeProvider::default();
    provider.lifetime(Duration::from_secs(30));
    let (manager, _) = manager_of(&provider, expired_session("a1", "r1")).await;
    for _ in 0..3 {
        assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    }
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn what_another_process_stored_during_a_refresh_that_failed_stays() {
    let provider = FakeProvider::default();
    provider.answer(Response::Unavailable { lost: false });
    let store = Brittle::holding(expired_session("a1", "r1"));
    let shared = Arc::clone(&store);
    provider.meanwhile(move || shared.hold(session("a9", "r9", 3600)));
    let manager = AuthManager::builder(provider)
        .store(Arc::clone(&store))
        .build();
    assert!(manager.token().await.unwrap_err().is_transient());
    assert_eq!(store.held().unwrap().refresh.unwrap().expose(), "r9");
}

#[tokio::test]
async fn a_refused_refresh_token_is_not_sent_again_however_often_an_api_says_401() {
    let provider = FakeProvider::default();
    provider.answer(Response::Refuse);
    let (manager, _) = manager_of(&provider, session("a1", "r1", 3600)).await;
    let token = manager.token().await.unwrap();
    for _ in 0..5 {
        let error = manager.invalidate(&token).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    }
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_caller_who_needs_more_is_not_put_off_with_what_was_enough_for_another() {
    let provider = FakeProvider::default();
    let (manager, store) = manager_of(&provider, session("a1", "r1", 30)).await;
    manager.token_valid_for(Duration::ZERO).await.unwrap();
    // The flight for one minute finds that another process has refreshed, for two minutes.
    let guard = store.lock(&key()).await.unwrap();
    let modest = tokio::spawn({
        let manager = manager.clone();
        async move { manager.token_valid_for(Duration::from_secs(60)).await }
    });
    let demanding = tokio::spawn({
        let manager = manager.clone();
        async move { manager.token_valid_for(Duration::from_secs(1800)).await }
    });
    tokio::task::yield_now().await;
    let mut guard = guard;
    guard.save(&session("a8", "r8", 120)).await.unwrap();
    drop(guard);
    assert_eq!(modest.await.unwrap().unwrap().access.expose(), "a8");
    assert_eq!(demanding.await.unwrap().unwrap().access.expose(), "a9");
    assert_eq!(provider.refreshes(), 1);
}
