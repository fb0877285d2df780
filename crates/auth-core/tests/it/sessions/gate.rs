//! How many requests a server gets, and when it gets none.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{ErrorKind, ManualClock, SessionChange, Sessions};
use tokio::time::timeout;

use super::vendor::{Answer, HOUR, START, Vendor};
use super::{builder, key, let_all_fall_due, refreshed, sign_in, vendor};

#[tokio::test]
async fn refreshes_are_bounded_whether_or_not_callers_wait_for_them() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock)
        .host_concurrency(4)
        .build()
        .unwrap();
    sign_in(&sessions, &vendor, 60).await;
    vendor.hold();
    let_all_fall_due(&sessions, &clock);
    vendor.wait_for(|received| received.running == 4).await;
    // Now the access tokens expire, and callers ask.
    clock.advance(HOUR);
    let callers: Vec<_> = (0..60)
        .map(|account| {
            let manager = sessions.get(&key(account)).unwrap();
            tokio::spawn(async move { manager.token().await })
        })
        .collect();
    // Four are in progress, and all others wait, for the schedule and for a caller.
    while sessions.stats().waiting < 2 * 56 && vendor.received().running == 4 {
        tokio::task::yield_now().await;
    }
    vendor.release();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    let received = vendor.received();
    assert_eq!(received.most_running, 4);
    assert!(received.all() >= 60);
}

#[tokio::test]
async fn the_bounds_of_a_provider_and_of_all_hold_too() {
    let clock = Arc::new(ManualClock::new(START));
    let one = Vendor::new("vendor", "vendor.example", &clock);
    let other = Vendor::new("other", "other.example", &clock);
    let sessions = builder(&one, &clock)
        .provider(other.clone())
        .provider_concurrency(3)
        .concurrency(5)
        .build()
        .unwrap();
    let mut watches = sign_in(&sessions, &one, 20).await;
    for account in 0..20 {
        let manager = sessions.session("other", &account.to_string()).unwrap();
        manager.insert_session(other.session()).await.unwrap();
        watches.push(manager.watch());
    }
    one.hold();
    other.hold();
    let_all_fall_due(&sessions, &clock);
    let first = one.wait_for(|received| received.running >= 2).await;
    let second = other.wait_for(|received| received.running >= 2).await;
    assert!(first.running + second.running <= 5);
    one.release();
    other.release();
    for watch in &mut watches {
        refreshed(watch).await;
    }
    assert!(one.received().most_running <= 3);
    assert!(other.received().most_running <= 3);
}

#[tokio::test]
async fn a_server_that_hangs_does_not_hold_up_another() {
    let clock = Arc::new(ManualClock::new(START));
    let hanging = Vendor::new("hanging", "hanging.example", &clock);
    let working = Vendor::new("vendor", "vendor.example", &clock);
    let sessions = builder(&working, &clock)
        .provider(hanging.clone())
        .host_concurrency(2)
        .concurrency(4)
        .build()
        .unwrap();
    for account in 0..20 {
        let manager = sessions.session("hanging", &account.to_string()).unwrap();
        manager.insert_session(hanging.session()).await.unwrap();
    }
    let mut watches = sign_in(&sessions, &working, 20).await;
    hanging.hold();
    let_all_fall_due(&sessions, &clock);
    for watch in &mut watches {
        refreshed(watch).await;
    }
    assert_eq!(hanging.received().most_running, 2);
}

async fn limited(seconds: u64) -> (Sessions, Vendor, Arc<ManualClock>) {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock)
        .host_concurrency(1)
        .build()
        .unwrap();
    sign_in(&sessions, &vendor, 30).await;
    vendor.answer_to("0", Answer::Limited(seconds));
    let manager = sessions.get(&key(0)).unwrap();
    clock.advance(Duration::from_secs(3550));
    assert!(manager.token().await.is_ok(), "it is valid for a moment");
    (sessions, vendor, clock)
}

