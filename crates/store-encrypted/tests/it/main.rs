//! Encrypted sessions on a real disk.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod damage;
mod disk;
mod other_keys;

use std::path::Path;
use std::sync::Arc;

use llm_auth_core::{FileTokenStore, OAuthToken, SessionKey, Timestamp, TokenStore};
use llm_auth_store_encrypted::Encryption;
use llm_auth_testkit::{Failures, StoreContract};

const KEY: &[u8] = b"made-up-key-of-thirty-two-bytes!";

fn store(directory: &Path) -> FileTokenStore {
    let encryption = Encryption::with_key(directory, KEY.to_vec().into());
    encryption.unwrap().store()
}

fn session(number: usize) -> OAuthToken {
    let expires = Timestamp::from_unix_millis(4_000_000_000_000);
    let mut token = OAuthToken::new(format!("made-up-access-{number}").into(), expires);
    token.refresh = Some(format!("made-up-refresh-{number}").into());
    token
}

async fn save(store: &FileTokenStore, key: &SessionKey, token: &OAuthToken) {
    let mut guard = store.lock(key).await.unwrap();
    guard.save(token).await.unwrap();
    guard.release().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_the_contract() -> Result<(), Failures> {
    let directory = tempfile::tempdir().unwrap();
    let (path, corrupted) = (directory.path().to_owned(), store(directory.path()));
    StoreContract::of(move || Ok(Arc::new(store(&path)) as Arc<dyn TokenStore>))
        .sessions(100)
        .corrupting(move |key| std::fs::write(corrupted.path(key), "no session").unwrap())
        .check()
        .await
}
