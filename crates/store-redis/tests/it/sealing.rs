//! Sessions that the server cannot read.

use llm_auth_core::{ErrorKind, SessionKey, TokenStore as _};
use llm_auth_store_redis::{RedisStore, SealingKeys};

use crate::support::{key, row, save, session, shared, stored};

fn keys(id: &str, byte: u8) -> SealingKeys {
    SealingKeys::new(id, &[byte; 32]).unwrap()
}

fn open(url: &str, prefix: &str, keys: SealingKeys) -> RedisStore {
    let builder = RedisStore::builder(url).prefix(prefix);
    builder.sealed_with(keys).build().unwrap()
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_an_error_and_changes_nothing() {
    let Some(server) = shared("wrong key") else {
        return;
    };
    let (url, row) = (server.url(), row("keys"));
    let right = open(&url, "keys", keys("one", 1));
    save(&right, &session(1)).await;
    let data = || server.command(&["HMGET", &row, "data", "key"]);
    let before = data();
    assert!(!before.contains("made-up"));
    let none = RedisStore::builder(&*url).prefix("keys").build().unwrap();
    for store in [
        open(&url, "keys", keys("one", 2)),
        open(&url, "keys", keys("two", 1)),
        none,
    ] {
        let mut guard = store.lock(&key()).await.unwrap();
        for error in [
            store.load(&key()).await.unwrap_err(),
            guard.load().await.unwrap_err(),
        ] {
            // No kind that lets a sign-in replace it.
            assert_eq!(error.kind(), ErrorKind::Store);
            let text = error.to_string();
            assert!(text.contains("key") && text.contains("one"), "{text}");
            assert!(text.starts_with("standard (work): "), "{text}");
        }
        guard.release().await;
        assert_eq!(data(), before);
    }
    assert_eq!(stored(&right).await, Some(session(1)));
}

#[tokio::test]
async fn a_value_that_was_edited_or_moved_from_another_account_is_not_opened() {
    let Some(server) = shared("edited value") else {
        return;
    };
    let store = open(&server.url(), "moved", keys("one", 1));
    let other = SessionKey::new("standard", "other");
    save(&store, &session(1)).await;
    store
        .lock(&other)
        .await
        .unwrap()
        .finish(&session(2))
        .await
        .unwrap();
    let moved = format!(
        "redis.call('HSET', KEYS[1], 'data', redis.call('HGET', '{}', 'data'))",
        row("moved")
    );
    server.command(&["EVAL", &moved, "1", "moved:{standard/other}"]);
    let error = store.load(&other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("standard (other)"), "{error}");
    assert_eq!(stored(&store).await, Some(session(1)));
    // Clear text that another client of the server has put there.
    let planted = session(3).to_json().unwrap();
    let row = row("moved");
    server.command(&["HSET", &row, "data", planted.expose(), "key", ""]);
    let error = store.load(&key()).await.unwrap_err();
    assert!(error.to_string().contains("is not encrypted"), "{error}");
}

#[tokio::test]
async fn a_key_is_rotated_without_a_session_lost() {
    let Some(server) = shared("rotation") else {
        return;
    };
    let (url, other) = (server.url(), SessionKey::new("standard", "other"));
    let clear = RedisStore::builder(&*url)
        .prefix("rotated")
        .build()
        .unwrap();
    save(&clear, &session(1)).await;
    let accepting = open(&url, "rotated", keys("one", 1).accept_unencrypted());
    accepting
        .lock(&other)
        .await
        .unwrap()
        .finish(&session(2))
        .await
        .unwrap();
    assert_eq!(accepting.reseal().await.unwrap().changed, 1);
    // From now on clear text is refused.
    let one = open(&url, "rotated", keys("one", 1));
    assert_eq!(stored(&one).await, Some(session(1)));

    let both = keys("two", 2).with_older("one", &[1; 32]).unwrap();
    let both = open(&url, "rotated", both);
    assert_eq!(stored(&both).await, Some(session(1)));
    // A response that is under way fits afterwards too.
    let mut sleeper = both.lock(&key()).await.unwrap();
    server.command(&["HSET", &row("rotated"), "ends", "1"]);
    let done = both.reseal().await.unwrap();
    assert_eq!((done.changed, done.failed.len()), (2, 0));
    assert_eq!(both.reseal().await.unwrap().changed, 0);
    sleeper.finish(&session(3)).await.unwrap();

    let two = open(&url, "rotated", keys("two", 2));
    assert_eq!(stored(&two).await, Some(session(3)));
    assert_eq!(two.load(&other).await.unwrap(), Some(session(2)));
    let failed = open(&url, "rotated", keys("three", 3)).reseal().await;
    let failed = failed.unwrap().failed;
    assert_eq!(failed.len(), 2);
    assert!(failed[0].1.to_string().contains("key `two`"), "{failed:?}");
}
