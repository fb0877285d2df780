//! What is refreshed when, without a caller.

use std::time::Duration;

use llm_auth_core::{MemoryTokenStore, OAuthToken, SessionChange, TokenStore as _};

use super::vendor::Answer;
use super::{builder, key, let_all_fall_due, refreshed, sign_in, vendor};

#[tokio::test]
async fn sessions_are_refreshed_before_they_expire_though_no_caller_asks() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).build().unwrap();
    let mut watches = sign_in(&sessions, &vendor, 100).await;
    for round in 1..=3 {
        let_all_fall_due(&sessions, &clock);
        for watch in &mut watches {
            refreshed(watch).await;
        }
        let received = vendor.received();
        assert_eq!(received.all(), 100 * round, "each once");
    }
}

#[tokio::test]
async fn a_session_that_is_not_due_is_left_alone() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).build().unwrap();
    let mut early = sign_in(&sessions, &vendor, 1).await;
    clock.advance(Duration::from_secs(60));
    sessions
        .insert(&key("late"), vendor.session())
        .await
        .unwrap();
    clock.advance(Duration::from_secs(3240));
    sessions.check_clock();
    refreshed(&mut early[0]).await;
    assert_eq!(vendor.received().of("late"), 0);
    let mut late = sessions.get(&key("late")).unwrap().watch();
    clock.advance(Duration::from_secs(60));
    sessions.check_clock();
    refreshed(&mut late).await;
    assert_eq!(vendor.received().of("0"), 1);
}

#[tokio::test]
async fn a_stored_session_that_no_caller_reads_is_read_and_kept_fresh() {
    let (vendor, clock) = vendor();
    let store = MemoryTokenStore::new();
    let mut guard = store.lock(&key("one")).await.unwrap();
    let mut token: OAuthToken = vendor.session();
    token.metadata.account = Some("one".into());
    guard.save(&token).await.unwrap();
    guard.release().await;
    let sessions = builder(&vendor, &clock).store(store).build().unwrap();
    let mut watch = sessions.get(&key("one")).unwrap().watch();
    // Both the first look and the refresh are due.
    let_all_fall_due(&sessions, &clock);
    refreshed(&mut watch).await;
}

#[tokio::test]
async fn an_account_that_is_over_is_asked_once_and_slows_no_other() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock)
        .host_concurrency(1)
        .build()
        .unwrap();
    let mut watches = sign_in(&sessions, &vendor, 20).await;
    vendor.answer_to("0", Answer::Refuse);
    let_all_fall_due(&sessions, &clock);
    let over = watches[0].changed().await;
    assert!(matches!(over, Some(SessionChange::Over(_))), "{over:?}");
    for _ in 0..3 {
        for watch in &mut watches[1..] {
            refreshed(watch).await;
        }
        let_all_fall_due(&sessions, &clock);
    }
    assert_eq!(vendor.received().of("0"), 1);

    // A sign-in brings it back.
    vendor.answer_to("0", Answer::Rotate);
    let manager = sessions.get(&key(0)).unwrap();
    manager.insert_session(vendor.session()).await.unwrap();
    assert!(matches!(
        watches[0].changed().await,
        Some(SessionChange::SignedIn(_))
    ));
    let_all_fall_due(&sessions, &clock);
    refreshed(&mut watches[0]).await;
}
