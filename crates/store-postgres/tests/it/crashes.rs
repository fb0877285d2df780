//! Connections that break and servers that crash: nothing is lost, and nothing is sent twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_core::{ErrorKind, TokenStore as _};
use llm_auth_store_postgres::SealingKeys;

use crate::cable::{Break, Cable};
use crate::cluster;
use crate::support::{key, noted, session};
use crate::vendor::{Interrupted, Vendor, manager};

/// Less than a lease lasts: a wait for one to end fails.
const HURRIED: Duration = Duration::from_secs(8);

#[tokio::test]
async fn each_statement_of_a_refresh_may_break_before_or_after_it_is_executed() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let vendor = Vendor::start().await;
    let cable = Cable::to(place.port);
    let builder = place.at(cable.port).builder().patience(HURRIED);
    let store = builder.connect().await.unwrap();
    let mut refreshes = 0;
    for number in 0..4 {
        for how in [Break::Before, Break::After] {
            let account = format!("{number}-{how:?}");
            vendor.sign_in(place.store(), &account).await;
            cable.break_after(number, how);
            let manager = vendor.manager(store.clone(), &account);
            let token = manager.token().await.unwrap();
            assert_eq!(cable.breaks_left(), 0, "{account}");
            refreshes += 1;
            assert_eq!(vendor.refreshes(), refreshes, "{account}");
            let found = place.store().load(&key(&account)).await.unwrap().unwrap();
            assert_eq!(found.access, token.access, "{account}");
            assert!(!found.may_be_spent());
        }
    }
    assert_eq!(place.sql("SELECT count(holder) FROM {}.sessions"), ["0"]);
}

#[tokio::test]
async fn a_save_or_a_sign_out_whose_response_is_lost_has_succeeded() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let cable = Cable::to(place.port);
    let store = place.at(cable.port).builder().connect().await.unwrap();
    let mut guard = store.lock(&key("a")).await.unwrap();
    cable.break_after(0, Break::After);
    guard.save(&session(1)).await.unwrap();
    cable.break_after(0, Break::After);
    guard.finish(&session(2)).await.unwrap();
    let mut guard = store.lock(&key("a")).await.unwrap();
    cable.break_after(0, Break::After);
    guard.remove().await.unwrap();
    assert_eq!(cable.breaks_left(), 0);
    assert!(store.load(&key("a")).await.unwrap().is_none());
}

/// With roles that are set to confirm before anything is on the disk.
#[tokio::test]
async fn a_crash_of_the_server_loses_nothing_that_was_confirmed() {
    let Some(mut cluster) = cluster::own() else {
        return;
    };
    let place = cluster.place();
    place.sql("ALTER ROLE postgres SET synchronous_commit = off");
    let store = place.builder().patience(HURRIED).connect().await.unwrap();

    store
        .lock(&key("a"))
        .await
        .unwrap()
        .finish(&session(1))
        .await
        .unwrap();
    cluster.crash();
    cluster.start();
    let mut guard = store.lock(&key("a")).await.unwrap();
    let found = guard.load().await.unwrap().unwrap();
    assert!(found.has_same_tokens(&session(1)));

    guard.prepare(Some(&noted(&found))).await.unwrap();
    cluster.crash();
    let error = guard.finish(&session(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    cluster.start();
    assert!(store.load(&key("a")).await.unwrap().unwrap().may_be_spent());
    guard.finish(&session(2)).await.unwrap();

    cluster.crash();
    cluster.start();
    assert!(
        store
            .load(&key("a"))
            .await
            .unwrap()
            .unwrap()
            .has_same_tokens(&session(2))
    );
    store
        .lock_optimistically(&key("a"))
        .await
        .unwrap()
        .remove()
        .await
        .unwrap();
    cluster.crash();
    cluster.start();
    assert!(store.load(&key("a")).await.unwrap().is_none());

    // What is encrypted under a new key stays so: the old one may be deleted then.
    let mut guard = store.lock(&key("c")).await.unwrap();
    guard.finish(&session(3)).await.unwrap();
    let keys = SealingKeys::new("made-up", &[7; 32]).unwrap();
    let keys = keys.accept_unencrypted();
    let encrypted = place.builder().sealed_with(keys).patience(HURRIED);
    let encrypted = encrypted.connect().await.unwrap();
    assert_eq!(encrypted.reseal().await.unwrap(), 0);
    cluster.crash();
    cluster.start();
    assert_eq!(encrypted.describe().await.unwrap().to_reseal, 0);

    // The server crashes while a response is under way.

    let vendor = Vendor::start().await;
    vendor.sign_in(store.clone(), "b").await;
    let shared = Arc::new(Mutex::new(cluster));
    let crashing = Arc::clone(&shared);
    let provider = Interrupted {
        inner: vendor.provider(),
        then: Arc::new(move || crashing.lock().unwrap().crash()),
    };
    let manager = manager(provider, store.clone(), "b");
    let error = manager.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    shared.lock().unwrap().start();
    eprintln!("{:?} started", std::time::Instant::now());
    let token = manager.token().await.unwrap();
    assert_eq!(vendor.refreshes(), 1);
    let found = store.load(&key("b")).await.unwrap().unwrap();
    assert_eq!(found.access, token.access);
    manager.wait_idle().await;
}