#[tokio::test]
async fn a_server_that_asks_to_wait_gets_no_request_for_any_session_until_then() {
    let (sessions, vendor, clock) = limited(120).await;
    let manager = sessions.get(&key(1)).unwrap();
    assert!(manager.token().await.is_ok(), "it is valid for a moment");
    let token = manager.token().await.unwrap();
    let refused = manager.invalidate(&token).await.unwrap_err();
    assert!(refused.is_transient());
    assert!(refused.retry_after().unwrap() <= Duration::from_secs(120));
    assert_eq!(vendor.received().all(), 1, "nothing was sent");

    clock.advance(Duration::from_secs(119));
    assert!(manager.token().await.unwrap_err().is_transient());
    assert_eq!(vendor.received().all(), 1);
    clock.advance(Duration::from_secs(1));
    manager.token().await.unwrap();
    let received = vendor.received();
    assert_eq!(received.of("1"), 1);
}

#[tokio::test]
async fn a_user_who_demands_a_refresh_does_not_wait_for_the_server() {
    let (sessions, vendor, _) = limited(120).await;
    let manager = sessions.get(&key(1)).unwrap();
    manager.refresh().await.unwrap();
    assert_eq!(vendor.received().of("1"), 1);
}

#[tokio::test]
async fn a_server_that_comes_back_is_probed_and_gets_a_few_more_requests_at_a_time() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock)
        .host_concurrency(8)
        .build()
        .unwrap();
    let mut watches = sign_in(&sessions, &vendor, 200).await;
    vendor.answer(Answer::Fail);
    let_all_fall_due(&sessions, &clock);
    let down = vendor.wait_for(|received| received.all() >= 3 && received.running == 0);
    down.await;
    // What had begun when the server was closed is all that it receives.
    let manager = sessions.get(&key(199)).unwrap();
    let token = manager.token().await.unwrap();
    while manager
        .invalidate(&token)
        .await
        .unwrap_err()
        .retry_after()
        .is_none()
    {}
    let asked = vendor.received().all();
    assert!(asked <= 3 * 8, "{asked} requests to a server in trouble");

    vendor.answer(Answer::Rotate);
    vendor.hold();
    clock.advance(Duration::from_secs(7));
    sessions.check_clock();
    let probed = vendor.wait_for(|received| received.running > 0).await;
    assert_eq!(probed.running, 1, "one request is a probe");
    vendor.release();
    // Those that were asked in vain have to wait a little longer, from when the schedule learns it.
    for watch in &mut watches {
        loop {
            match timeout(Duration::from_millis(500), watch.changed()).await {
                Ok(Some(SessionChange::Refreshed(_))) => break,
                Ok(_failed) => {}
                Err(_elapsed) => {
                    clock.advance(Duration::from_secs(80));
                    sessions.check_clock();
                }
            }
        }
    }
    assert!(vendor.received().most_running <= 8);
}

#[tokio::test]
async fn the_sessions_of_a_server_in_trouble_wait_while_their_tokens_are_handed_out() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).build().unwrap();
    sign_in(&sessions, &vendor, 1).await;
    vendor.answer(Answer::Limited(100_000));
    let manager = sessions.get(&key(0)).unwrap();
    clock.advance(Duration::from_secs(3550));
    for _ in 0..10 {
        assert!(manager.token().await.is_ok());
    }
    assert_eq!(vendor.received().all(), 1);
    clock.advance(Duration::from_secs(60));
    let error = manager.token().await.unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::RateLimited | ErrorKind::Transient
    ));
}

#[tokio::test]
async fn an_account_that_keeps_failing_does_not_close_the_server_for_the_others() {
    let (vendor, clock) = vendor();
    let sessions = builder(&vendor, &clock).build().unwrap();
    sign_in(&sessions, &vendor, 2).await;
    let (bad, good) = (
        sessions.get(&key(0)).unwrap(),
        sessions.get(&key(1)).unwrap(),
    );
    vendor.answer_to("0", Answer::Limited(60));
    for round in 0..5 {
        bad.refresh().await.unwrap_err();
        let token = good.token().await.unwrap();
        let held = good.invalidate(&token).await.is_err();
        assert_eq!(
            held,
            round == 0,
            "only the first failure may be the server's"
        );
        clock.advance(Duration::from_secs(70));
        good.refresh().await.unwrap();
        clock.advance(Duration::from_secs(1));
    }
}
