//! Sessions in keyrings: a real Secret Service, and one in memory that fails at a chosen call.
#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod fake;
mod faults;
#[cfg(target_os = "linux")]
mod hiding;
#[cfg(target_os = "linux")]
mod secret_service;
#[cfg(target_os = "linux")]
mod sessions;

use std::path::Path;
use std::sync::Arc;

use llm_auth_core::store::RefreshRecord;
use llm_auth_core::{Error, FileTokenStore, OAuthToken, SessionKey, Timestamp, TokenStore};
use llm_auth_store_keyring::{Keyring, KeyringError};
use llm_auth_testkit::{Failures, StoreContract};

use self::fake::Fake;

fn session(number: usize) -> OAuthToken {
    let expires = Timestamp::from_unix_millis(4_000_000_000_000);
    let mut token = OAuthToken::new(format!("made-up-access-{number}").into(), expires);
    token.refresh = Some(format!("made-up-refresh-{number}").into());
    token
}

/// As a manager passes it to `prepare`.
fn noted(number: usize) -> OAuthToken {
    let mut token = session(number);
    let fingerprint = token.refresh.as_ref().map(|refresh| refresh.fingerprint());
    let at = Timestamp::from_unix_millis(1_790_000_000_000);
    let record = RefreshRecord::new(fingerprint.unwrap_or_default(), at);
    token.metadata.in_progress = Some(Box::new(record));
    token
}

async fn save(store: &FileTokenStore, key: &SessionKey, token: &OAuthToken) -> Result<(), Error> {
    let mut guard = store.lock(key).await?;
    let saved = guard.save(token).await;
    guard.release().await;
    saved
}

/// What the keyring did, from an error of the store.
fn why(error: &Error) -> Option<KeyringError> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(why) = error.downcast_ref::<KeyringError>() {
            return Some(*why);
        }
        source = error.source();
    }
    None
}

async fn contract(keyring: Keyring, sessions: usize, directory: &Path) -> Result<(), Failures> {
    let (path, plain) = (directory.to_owned(), FileTokenStore::directory(directory));
    StoreContract::of(move || Ok(Arc::new(keyring.store(&path)) as Arc<dyn TokenStore>))
        .sessions(sessions)
        .corrupting(move |key| std::fs::write(plain.path(key), "no session").unwrap())
        .check()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_the_contract() -> Result<(), Failures> {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake::new();
    // As on Windows.
    let keyring = Keyring::with_store(fake.store()).longest_entry(2_560);
    contract(keyring, 40, directory.path()).await?;
    let longest = fake.entries().values().map(Vec::len).max();
    assert!(
        longest.is_some_and(|longest| longest <= 2_560),
        "{longest:?}"
    );
    Ok(())
}
