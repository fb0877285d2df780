//! The life of a session: who refreshes, who waits, what is kept.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use llm_auth_core::{
    AuthManager, ErrorKind, FileTokenStore, MemoryTokenStore, Revocation, SessionKey, Silent,
    TokenStore as _,
};
use support::{Brittle, FakeProvider, Response, expired_session, session};

fn key() -> SessionKey {
    SessionKey::new("fake", "default")
}

async fn stored(store: &MemoryTokenStore) -> llm_auth_core::OAuthToken {
    store.load(&key()).await.unwrap().unwrap()
}

async fn with_session(
    provider: &FakeProvider,
    token: llm_auth_core::OAuthToken,
) -> (AuthManager, MemoryTokenStore) {
    let store = MemoryTokenStore::new();
    store
        .lock(&key())
        .await
        .unwrap()
        .save(&token)
        .await
        .unwrap();
    let manager = AuthManager::builder(provider.clone())
        .store(store.clone())
        .build();
    (manager, store)
}

#[tokio::test]
async fn a_valid_session_is_given_without_a_request() {
    let provider = FakeProvider::default();
    let (manager, _) = with_session(&provider, session("a1", "r1", 3600)).await;
    assert_eq!(manager.token().await.unwrap().access.expose(), "a1");
    assert_eq!(provider.refreshes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_cause_one_renewal() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
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
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
    provider.hold();
    let caller = tokio::spawn({
        let manager = manager.clone();
        async move { manager.token().await }
    });
    provider.asked().await;
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
    let (manager, store) = with_session(&provider, old).await;
    manager.token().await.unwrap();
    let kept = stored(&store).await;
    assert_eq!(kept.refresh.unwrap().expose(), "r1");
    assert_eq!(kept.resource_url.as_deref(), Some("portal.example"));
}

#[tokio::test]
async fn a_renewal_by_another_process_is_adopted() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
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
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    assert_eq!(error.session(), Some(&key()));
    let kept = stored(&store).await;
    assert!(kept.is_refused());
    assert_eq!(kept.refresh.unwrap().expose(), "r1", "marked, not erased");
    assert!(manager.token().await.unwrap_err().needs_login());
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_refusal_that_is_no_verdict_is_told_and_asked_for_again() {
    let provider = FakeProvider::default();
    provider.answer(Response::Dismiss);
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    let kept = stored(&store).await;
    assert!(!kept.is_refused() && !kept.may_be_spent());
    assert!(kept.metadata.last_failure.is_some());
    let again = manager.invalidate(&kept).await.unwrap_err();
    assert!(again.needs_login());
    assert_eq!(provider.refreshes(), 2);
    provider.answer(Response::Rotate);
    assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
}

#[tokio::test]
async fn a_refusal_of_a_token_that_was_replaced_meanwhile_is_no_verdict() {
    let provider = FakeProvider::default();
    let store = Brittle::holding(expired_session("a1", "r1"));
    provider.answer(Response::Refuse);
    // gochat writes without our lock.
    let shared = Arc::clone(&store);
    provider.meanwhile(move || shared.hold(session("a9", "r9", 3600)));
    let manager = AuthManager::builder(provider)
        .store(Arc::clone(&store))
        .build();
    assert_eq!(manager.token().await.unwrap().access.expose(), "a9");
    assert!(!store.held().unwrap().is_refused());
}

#[tokio::test]
async fn trouble_is_retried_a_few_times_and_is_no_verdict() {
    let provider = FakeProvider::default();
    provider.answer(Response::Unavailable { lost: false });
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
    assert!(manager.token().await.unwrap_err().is_transient());
    assert_eq!(provider.refreshes(), 3);
    let kept = stored(&store).await;
    assert_eq!(kept.refresh.as_ref().unwrap().expose(), "r1");
    assert!(!kept.is_refused() && !kept.may_be_spent());
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_once_more_and_leaves_a_note() {
    let provider = FakeProvider::default();
    provider.answer(Response::Unavailable { lost: true });
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
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
    let (manager, _) = with_session(&provider, expired_session("a1", "r1")).await;
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
async fn invalidate_renews_only_the_token_that_is_still_current() {
    let provider = FakeProvider::default();
    let (manager, _) = with_session(&provider, session("a1", "r1", 3600)).await;
    let first = manager.token().await.unwrap();
    let second = manager.invalidate(&first).await.unwrap();
    assert_eq!(second.access.expose(), "a2");
    let again = manager.invalidate(&first).await.unwrap();
    assert_eq!(again.access.expose(), "a2");
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_sign_in_is_stored_before_it_is_given_and_a_sign_out_forgets_it() {
    let provider = FakeProvider::default();
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::directory(directory.path().join("sessions"));
    let manager = AuthManager::builder(provider).store(store.clone()).build();
    assert_eq!(
        manager.token().await.unwrap_err().kind(),
        ErrorKind::NotSignedIn
    );
    let token = manager.login(&Silent).await.unwrap();
    assert_eq!(token.metadata.provider.as_deref(), Some("fake"));
    assert_eq!(store.read(&key()).unwrap().as_ref(), Some(token.as_ref()));

    let logout = manager.logout().await.unwrap();
    assert!(logout.was_signed_in);
    assert_eq!(logout.revocation.unwrap().unwrap(), Revocation::Confirmed);
    assert_eq!(store.read(&key()).unwrap(), None);
    assert_eq!(
        manager.token().await.unwrap_err().kind(),
        ErrorKind::NotSignedIn
    );
    assert!(!manager.logout().await.unwrap().was_signed_in);
}

#[tokio::test]
async fn a_session_of_another_provider_is_neither_used_nor_replaced() {
    let provider = FakeProvider::default();
    let mut foreign = session("a1", "r1", 3600);
    foreign.metadata.provider = Some("other".into());
    let (manager, store) = with_session(&provider, foreign.clone()).await;
    assert_eq!(manager.token().await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(
        manager.login(&Silent).await.unwrap_err().kind(),
        ErrorKind::Config
    );
    assert_eq!(
        manager.logout().await.unwrap_err().kind(),
        ErrorKind::Config
    );
    assert_eq!(stored(&store).await, foreign);
}

#[tokio::test]
async fn a_session_without_refresh_token_needs_a_sign_in_once_it_expires() {
    let provider = FakeProvider::default();
    let mut token = expired_session("a1", "r1");
    token.refresh = None;
    let (manager, _) = with_session(&provider, token).await;
    assert_eq!(
        manager.token().await.unwrap_err().kind(),
        ErrorKind::NotSignedIn
    );
    assert_eq!(provider.refreshes(), 0);
}

#[tokio::test]
async fn tokens_that_live_shorter_than_the_margin_are_not_renewed_at_every_call() {
    let provider = FakeProvider::default();
    provider.lifetime(Duration::from_secs(30));
    let (manager, _) = with_session(&provider, expired_session("a1", "r1")).await;
    for _ in 0..3 {
        assert_eq!(manager.token().await.unwrap().access.expose(), "a2");
    }
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn what_somebody_else_stored_during_a_renewal_that_failed_stays() {
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
    let (manager, _) = with_session(&provider, session("a1", "r1", 3600)).await;
    let token = manager.token().await.unwrap();
    for _ in 0..5 {
        let error = manager.invalidate(&token).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RefreshRejected);
    }
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_sign_out_by_another_process_is_seen() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, session("a1", "r1", 3600)).await;
    manager.token().await.unwrap();
    store.lock(&key()).await.unwrap().remove().await.unwrap();
    assert!(manager.load().await.unwrap().is_none());
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSignedIn);
}

#[tokio::test]
async fn a_caller_who_needs_more_is_not_put_off_with_what_was_enough_for_another() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, session("a1", "r1", 30)).await;
    manager.token_valid_for(Duration::ZERO).await.unwrap();
    // The flight for one minute finds that somebody else has refreshed, for two minutes.
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

#[tokio::test]
async fn a_session_that_a_program_obtained_by_itself_is_adopted() {
    let provider = FakeProvider::default();
    let manager = AuthManager::builder(provider).build();
    manager
        .insert_session(session("a1", "r1", 3600))
        .await
        .unwrap();
    let token = manager.token().await.unwrap();
    assert_eq!(token.metadata.provider.as_deref(), Some("fake"));
}

#[tokio::test]
async fn a_session_is_adopted_only_where_what_is_stored_by_then_may_be_replaced() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, session("a1", "r1", 3600)).await;
    let new = session("a7", "r7", 3600);
    let adopted = manager.insert_session_if(new.clone(), |stored| stored.is_none());
    assert!(adopted.await.unwrap().is_none());
    assert_eq!(stored(&store).await.access.expose(), "a1");
    let adopted = manager.insert_session_if(new.clone(), |stored| {
        stored.is_some_and(|stored| stored.access.expose() == "a1")
    });
    assert_eq!(adopted.await.unwrap().unwrap().access.expose(), "a7");

    let store = FileTokenStore::directory(tempfile::tempdir().unwrap().path());
    let free = || {
        let builder = AuthManager::builder(provider.clone()).store(store.clone());
        let (manager, new) = (builder.build(), new.clone());
        async move {
            manager
                .insert_session_if(new, |stored| stored.is_none())
                .await
        }
    };
    // Of two at once one finds it free.
    let (first, second) = tokio::join!(free(), free());
    assert_ne!(first.unwrap().is_some(), second.unwrap().is_some());
}

