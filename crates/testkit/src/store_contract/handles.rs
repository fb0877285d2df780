//! Handles to the store that is checked, and sessions for it.

use std::fmt::Display;
use std::sync::Arc;

use llm_auth_core::store::StoreGuard;
use llm_auth_core::{OAuthToken, Result, SessionKey, Timestamp, TokenStore};
use serde_json::{Value, json};

use crate::conformance::expect;
use crate::random::hex;

/// The provider of all sessions here.
pub(super) const PROVIDER: &str = "contract";

/// The store, as one process has it.
pub(super) type Handle = Arc<dyn TokenStore>;

/// Opens the store, as each process does.
pub(super) struct Handles(Box<dyn Fn() -> Result<Arc<dyn TokenStore>> + Send + Sync>);

impl Handles {
    pub(super) fn new(
        open: impl Fn() -> Result<Arc<dyn TokenStore>> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(open))
    }

    pub(super) fn open(&self) -> std::result::Result<Handle, String> {
        expect("opening the store", (self.0)())
    }

    pub(super) fn two(&self) -> std::result::Result<(Handle, Handle), String> {
        Ok((self.open()?, self.open()?))
    }
}

/// A key of its own for each check, also in a store that earlier runs have used.
pub(super) fn key(what: &str) -> SessionKey {
    SessionKey::new(PROVIDER, format!("{what}-{}", hex(8)))
}

/// A made-up session whose tokens have this number.
pub(super) fn session(number: usize) -> OAuthToken {
    let mut token = OAuthToken::new(
        format!("made-up-access-{number}").into(),
        Timestamp::from_unix_millis(4_000_000_000_000),
    );
    token.refresh = Some(format!("made-up-refresh-{number}").into());
    token
}

/// The same session as JSON, with its secrets: what two sessions are compared by.
pub(super) fn form(session: &OAuthToken) -> Value {
    serde_json::to_value(session).unwrap_or_else(|error| json!(error.to_string()))
}

pub(super) fn is_same(found: Option<&OAuthToken>, saved: &OAuthToken) -> bool {
    found.is_some_and(|found| form(found) == form(saved))
}

/// Saves a session under the lock.
pub(super) async fn save(
    store: &Arc<dyn TokenStore>,
    key: &SessionKey,
    token: &OAuthToken,
) -> std::result::Result<(), String> {
    let mut guard = lock(store, key).await?;
    let saved = guard.save(token).await;
    guard.release().await;
    expect("a save", saved)
}

pub(super) async fn lock(
    store: &Arc<dyn TokenStore>,
    key: &SessionKey,
) -> std::result::Result<Box<dyn StoreGuard>, String> {
    expect("a lock", store.lock(key).await)
}

pub(super) async fn load(
    store: &Arc<dyn TokenStore>,
    key: &SessionKey,
) -> std::result::Result<Option<OAuthToken>, String> {
    expect("a load", store.load(key).await)
}

/// The failure of a task of a check.
pub(super) fn joined<T>(
    ended: std::result::Result<std::result::Result<T, String>, impl Display>,
) -> std::result::Result<T, String> {
    ended.map_err(|error| error.to_string())?
}
