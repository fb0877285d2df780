//! Who may send, and whose result is stored.

use std::time::Duration;

use llm_auth_core::store::StoreGuard;
use llm_auth_core::{ErrorKind, OAuthToken, Result, TokenStore as _};
use llm_auth_store_postgres::PostgresStore;

use crate::cluster::{self, Place};
use crate::support::{key, noted, session};

fn kind<T: std::fmt::Debug>(outcome: Result<T>) -> ErrorKind {
    outcome.unwrap_err().kind()
}

async fn stored(store: &PostgresStore) -> OAuthToken {
    store.load(&key("a")).await.unwrap().unwrap()
}

/// A holder in the middle of a refresh of the first session, whose lease is over.
async fn sleeper(place: &Place) -> (PostgresStore, Box<dyn StoreGuard>) {
    let store = place.store();
    store
        .lock(&key("a"))
        .await
        .unwrap()
        .finish(&session(1))
        .await
        .unwrap();
    let mut guard = store.lock(&key("a")).await.unwrap();
    let found = guard.load().await.unwrap().unwrap();
    guard.prepare(Some(&noted(&found))).await.unwrap();
    place.end_leases();
    (store, guard)
}

#[tokio::test]
async fn a_successor_that_comes_late_is_stored_if_no_other_one_is() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let (store, mut sleeper) = sleeper(&place).await;
    let mut next = store.lock(&key("a")).await.unwrap();
    let found = next.load().await.unwrap().unwrap();
    sleeper.finish(&session(2)).await.unwrap();
    // The next holder has not sent anything yet, and finds it.
    assert_eq!(
        kind(next.prepare(Some(&noted(&found))).await),
        ErrorKind::LeaseLost
    );
    assert_eq!(kind(next.extend().await), ErrorKind::LeaseLost);
    let found = next.load().await.unwrap().unwrap();
    assert!(found.has_same_tokens(&session(2)));
    next.prepare(Some(&noted(&found))).await.unwrap();
    // Its lease is its own still, and so is its response.
    sleeper.release().await;
    next.finish(&session(3)).await.unwrap();
    assert!(stored(&store).await.has_same_tokens(&session(3)));
}

#[tokio::test]
async fn a_holder_whose_lease_is_over_writes_no_record_and_may_not_send() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let (store, mut sleeper) = sleeper(&place).await;
    let mut rejected = session(1);
    rejected.scope = Some("made-up".into());
    assert_eq!(kind(sleeper.save(&rejected).await), ErrorKind::LeaseLost);
    assert_eq!(
        kind(sleeper.prepare(Some(&rejected)).await),
        ErrorKind::LeaseLost
    );
    assert_eq!(kind(sleeper.extend().await), ErrorKind::LeaseLost);
    assert_eq!(stored(&store).await.scope, None);
    // And overwrites no other session.
    let mut next = store.lock(&key("a")).await.unwrap();
    next.finish(&session(7)).await.unwrap();
    assert_eq!(
        kind(sleeper.finish(&session(2)).await),
        ErrorKind::LeaseLost
    );
    assert_eq!(kind(sleeper.remove().await), ErrorKind::LeaseLost);
    assert!(stored(&store).await.has_same_tokens(&session(7)));
}

#[tokio::test]
async fn a_fencing_number_that_a_failover_gives_out_twice_opens_nothing() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let (store, mut sleeper) = sleeper(&place).await;
    place.sql("UPDATE {}.sessions SET fence = fence - 1");
    let mut next = store.lock(&key("a")).await.unwrap();
    next.finish(&session(7)).await.unwrap();
    let mut next = store.lock(&key("a")).await.unwrap();
    place.sql("UPDATE {}.sessions SET fence = fence - 1");
    assert_eq!(
        kind(sleeper.finish(&session(2)).await),
        ErrorKind::LeaseLost
    );
    sleeper.release().await;
    assert_eq!(place.sql("SELECT count(holder) FROM {}.sessions"), ["1"]);
    assert!(
        next.load()
            .await
            .unwrap()
            .unwrap()
            .has_same_tokens(&session(7))
    );
}

#[tokio::test]
async fn a_change_that_a_failover_has_lost_opens_nothing_when_it_is_made_again() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let (store, _) = sleeper(&place).await;
    let change = async |number: usize| {
        let mut guard = store.lock_optimistically(&key("a")).await.unwrap();
        guard.finish(&session(number)).await.unwrap();
    };
    place.sql("CREATE TABLE {}.before AS SELECT * FROM {}.sessions");
    change(5).await;
    let mut sleeper = store.lock(&key("a")).await.unwrap();
    // A server without those writes takes over, and others write as much.
    place.sql("DELETE FROM {}.sessions; INSERT INTO {}.sessions SELECT * FROM {}.before");
    change(7).await;
    let error = sleeper.finish(&session(6)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseLost, "{error}");
    assert!(stored(&store).await.has_same_tokens(&session(7)));
}

