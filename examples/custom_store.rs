//! A custom store: anything that can keep a JSON text and lock it. This one is a map; a database
//! would do the same with a row and `SELECT ... FOR UPDATE`.
//!
//! `cargo run -p llm-auth-examples --example custom_store`; its test, `cargo test -p llm-auth-examples --example
//! custom_store`, checks all that a store must do.
#![allow(clippy::print_stdout, reason = "an example")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use llm_auth::store::StoreGuard;
use llm_auth::{
    AuthManager, AuthProvider, Clock as _, OAuthToken, Result, Secret, SessionKey, Silent,
    SystemClock, TokenStore, UserPrompt, async_trait,
};
use tokio::sync::OwnedMutexGuard;

/// The lock of one session.
type RowLock = Arc<tokio::sync::Mutex<()>>;

#[derive(Clone, Debug, Default)]
struct Rows {
    rows: Arc<Mutex<HashMap<SessionKey, Secret>>>,
    /// One for each session: a refresh of one account must not hold up the others. They stay, so that no
    /// caller locks another one than the caller before it.
    locks: Arc<Mutex<HashMap<SessionKey, RowLock>>>,
}

/// One row, locked: the only place that writes.
#[derive(Debug)]
struct LockedRow {
    rows: Rows,
    key: SessionKey,
    _lock: OwnedMutexGuard<()>,
}

impl Rows {
    fn read(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(json) = rows.get(key) else {
            return Ok(None);
        };
        OAuthToken::from_json(json.expose().as_bytes()).map(Some)
    }

    fn lock_of(&self, key: &SessionKey) -> RowLock {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(key.clone()).or_default())
    }
}

#[async_trait]
impl TokenStore for Rows {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        self.read(key)
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        Ok(Box::new(LockedRow {
            rows: self.clone(),
            key: key.clone(),
            _lock: self.lock_of(key).lock_owned().await,
        }))
    }

    fn location(&self, key: &SessionKey) -> String {
        format!("the row of {key}")
    }
}

#[async_trait]
impl StoreGuard for LockedRow {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        self.rows.read(&self.key)
    }

    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        // Writing the record in the same way proves that the successor will fit.
        match stored {
            Some(stored) => self.save(stored).await,
            None => Ok(()),
        }
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        let json = token.to_json()?;
        let mut rows = self
            .rows
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        rows.insert(self.key.clone(), json);
        Ok(())
    }

    async fn remove(&mut self) -> Result<()> {
        let mut rows = self
            .rows
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(rows.remove(&self.key));
        Ok(())
    }
}

/// A vendor that approves every user.
#[derive(Debug)]
struct Example;

#[async_trait]
impl AuthProvider for Example {
    fn name(&self) -> &str {
        "example"
    }

    async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        let hour = std::time::Duration::from_secs(3600);
        let mut token = OAuthToken::new("made-up-access".into(), SystemClock.now().after(hour));
        token.refresh = Some("made-up-refresh".into());
        Ok(token)
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        Ok(current.clone())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = Rows::default();
    let first = AuthManager::builder(Example).store(store.clone()).build();
    first.login(&Silent).await?;

    let second = AuthManager::builder(Example).store(store).build();
    let token = second.token().await?;
    println!("the second manager found the session of the first: {token:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use llm_auth_testkit::{Failures, StoreContract};

    use super::*;

    /// `llm-auth-testkit` with the feature `conformance` has the contract of every store.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_store_keeps_the_contract() -> std::result::Result<(), Failures> {
        let store = Rows::default();
        StoreContract::of(move || Ok(Arc::new(store.clone())))
            .check()
            .await
    }
}
