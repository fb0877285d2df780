//! What leaves memory, and the end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use llm_auth_core::{ErrorKind, MemoryTokenStore, TokenStore as _};

use super::{builder, key, let_all_fall_due, refreshed, sign_in, vendor};
use crate::support::Brittle;

const IDLE: Duration = Duration::from_secs(600);

#[tokio::test]
async fn idle_sessions_leave_memory_and_come_back_from_the_store() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).idle_time(IDLE).build().unwrap();
    let mut watches = sign_in(&sessions, &vendor, 100).await;
    let held = sessions.get(&key(0)).unwrap();
    clock.advance(IDLE + Duration::from_secs(2));
    sessions.get(&key(1)).unwrap();
    sessions.check_clock();
    for watch in &mut watches[2..] {
        assert!(watch.changed().await.is_none(), "its manager is gone");
    }
    assert_eq!(sessions.len(), 2, "one is held, and one was looked up");
    assert_eq!(sessions.stats().evicted, 98);
    let token = sessions.get(&key(50)).unwrap().token().await.unwrap();
    assert_eq!(token.access.expose(), "made-up-access-1");
    drop(held);
}

#[tokio::test]
async fn for_one_session_too_many_one_that_is_unused_leaves() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).capacity(0).build().unwrap();
    let mut first = sign_in(&sessions, &vendor, 1).await;
    let held = sessions.get(&key("held")).unwrap();
    // Each part has its own order, so it takes some.
    for account in 0..1000 {
        drop(sessions.get(&key(format!("more-{account}"))).unwrap());
    }
    assert!(first[0].changed().await.is_none());
    assert!(sessions.len() <= 65, "{} are left", sessions.len());
    let again = sessions.get(&key("held")).unwrap();
    assert_eq!(again.key(), held.key());
}

#[tokio::test]
async fn a_session_that_is_not_stored_yet_never_leaves() {
    let (vendor, clock) = vendor();
    let mut token = vendor.session();
    token.metadata.account = Some("one".into());
    let store = Brittle::holding(token);
    let sessions = builder(&vendor, &clock)
        .idle_time(IDLE)
        .store(store.clone())
        .build()
        .unwrap();
    let manager = sessions.get(&key("one")).unwrap();
    store.refuse_save.store(true, Ordering::SeqCst);
    assert_eq!(
        manager.refresh().await.unwrap_err().kind(),
        ErrorKind::Store
    );
    drop(manager);
    let mut others = Vec::new();
    for account in 0..50 {
        others.push(sessions.get(&key(account)).unwrap().watch());
    }
    clock.advance(IDLE * 2);
    sessions.check_clock();
    for other in &mut others {
        assert!(other.changed().await.is_none(), "it has left");
    }
    assert!(!sessions.remove(&key("one")));
    assert_eq!(sessions.len(), 1);
    store.refuse_save.store(false, Ordering::SeqCst);
    let manager = sessions.get(&key("one")).unwrap();
    manager.wait_idle().await;
    let token = manager.token().await.unwrap();
    assert_eq!(token.access.expose(), "made-up-access-2");
    assert_eq!(store.held().unwrap().access.expose(), "made-up-access-2");
    assert_eq!(vendor.received().all(), 1);
}

#[tokio::test]
async fn a_shutdown_finishes_what_was_begun_and_begins_nothing() {
    let (vendor, clock) = vendor();
    let store = MemoryTokenStore::new();
    let sessions = builder(&vendor, &clock)
        .store(store.clone())
        .host_concurrency(2)
        .build()
        .unwrap();
    let mut watches = sign_in(&sessions, &vendor, 10).await;
    let last = sessions.get(&key(9)).unwrap();
    vendor.hold();
    let_all_fall_due(&sessions, &clock);
    let begun = vendor.wait_for(|received| received.running == 2).await;
    let error = sessions.shutdown(Duration::ZERO).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let ending = tokio::spawn({
        let sessions = sessions.clone();
        async move { sessions.shutdown(Duration::from_secs(60)).await }
    });
    assert_eq!(sessions.get(&key(3)).unwrap_err().kind(), ErrorKind::System);
    vendor.release();
    ending.await.unwrap().unwrap();
    for (account, watch) in watches.iter_mut().enumerate() {
        let is_begun = begun.of(&account.to_string()) > 0;
        let stored = store.load(&key(account)).await.unwrap().unwrap();
        let generation = if is_begun { "2" } else { "1" };
        assert!(stored.access.expose().ends_with(generation), "{account}");
        if is_begun {
            refreshed(watch).await;
        }
    }
    assert_eq!(vendor.received().all(), 2);
    assert!(last.token().await.is_ok(), "it is still valid");
    clock.advance(Duration::from_secs(1));
    let refused = last.refresh().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::System);
    assert_eq!(vendor.received().all(), 2);
}

#[tokio::test]
async fn after_a_shutdown_a_token_is_returned_until_it_expires() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).build().unwrap();
    sign_in(&sessions, &vendor, 1).await;
    let manager = sessions.get(&key(0)).unwrap();
    sessions.shutdown(Duration::from_secs(60)).await.unwrap();
    // Within the margin in which it would be refreshed.
    clock.advance(Duration::from_secs(3590));
    let token = manager.token().await.unwrap();
    assert_eq!(token.access.expose(), "made-up-access-1");
    clock.advance(Duration::from_secs(10));
    let refused = manager.token().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::System);
    assert_eq!(vendor.received().all(), 0);
}

#[tokio::test]
async fn the_schedule_ends_with_the_last_clone() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).build().unwrap();
    let mut watches = sign_in(&sessions, &vendor, 1).await;
    drop(sessions);
    assert!(watches[0].changed().await.is_none(), "its manager is gone");
}
