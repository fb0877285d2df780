//! The list of all sessions.

use llm_auth_core::{SessionKey, TokenStore as _};
use llm_auth_store_redis::RedisStore;

use crate::support::{session, shared};

#[tokio::test]
async fn all_stored_sessions_are_listed_and_nothing_else() {
    let Some(server) = shared("accounts") else {
        return;
    };
    let open = |prefix: &str| RedisStore::builder(server.url()).prefix(prefix).build();
    let (store, other) = (open("list").unwrap(), open("list2").unwrap());
    let mut sessions: Vec<_> = (0..500)
        .map(|number| SessionKey::new("standard", format!("a/{{{number}}} %*")))
        .collect();
    sessions.push(SessionKey::new("li:st/", "ä\u{1f511}\n"));
    let elsewhere = SessionKey::new("standard", "of another store");
    for key in &sessions {
        let mut guard = store.lock(key).await.unwrap();
        guard.finish(&session(1)).await.unwrap();
    }
    other
        .lock(&elsewhere)
        .await
        .unwrap()
        .finish(&session(1))
        .await
        .unwrap();
    let gone = sessions.remove(7);
    let mut guard = store.lock(&gone).await.unwrap();
    guard.remove().await.unwrap();
    guard.release().await;
    server.command(&["SET", "list:{no session}", "made-up"]);
    sessions.sort();
    assert_eq!(store.accounts().await.unwrap(), sessions);
    assert_eq!(other.accounts().await.unwrap(), [elsewhere]);
}
