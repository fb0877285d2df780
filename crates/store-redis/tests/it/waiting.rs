//! Callers that wait for a lease, and leases that are given back.

use std::collections::BTreeSet;
use std::time::Duration;

use llm_auth_core::TokenStore as _;

use crate::support::proxy::{Proxy, Side};
use crate::support::{hasty, key, save, session, shared};

/// Longer than any caller here waits.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn of_all_callers_of_a_process_one_asks_the_server() {
    let Some(server) = shared("one asks") else {
        return;
    };
    let proxy = Proxy::start(server.port).await;
    let direct = hasty(&server.url(), "asks").lease(LONG).build().unwrap();
    let store = hasty(&proxy.url(), "asks").build().unwrap();
    let held = direct.lock(&key()).await.unwrap();
    let (sender, asked) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    proxy.strike(move |_, number, side| {
        if (number, side) == (3, Side::After)
            && let Some(sender) = sender.take()
        {
            sender.send(()).unwrap();
        }
        false
    });
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.lock(&key()).await.unwrap().release().await })
        })
        .collect();
    asked.await.unwrap();
    let holders: BTreeSet<_> = proxy.holders().into_iter().collect();
    assert_eq!(holders.len(), 1);
    held.release().await;
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_that_is_dropped_or_not_waited_for_is_free_at_once() {
    let Some(server) = shared("dropped leases") else {
        return;
    };
    let open = |url: &str| hasty(url, "dropped").lease(LONG).lock_wait(LONG / 10);
    let (store, next) = (open(&server.url()), open(&server.url()).build().unwrap());
    let store = store.build().unwrap();
    save(&store, &session(1)).await;
    let mut dropped = store.lock(&key()).await.unwrap();
    dropped.prepare(Some(&session(1))).await.unwrap();
    drop(dropped);
    next.lock(&key()).await.unwrap().release().await;

    // The caller gives up before it learns that it has the lease.
    let proxy = Proxy::start(server.port).await;
    let slow = open(&proxy.url()).build().unwrap();
    slow.load(&key()).await.unwrap();
    let (sender, taken) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    proxy.strike(move |_, _, side| {
        if side == Side::After
            && let Some(sender) = sender.take()
        {
            sender.send(()).unwrap();
        }
        false
    });
    let key = key();
    tokio::select! {
        biased;
        taken = taken => taken.unwrap(),
        _ = slow.lock(&key) => panic!("it did not give up"),
    }
    next.lock(&key).await.unwrap().release().await;
}

#[tokio::test]
async fn a_caller_that_waits_learns_of_other_tokens_and_takes_no_lease() {
    let Some(server) = shared("other tokens") else {
        return;
    };
    let (store, row) = (
        hasty(&server.url(), "other").build().unwrap(),
        "other:{standard/work}",
    );
    save(&store, &session(1)).await;
    let mut held = store.lock(&key()).await.unwrap();
    let fence = server.command(&["HGET", row, "fence"]);
    let proxy = Proxy::start(server.port).await;
    let waiting = hasty(&proxy.url(), "other").build().unwrap();
    let (sender, asked) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    proxy.strike(move |_, number, side| {
        if (number, side) == (1, Side::After)
            && let Some(sender) = sender.take()
        {
            sender.send(()).unwrap();
        }
        false
    });
    let waiting = tokio::spawn(async move {
        let leased = waiting.lock_unless_changed(&key(), &session(1)).await;
        leased.unwrap().is_none()
    });
    asked.await.unwrap();
    held.finish(&session(2)).await.unwrap();
    assert!(waiting.await.unwrap());
    assert_eq!(server.command(&["HGET", row, "fence"]), fence);
}