#[tokio::test]
async fn a_lease_lasts_for_ten_seconds_and_for_thirty_once_a_request_is_prepared() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    let lasts = |most: u32| {
        let sql = format!(
            "SELECT lease_until > now() AND lease_until <= now() + interval '{most} seconds' \
             FROM {{}}.sessions"
        );
        place.sql(&sql) == ["t"]
    };
    let mut guard = store.lock(&key("a")).await.unwrap();
    assert!(lasts(10));
    assert!(guard.lease().unwrap().remaining() <= Duration::from_secs(10));
    guard.prepare(None).await.unwrap();
    assert!(!lasts(10) && lasts(30));
    assert!(guard.lease().unwrap().remaining() <= Duration::from_secs(30));
    drop(guard);
    // Dropped guards let go in the background, long before the lease ends.
    let hurried = place.builder().patience(Duration::from_secs(8));
    let hurried = hurried.build().unwrap();
    hurried.lock(&key("a")).await.unwrap().release().await;
    assert_eq!(place.sql("SELECT count(holder) FROM {}.sessions"), ["0"]);
}

#[tokio::test]
async fn the_clock_of_the_database_decides_and_a_dead_holder_delays_no_one_after_its_lease() {
    let Some(place) = cluster::shared() else {
        return;
    };
    // No caller polls for longer than the lease lasts.
    let store = place.store();
    let guard = store.lock(&key("a")).await.unwrap();
    place.sql("UPDATE {}.sessions SET lease_until = now() + interval '300 milliseconds'");
    let next = store.lock(&key("a")).await.unwrap();
    assert_eq!(place.sql("SELECT fence FROM {}.sessions"), ["2"]);
    guard.release().await;
    assert_eq!(place.sql("SELECT count(holder) FROM {}.sessions"), ["1"]);
    next.release().await;
}

#[tokio::test]
async fn a_lease_that_was_made_longer_ends_within_the_time_that_it_was_granted_for() {
    let Some(place) = cluster::shared() else {
        return;
    };
    // The holder's own limit counts, not that of the one who waits.
    let dead = place.builder().lease(Duration::from_millis(1_500));
    let dead = dead.build().unwrap();
    let patient = place.builder().patience(Duration::from_secs(15));
    let patient = patient.build().unwrap();
    let hurried = place.builder().patience(Duration::ZERO).build().unwrap();
    for until in ["now() + interval '1 day'", "'9999-01-01'", "'infinity'"] {
        let guard = dead.lock(&key("a")).await.unwrap();
        place.sql(&format!("UPDATE {{}}.sessions SET lease_until = {until}"));
        // A reader is not stopped by a time without an end.
        patient.load(&key("a")).await.unwrap();
        assert_eq!(
            kind(hurried.lock(&key("a")).await),
            ErrorKind::StoreBusy,
            "{until}"
        );
        let cut = "SELECT lease_until > now() AND lease_until <= now() + interval '1.5 seconds' \
                   FROM {}.sessions";
        assert_eq!(place.sql(cut), ["t"], "{until}");
        // Not made longer again by one who waits.
        let next = patient.lock(&key("a")).await.unwrap();
        guard.release().await;
        assert_eq!(place.sql("SELECT count(holder) FROM {}.sessions"), ["1"]);
        next.release().await;
    }
    // A holder that no store has written.
    let edit = "UPDATE {}.sessions SET holder = '\\x0011', lease_until = now() + interval '1 day'";
    place.sql(edit);
    assert_eq!(kind(hurried.lock(&key("a")).await), ErrorKind::StoreBusy);
    let ends = "SELECT lease_until <= now() + interval '30 seconds' FROM {}.sessions";
    assert_eq!(place.sql(ends), ["t"]);
}

#[tokio::test]
async fn outage_contention_and_a_lost_lease_are_three_errors() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let away = place.at(crate::support::free_port()).store();
    let error = away.load(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("cannot be reached"), "{error}");

    let hurried = place.builder().patience(Duration::from_millis(200));
    let hurried = hurried.build().unwrap();
    let mut guard = place.store().lock(&key("a")).await.unwrap();
    let error = hurried.lock(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreBusy, "{error}");
    assert!(error.is_transient());

    let mut new = hurried.lock_optimistically(&key("a")).await.unwrap();
    new.finish(&session(2)).await.unwrap();
    let error = guard.save(&session(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseLost, "{error}");
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_lease_behind() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    store.lock(&key("a")).await.unwrap().release().await;
    for _ in 0..50 {
        // Dropped while the statement is under way.
        let key = key("a");
        let mut lock = Box::pin(store.lock(&key));
        let polled = std::future::poll_fn(|context| {
            let _pending = lock.as_mut().poll(context);
            std::task::Poll::Ready(())
        });
        polled.await;
        tokio::task::yield_now().await;
        drop(lock);
    }
    let guard = place
        .builder()
        .patience(Duration::from_secs(5))
        .build()
        .unwrap();
    guard.lock(&key("a")).await.unwrap().release().await;
}

#[test]
fn a_runtime_that_ends_takes_no_connection_with_it() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.builder().max_connections(1).build().unwrap();
    for number in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut guard = runtime.block_on(store.lock(&key("a"))).unwrap();
        runtime.block_on(guard.finish(&session(number))).unwrap();
    }
    let pids = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'llm-auth' \
                AND query LIKE '%\"{}\".%'";
    assert_eq!(place.sql(pids), ["1"]);
}
