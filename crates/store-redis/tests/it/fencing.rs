//! Who may store what, as the server checks it.

use llm_auth_core::{ErrorKind, TokenStore as _};

use crate::support::{hasty, key, noted, row, save, session, shared, stored};

macro_rules! lost {
    ($outcome:expr) => {{
        let error = $outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LeaseLost, "{error:#}");
    }};
}

#[tokio::test]
async fn a_holder_that_slept_past_its_lease_cannot_overwrite_its_successor() {
    let Some(server) = shared("overwrite a successor") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "fence").build().unwrap(), row("fence"));
    save(&store, &session(1)).await;
    let mut sleeper = store.lock(&key()).await.unwrap();
    sleeper.prepare(Some(&noted(&session(1)))).await.unwrap();
    server.command(&["HSET", &row, "ends", "1"]);
    let mut next = store.lock(&key()).await.unwrap();
    next.prepare(Some(&noted(&session(1)))).await.unwrap();
    // It may neither extend its lease nor mark the session while another one holds it.
    lost!(sleeper.extend().await);
    lost!(sleeper.prepare(Some(&session(1))).await);
    lost!(sleeper.save(&session(1)).await);
    // Nor remove it: the other one may have sent the refresh token.
    lost!(sleeper.remove().await);
    next.finish(&session(2)).await.unwrap();
    lost!(sleeper.finish(&session(3)).await);
    assert_eq!(stored(&store).await, Some(session(2)));
    // What it sees then is the successor.
    assert_eq!(sleeper.load().await.unwrap(), Some(session(2)));
}

#[tokio::test]
async fn a_late_successor_is_stored_if_no_other_one_is() {
    let Some(server) = shared("a late successor") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "late").build().unwrap(), row("late"));
    save(&store, &session(1)).await;
    let mut sleeper = store.lock(&key()).await.unwrap();
    sleeper.prepare(Some(&noted(&session(1)))).await.unwrap();
    server.command(&["HSET", &row, "ends", "1"]);
    // A lease that is over is one that another host may have taken.
    lost!(sleeper.extend().await);
    lost!(sleeper.save(&session(1)).await);
    let mut next = store.lock(&key()).await.unwrap();
    assert!(next.load().await.unwrap().unwrap().may_be_spent());
    sleeper.finish(&session(2)).await.unwrap();
    sleeper.release().await;
    // The next holder learns of it before it sends anything, and still has its lease.
    lost!(next.prepare(Some(&noted(&session(1)))).await);
    assert_eq!(next.load().await.unwrap(), Some(session(2)));
    next.prepare(Some(&noted(&session(2)))).await.unwrap();
    next.finish(&session(3)).await.unwrap();
    assert_eq!(stored(&store).await, Some(session(3)));
}

#[tokio::test]
async fn a_record_of_the_tokens_before_it_does_not_undo_a_late_successor() {
    let Some(server) = shared("a late record") else {
        return;
    };
    let store = hasty(&server.url(), "record").build().unwrap();
    let row = row("record");
    save(&store, &session(1)).await;
    let mut sleeper = store.lock(&key()).await.unwrap();
    sleeper.prepare(Some(&noted(&session(1)))).await.unwrap();
    server.command(&["HSET", &row, "ends", "1"]);
    let mut next = store.lock(&key()).await.unwrap();
    next.prepare(Some(&noted(&session(1)))).await.unwrap();
    sleeper.finish(&session(2)).await.unwrap();
    // The server has rejected the tokens that it tried.
    lost!(next.save(&session(1)).await);
    assert_eq!(stored(&store).await, Some(session(2)));
}

#[tokio::test]
async fn the_fencing_number_and_the_holder_must_both_fit() {
    let Some(server) = shared("fence and holder") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "both").build().unwrap(), row("both"));
    save(&store, &session(1)).await;
    let mut guard = store.lock(&key()).await.unwrap();
    let fence: u64 = server.command(&["HGET", &row, "fence"]).parse().unwrap();
    server.command(&["HSET", &row, "ends", "1"]);
    let next = store.lock(&key()).await.unwrap();
    next.release().await;
    let after = server.command(&["HGET", &row, "fence"]);
    assert_eq!(after, (fence + 1).to_string());

    // The same number again, for another holder: after a failover that lost the first lease.
    let mut other = store.lock(&key()).await.unwrap();
    server.command(&["HSET", &row, "fence", &fence.to_string()]);
    lost!(guard.save(&session(1)).await);
    // The same holder with another number.
    lost!(other.save(&session(1)).await);
    assert_eq!(stored(&store).await, Some(session(1)));
}

#[tokio::test]
async fn a_save_that_is_made_again_is_the_same_save() {
    let Some(server) = shared("the same save again") else {
        return;
    };
    let proxy = crate::support::proxy::Proxy::start(server.port).await;
    let store = hasty(&proxy.url(), "again").build().unwrap();
    save(&store, &session(1)).await;
    let mut guard = store.lock(&key()).await.unwrap();
    // No reply to the save ever comes back, and the store cannot make it again by itself.
    proxy.strike(|_, _, side| side == crate::support::proxy::Side::After);
    let error = guard.finish(&session(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error:#}");
    proxy.pass();
    guard.finish(&session(2)).await.unwrap();
    assert_eq!(stored(&store).await, Some(session(2)));
    // If one reply is lost, the store makes the call again.
    let mut guard = store.lock(&key()).await.unwrap();
    proxy.strike(|_, number, side| number == 0 && side == crate::support::proxy::Side::After);
    guard.finish(&session(3)).await.unwrap();
    assert_eq!(proxy.commands().len(), 2);
    assert_eq!(stored(&store).await, Some(session(3)));
}

#[tokio::test]
async fn a_lease_lasts_by_the_clock_of_the_server_and_no_longer_than_its_length() {
    let Some(server) = shared("clock") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "clock").build().unwrap(), row("clock"));
    let held = store.lock(&key()).await.unwrap();
    let seconds: u64 = server
        .command(&["TIME"])
        .lines()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let ends: u64 = server.command(&["HGET", &row, "ends"]).parse().unwrap();
    assert!(ends / 1000 <= seconds + 2, "{ends} {seconds}");
    // As if the clock had been an hour ahead when the lease was given.
    let ahead = (ends + 3_600_000).to_string();
    server.command(&["HSET", &row, "ends", &ahead]);
    std::mem::forget(held);
    let next = store.lock(&key()).await.unwrap();
    next.release().await;
}

#[tokio::test]
async fn a_sign_out_that_took_longer_than_its_lease_removes_the_session_if_no_other_holder_came() {
    let Some(server) = shared("a slow sign-out") else {
        return;
    };
    let (store, row) = (hasty(&server.url(), "slow").build().unwrap(), row("slow"));
    for other_comes in [false, true] {
        save(&store, &session(1)).await;
        let mut slow = store.lock_optimistically(&key()).await.unwrap();
        server.command(&["HSET", &row, "ends", "1"]);
        if other_comes {
            save(&store, &session(2)).await;
            lost!(slow.remove().await);
            assert_eq!(stored(&store).await, Some(session(2)));
        } else {
            slow.remove().await.unwrap();
            assert_eq!(stored(&store).await, None);
        }
    }
}