#[tokio::test]
async fn a_sign_out_during_a_renewal_wins_and_nothing_rises_again() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
    provider.hold();
    let caller = tokio::spawn({
        let manager = manager.clone();
        async move { manager.token().await }
    });
    provider.asked().await;
    let signing_out = tokio::spawn({
        let manager = manager.clone();
        async move { manager.logout().await }
    });
    provider.release();
    assert!(caller.await.unwrap().is_ok());
    assert!(signing_out.await.unwrap().unwrap().was_signed_in);
    assert_eq!(store.load(&key()).await.unwrap(), None);
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSignedIn);
    assert_eq!(provider.refreshes(), 1);
}

#[tokio::test]
async fn a_sign_in_during_a_renewal_wins() {
    let provider = FakeProvider::default();
    let (manager, store) = with_session(&provider, expired_session("a1", "r1")).await;
    provider.hold();
    let caller = tokio::spawn({
        let manager = manager.clone();
        async move { manager.token().await }
    });
    provider.asked().await;
    let signing_in = tokio::spawn({
        let manager = manager.clone();
        async move { manager.insert_session(session("a7", "r7", 3600)).await }
    });
    provider.release();
    caller.await.unwrap().unwrap();
    signing_in.await.unwrap().unwrap();
    assert_eq!(stored(&store).await.refresh.unwrap().expose(), "r7");
    assert_eq!(manager.token().await.unwrap().access.expose(), "a7");
}
