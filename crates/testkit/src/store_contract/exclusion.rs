//! One holder at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::handles::{Handles, joined, key, load, lock, save, session};
use crate::conformance::{ensure, expect};

type Outcome = Result<(), String>;

/// How many holders come, on two handles.
const HOLDERS: usize = 24;

/// Each holder reads a number and writes the next one.
pub(super) async fn one_holder(handles: &Handles) -> Outcome {
    let ((one, two), key) = (handles.two()?, key("counted"));
    save(&one, &key, &session(0)).await?;
    let inside = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for number in 0..HOLDERS {
        let store = Arc::clone(if number % 2 == 0 { &one } else { &two });
        let (key, inside) = (key.clone(), Arc::clone(&inside));
        tasks.push(tokio::spawn(async move {
            let mut guard = lock(&store, &key).await?;
            let already = inside.fetch_add(1, Ordering::SeqCst);
            ensure(already == 0, || "two holders had the lock at once".into())?;
            let found = expect("a load under the lock", guard.load().await)?;
            let mut token = found.ok_or("the session is gone")?;
            let count = token.extra.0.get("count").and_then(|count| count.as_u64());
            let next = json!(count.unwrap_or(0) + 1);
            token.extra.0.insert("count".into(), next);
            for _ in 0..200 {
                // Any other holder would come now.
                tokio::task::yield_now().await;
            }
            inside.fetch_sub(1, Ordering::SeqCst);
            let saved = guard.save(&token).await;
            guard.release().await;
            expect("a save", saved)
        }));
    }
    for task in tasks {
        joined(task.await)?;
    }
    let found = load(&two, &key).await?;
    let count = found.and_then(|found| found.extra.0.get("count")?.as_u64());
    ensure(count == Some(HOLDERS as u64), || {
        format!("of {HOLDERS} changes under the lock, {count:?} are stored")
    })
}

/// A holder that is dropped, that panics, or that gives up while it waits.
pub(super) async fn lost_holders(handles: &Handles) -> Outcome {
    let ((one, two), key) = (handles.two()?, key("lost"));
    save(&one, &key, &session(1)).await?;
    drop(lock(&one, &key).await?);

    let panicking = {
        let (store, key) = (Arc::clone(&two), key.clone());
        tokio::spawn(async move {
            let _guard = lock(&store, &key).await;
            // Without the hook of the process, which would print it.
            std::panic::resume_unwind(Box::new("made-up panic"));
        })
    };
    drop(panicking.await);

    let held = lock(&one, &key).await?;
    let given_up = timeout(Duration::from_millis(50), two.lock(&key)).await;
    ensure(given_up.is_err(), || {
        "a second holder got the lock, or an error at once".into()
    })?;
    held.release().await;
    let guard = lock(&two, &key).await?;
    guard.release().await;
    lock(&one, &key).await?.release().await;
    Ok(())
}

/// `limit` is how long a save may take, if it does not wait for a holder.
pub(super) async fn two_sessions(handles: &Handles, limit: Duration) -> Outcome {
    let ((one, two), first, second) = (handles.two()?, key("first"), key("second"));
    let held = lock(&one, &first).await?;
    for store in [&one, &two] {
        let saved = timeout(limit, save(store, &second, &session(1))).await;
        saved.map_err(|_waits| {
            format!(
                "the lock of one session was held, and another session could not be saved within \
                 {limit:?}: sessions must not wait for each other, so each needs a lock of its own"
            )
        })??;
    }
    let found = load(&two, &first).await?;
    held.release().await;
    ensure(found.is_none(), || {
        "a session is found that was not saved".into()
    })
}
