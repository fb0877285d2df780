//! What is stored is what was saved.

use std::sync::Arc;

use llm_auth_core::store::RefreshRecord;
use llm_auth_core::{ErrorKind, SessionKey, Timestamp};
use serde_json::json;

use super::handles::{Handles, PROVIDER, is_same, joined, key, load, lock, save, session};
use crate::conformance::{ensure, expect};
use crate::random::hex;

type Outcome = Result<(), String>;

pub(super) async fn none(handles: &Handles) -> Outcome {
    let (store, key) = (handles.open()?, key("none"));
    let found = load(&store, &key).await?;
    ensure(found.is_none(), || {
        "a session that was never saved is found".into()
    })?;
    let mut guard = lock(&store, &key).await?;
    let found = expect("a load under the lock", guard.load().await)?;
    let prepared = guard.prepare(None).await;
    let removed = guard.remove().await;
    guard.release().await;
    ensure(found.is_none(), || {
        "a session that was never saved is found under the lock".into()
    })?;
    expect("the preparation of a first session", prepared)?;
    expect("the removal of nothing", removed)?;
    let found = load(&store, &key).await?;
    ensure(found.is_none(), || {
        "a preparation alone has stored a session".into()
    })
}

pub(super) async fn whole(handles: &Handles) -> Outcome {
    let ((one, two), key) = (handles.two()?, key("whole"));
    let mut token = session(1);
    token.scope = Some("openid models".into());
    token.resource_url = Some("api.example/v1".into());
    token.notification = Some("line one\nline two \u{1f511}".into());
    let metadata = &mut token.metadata;
    metadata.provider = Some(PROVIDER.into());
    metadata.account = Some(key.account().into());
    metadata.server = Some("https://auth.example".into());
    metadata.client_secret = Some("made-up-secret".into());
    metadata.identity = Some("ann@example.com".into());
    metadata.signed_in_at = Some(Timestamp::from_unix_millis(1_790_000_000_123));
    let data = ("region".to_owned(), "global".to_owned());
    metadata.provider_data.extend([data]);
    // What a later version wrote.
    let later = json!({"list": [1, null, "three"], "nested": {"big": 9_007_199_254_740_993_u64}});
    token.extra.0.insert("of_a_later_version".into(), later);
    let long = "x".repeat(100_000);
    token.extra.0.insert("long".into(), json!(long));
    save(&one, &key, &token).await?;
    for (what, store) in [
        ("by its own handle", &one),
        ("by another handle", &two),
        ("by a new handle", &handles.open()?),
    ] {
        let found = load(store, &key).await?;
        ensure(is_same(found.as_ref(), &token), || {
            format!("a session is not read {what} as it was saved")
        })?;
    }
    let mut guard = lock(&two, &key).await?;
    let found = expect("a load under the lock", guard.load().await);
    guard.release().await;
    ensure(is_same(found?.as_ref(), &token), || {
        "a session is not read under the lock as it was saved".into()
    })?;
    let location = one.location(&key);
    ensure(
        !location.is_empty() && !location.contains("made-up"),
        || "`location` names no place, or a secret".into(),
    )
}

pub(super) async fn odd_names(handles: &Handles) -> Outcome {
    let (store, run) = (handles.open()?, hex(8));
    let long = "ß".repeat(200);
    let names = [
        "a",
        "A",
        "a b",
        "a/b",
        "a:b",
        "a%b",
        "a%2fb",
        "{a}",
        "a}",
        "a\\b",
        "a.json",
        "..",
        "'a'",
        "a;--",
        "ä",
        "\u{1f511}",
        "a\tb",
        &long,
    ];
    let keys = names.map(|name| SessionKey::new(PROVIDER, format!("{run}{name}")));
    // As a manager records it: a name that is too long for a file is found in the session.
    let named = |number: usize, key: &SessionKey| {
        let mut token = session(number);
        token.metadata.account = Some(key.account().to_owned());
        token
    };
    for (number, key) in keys.iter().enumerate() {
        save(&store, key, &named(number, key)).await?;
    }
    for (number, key) in keys.iter().enumerate() {
        let found = load(&store, key).await?;
        ensure(is_same(found.as_ref(), &named(number, key)), || {
            format!("the account {:?} has another one's session", key.account())
        })?;
    }
    Ok(())
}

pub(super) async fn many(handles: &Handles, count: usize) -> Outcome {
    let ((one, two), run) = (handles.two()?, hex(8));
    let key = |number: usize| SessionKey::new(PROVIDER, format!("{run}-{number}"));
    let mut tasks = Vec::new();
    for number in 0..count {
        let (store, key) = (Arc::clone(&one), key(number));
        tasks.push(tokio::spawn(async move {
            save(&store, &key, &session(number)).await
        }));
    }
    for task in tasks {
        joined(task.await)?;
    }
    for number in 0..count {
        let found = load(&two, &key(number)).await?;
        ensure(is_same(found.as_ref(), &session(number)), || {
            format!("of {count} sessions, number {number} is not the one that was saved")
        })?;
    }
    Ok(())
}

