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

pub(super) async fn optimistic(handles: &Handles) -> Outcome {
    let ((one, two), key) = (handles.two()?, key("optimistic"));
    save(&one, &key, &session(1)).await?;
    let mut holder = lock(&one, &key).await?;
    if holder.lease().is_none() {
        holder.release().await;
        let guard = expect("`lock_optimistically`", two.lock_optimistically(&key).await)?;
        guard.release().await;
        return Ok(());
    }
    expect("a preparation", holder.prepare(Some(&session(1))).await)?;
    // A sign-in that is refused, and one that failed.
    let mut refused = expect("`lock_optimistically`", two.lock_optimistically(&key).await)?;
    ensure(refused.lease().is_none(), || {
        "a guard of `lock_optimistically` has a lease".into()
    })?;
    expect("a load", refused.load().await)?;
    refused.release().await;
    expect(
        "an extension after an attempt to sign in",
        holder.extend().await,
    )?;

    // The successor of a refresh that was in flight is not lost, and none that is not known is replaced.
    let mut leaving = expect("`lock_optimistically`", two.lock_optimistically(&key).await)?;
    expect("a load", leaving.load().await)?;
    expect("a save during a sign-out", holder.save(&session(2)).await)?;
    for (what, outcome) in [
        ("removed", leaving.remove().await),
        ("replaced", leaving.save(&session(3)).await),
    ] {
        is_lost(what, "a session that the guard has not seen", outcome)?;
    }
    let found = expect("a load", leaving.load().await)?;
    ensure(is_same(found.as_ref(), &session(2)), || {
        "what `lock_optimistically` guards is not read again".into()
    })?;
    expect("a removal", leaving.remove().await)?;
    leaving.release().await;

    // From then on, the holder can do nothing.
    for (what, outcome) in [
        ("saved", holder.save(&session(4)).await),
        ("finished", holder.finish(&session(4)).await),
        ("prepared", holder.prepare(Some(&session(2))).await),
        ("extended", holder.extend().await),
    ] {
        is_lost(what, "what was signed out or in meanwhile", outcome)?;
    }
    holder.release().await;
    let found = load(&one, &key).await?;
    ensure(found.is_none(), || {
        "a sign-out is undone by a holder of a lease".into()
    })?;

    let mut holder = lock(&one, &key).await?;
    let mut new = expect("`lock_optimistically`", two.lock_optimistically(&key).await)?;
    expect("a sign-in", new.finish(&session(5)).await)?;
    new.release().await;
    is_lost("saved", "a new session", holder.save(&session(6)).await)?;
    holder.release().await;
    let found = load(&one, &key).await?;
    ensure(is_same(found.as_ref(), &session(5)), || {
        "a sign-in is undone by a holder of a lease".into()
    })
}

fn is_lost(what: &str, which: &str, outcome: llm_auth_core::Result<()>) -> Outcome {
    let kind = outcome.err().map(|error| error.kind());
    ensure(kind == Some(ErrorKind::LeaseLost), || {
        format!("{which} could be {what}, or is no lost lease: {kind:?}")
    })
}
