//! Locks that end by themselves, and waiting for them.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::ErrorKind;

use super::handles::{Handles, is_same, joined, key, load, lock, save, session};
use crate::conformance::{ensure, expect};

type Outcome = Result<(), String>;

/// How long a lease lasts at least after `prepare` and `extend`, less the time that this takes.
const LASTS: Duration = Duration::from_secs(25);

/// A caller that waits for a lock gets it, or learns that the session has changed.
pub(super) async fn change(handles: &Handles) -> Outcome {
    let ((one, two), key) = (handles.two()?, key("changing"));
    save(&one, &key, &session(1)).await?;
    let mut held = lock(&one, &key).await?;
    let waiting = {
        let (store, key) = (Arc::clone(&two), key.clone());
        tokio::spawn(async move {
            let waited = store.lock_unless_changed(&key, &session(1)).await;
            let Some(mut guard) = expect("`lock_unless_changed`", waited)? else {
                return load(&store, &key).await;
            };
            let found = expect("a load under the lock", guard.load().await);
            guard.release().await;
            found
        })
    };
    tokio::task::yield_now().await;
    let saved = held.finish(&session(2)).await;
    held.release().await;
    expect("a save", saved)?;
    let found = joined(waiting.await)?;
    ensure(is_same(found.as_ref(), &session(2)), || {
        "a caller that waited does not see what the holder has saved".into()
    })?;
    // No other caller changes it now.
    let guard = two.lock_unless_changed(&key, &session(2)).await;
    let guard = expect("`lock_unless_changed`", guard)?;
    let guard = guard.ok_or("no lock is given for a session that has not changed")?;
    guard.release().await;
    Ok(())
}

pub(super) async fn lasting(handles: &Handles) -> Outcome {
    let ((one, two), key) = (handles.two()?, key("leased"));
    save(&one, &key, &session(1)).await?;
    let mut guard = lock(&one, &key).await?;
    if guard.lease().is_none() {
        expect("`extend`", guard.extend().await)?;
        ensure(guard.lease().is_none(), || {
            "`extend` has made a lease of a lock".into()
        })?;
        guard.release().await;
        return Ok(());
    }
    let left = |lease: Option<llm_auth_core::store::Lease>| {
        lease.map_or(Duration::ZERO, |lease| lease.remaining())
    };
    expect("a preparation", guard.prepare(Some(&session(1))).await)?;
    ensure(left(guard.lease()) >= LASTS, || {
        "after `prepare`, the lease does not last for a request".into()
    })?;
    expect("`extend`", guard.extend().await)?;
    ensure(left(guard.lease()) >= LASTS, || {
        "after `extend`, the lease does not last for a request".into()
    })?;
    expect("`finish`", guard.finish(&session(2)).await)?;
    // The guard still lives.
    let mut next = lock(&two, &key).await?;
    let found = expect("a load under the lock", next.load().await)?;
    ensure(is_same(found.as_ref(), &session(2)), || {
        "`finish` has not saved the session".into()
    })?;
    guard.release().await;
    expect("a save", next.save(&session(3)).await)?;
    next.release().await;
    let found = load(&one, &key).await?;
    ensure(is_same(found.as_ref(), &session(3)), || {
        "the release of an ended lease has disturbed the next holder".into()
    })
}

pub(super) async fn seized(handles: &Handles) -> Outcome {
    let ((one, two), key) = (handles.two()?, key("seized"));
    save(&one, &key, &session(1)).await?;
    let mut sleeper = lock(&one, &key).await?;
    if sleeper.lease().is_none() {
        sleeper.release().await;
        let guard = expect("`seize`", two.seize(&key).await)?;
        guard.release().await;
        return Ok(());
    }
    expect("a preparation", sleeper.prepare(Some(&session(1))).await)?;
    let mut guard = expect("`seize`", two.seize(&key).await)?;
    for (what, outcome) in [
        ("saved", sleeper.save(&session(2)).await),
        ("finished", sleeper.finish(&session(2)).await),
        ("prepared", sleeper.prepare(Some(&session(1))).await),
        ("extended", sleeper.extend().await),
        ("removed", sleeper.remove().await),
    ] {
        let kind = outcome.err().map(|error| error.kind());
        ensure(kind == Some(ErrorKind::LeaseLost), || {
            format!("a lock that was seized could still be {what}, or is no lost lease: {kind:?}")
        })?;
    }
    sleeper.release().await;
    let found = expect("a load under the lock", guard.load().await)?;
    ensure(is_same(found.as_ref(), &session(1)), || {
        "a holder whose lock was seized has changed the session".into()
    })?;
    expect("a removal", guard.remove().await)?;
    guard.release().await;
    let found = load(&one, &key).await?;
    ensure(found.is_none(), || {
        "a sign-out is undone by a holder whose lock was seized".into()
    })
}