/// The access token and the refresh token of what is read always belong together.
pub(super) async fn readers(handles: &Handles) -> Outcome {
    let ((one, two), key) = (handles.two()?, key("readers"));
    save(&one, &key, &session(0)).await?;
    let reading = {
        let key = key.clone();
        tokio::spawn(async move {
            loop {
                let found = load(&two, &key).await?;
                let number = found.as_ref().and_then(|found| {
                    let (_, number) = found.access.expose().rsplit_once('-')?;
                    number.parse().ok()
                });
                let Some(number) = number else {
                    return Err("a reader found no session during a save".to_owned());
                };
                ensure(is_same(found.as_ref(), &session(number)), || {
                    "a reader saw parts of two sessions".into()
                })?;
                if number == LAST {
                    return Ok(());
                }
                tokio::task::yield_now().await;
            }
        })
    };
    for number in 1..=LAST {
        save(&one, &key, &session(number)).await?;
    }
    joined(reading.await)
}

/// How often a session is saved while another handle reads it.
const LAST: usize = 40;

pub(super) async fn removal(handles: &Handles) -> Outcome {
    let ((one, two), key, other) = (handles.two()?, key("removed"), key("kept"));
    save(&one, &key, &session(1)).await?;
    save(&one, &other, &session(2)).await?;
    for _ in 0..2 {
        let mut guard = lock(&two, &key).await?;
        let removed = guard.remove().await;
        guard.release().await;
        expect("a removal", removed)?;
        let found = load(&one, &key).await?;
        ensure(found.is_none(), || {
            "a session that was removed is found".into()
        })?;
    }
    let found = load(&one, &other).await?;
    ensure(is_same(found.as_ref(), &session(2)), || {
        "a removal has changed another session".into()
    })?;
    save(&one, &key, &session(3)).await?;
    let found = load(&two, &key).await?;
    ensure(is_same(found.as_ref(), &session(3)), || {
        "a session cannot be saved again after a removal".into()
    })
}

/// A holder that dies after `prepare` leaves the old session with a note of the refresh.
pub(super) async fn preparation(handles: &Handles) -> Outcome {
    let ((one, two), key) = (handles.two()?, key("prepared"));
    let before = session(1);
    save(&one, &key, &before).await?;
    let mut noted = before.clone();
    let refresh = before.refresh.as_ref().ok_or("the session has no token")?;
    let at = Timestamp::from_unix_millis(1_790_000_000_000);
    noted.metadata.in_progress = Some(Box::new(RefreshRecord::new(refresh.fingerprint(), at)));
    let mut guard = lock(&one, &key).await?;
    let prepared = guard.prepare(Some(&noted)).await;
    drop(guard);
    expect("a preparation", prepared)?;
    let mut guard = lock(&two, &key).await?;
    let found = expect("a load under the lock", guard.load().await)?;
    let has_note = found.as_ref().is_some_and(|found| found.may_be_spent());
    ensure(has_note, || {
        "the next holder does not see that a refresh was in progress".into()
    })?;
    let is_intact = found.is_some_and(|found| found.has_same_tokens(&before));
    ensure(is_intact, || {
        "the session is not intact after a preparation alone".into()
    })?;
    let prepared = guard.prepare(Some(&noted)).await;
    let saved = guard.finish(&session(2)).await;
    guard.release().await;
    expect("a second preparation", prepared)?;
    expect("the save of a successor", saved)?;
    let found = load(&one, &key).await?;
    ensure(is_same(found.as_ref(), &session(2)), || {
        "the successor is not stored, or has the note of its predecessor".into()
    })
}

pub(super) async fn corrupt(
    handles: &Handles,
    corrupt: &(dyn Fn(&SessionKey) + Send + Sync),
) -> Outcome {
    let (store, key, other) = (handles.open()?, key("corrupt"), key("intact"));
    save(&store, &key, &session(1)).await?;
    save(&store, &other, &session(2)).await?;
    corrupt(&key);
    for _ in 0..2 {
        let kind = match store.load(&key).await {
            Ok(_) => return Err("an entry that is no session was read as one".into()),
            Err(error) => error.kind(),
        };
        ensure(kind == ErrorKind::Corrupt, || {
            format!("an entry that is no session is an error of the kind {kind:?}")
        })?;
    }
    let found = load(&store, &other).await?;
    ensure(is_same(found.as_ref(), &session(2)), || {
        "an entry that is no session has changed another one".into()
    })?;
    save(&store, &key, &session(3)).await?;
    let found = load(&store, &key).await?;
    ensure(is_same(found.as_ref(), &session(3)), || {
        "no session can be saved in place of an entry that is none".into()
    })
}

pub(super) async fn kept_aside(
    handles: &Handles,
    corrupt: &(dyn Fn(&SessionKey) + Send + Sync),
    copies: &(dyn Fn(&SessionKey) -> usize + Send + Sync),
) -> Outcome {
    let store = handles.open()?;
    let are = |key: &SessionKey, expected: usize, when: &str| {
        let found = copies(key);
        ensure(found == expected, || {
            format!("{found} entries are kept aside {when}; expected: {expected}")
        })
    };
    for is_removed in [false, true] {
        let key = key("kept-aside");
        save(&store, &key, &session(1)).await?;
        save(&store, &key, &session(2)).await?;
        are(&key, 0, "although no entry was corrupt")?;
        corrupt(&key);
        if !is_removed {
            save(&store, &key, &session(3)).await?;
            are(&key, 1, "after a save in place of a corrupt one")?;
            save(&store, &key, &session(4)).await?;
        } else {
            let mut guard = lock(&store, &key).await?;
            let removed = guard.remove().await;
            guard.release().await;
            expect("the removal of a corrupt entry", removed)?;
        }
        are(&key, 1, "after a corrupt one was replaced or removed")?;
        let found = load(&store, &key).await?;
        ensure(found.is_none() == is_removed, || {
            "an entry that was kept aside is still the session".into()
        })?;
    }
    Ok(())
}
