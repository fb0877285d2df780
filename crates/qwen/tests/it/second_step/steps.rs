//! What a user writes after the first sign-in: a store, a clock and a provider of their own, a
//! watch loop, a sign-out. Every name is of the one crate that they depend on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::vendor::store::{LockHolder, StoreGuard};
use super::vendor::{
    ApiResponse, ApiStatus, AuthManager, AuthManagerBuilder, AuthProvider, Clock, Error, ErrorKind,
    Logout, ManualClock, OAuthToken, Result, Revocation, Secret, SessionChange, SessionKeeper,
    SessionKey, SessionWatch, Silent, SystemClock, Timestamp, TokenStore, UserPrompt, async_trait,
};

type Rows = Arc<Mutex<HashMap<SessionKey, Secret>>>;

/// A store of rows, each with one lock.
#[derive(Clone, Debug, Default)]
struct Table {
    rows: Rows,
    held: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Row {
    table: Table,
    key: SessionKey,
}

impl Table {
    fn read(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.get(key)
            .map(|row| OAuthToken::from_json(row.expose().as_bytes()))
            .transpose()
    }
}

#[async_trait]
impl TokenStore for Table {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        self.read(key)
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        if self.held.swap(true, Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::StoreBusy, "the table is locked"));
        }
        Ok(Box::new(Row {
            table: self.clone(),
            key: key.clone(),
        }))
    }

    fn location(&self, key: &SessionKey) -> String {
        format!("the row of {key}")
    }
}

#[async_trait]
impl StoreGuard for Row {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        self.table.read(&self.key)
    }

    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        match stored {
            Some(stored) => self.save(stored).await,
            None => Ok(()),
        }
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        let row = token.to_json()?;
        let mut rows = self
            .table
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        rows.insert(self.key.clone(), row);
        Ok(())
    }

    async fn remove(&mut self) -> Result<()> {
        let mut rows = self
            .table
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(rows.remove(&self.key));
        Ok(())
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.table.held.store(false, Ordering::SeqCst);
    }
}

/// A clock that is an hour ahead of another.
#[derive(Debug)]
struct HourAhead(Arc<dyn Clock>);

impl Clock for HourAhead {
    fn now(&self) -> Timestamp {
        self.0.now().after(Duration::from_secs(3600))
    }
}

/// A vendor whose tokens live for two hours.
#[derive(Debug)]
struct Vendor(Arc<dyn Clock>);

impl Vendor {
    fn token(&self, access: &str) -> OAuthToken {
        let mut token = OAuthToken::new(
            Secret::from(access),
            self.0.now().after(Duration::from_secs(7200)),
        );
        token.refresh = Some(Secret::from("made-up-refresh"));
        token
    }
}

#[async_trait]
impl AuthProvider for Vendor {
    fn name(&self) -> &str {
        "second-step"
    }

    async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        Ok(self.token("made-up-first"))
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        Ok(self.token("made-up-second").inheriting(current))
    }

    async fn revoke(&self, _token: &OAuthToken) -> Result<Revocation> {
        Ok(Revocation::Confirmed)
    }

    fn classify_api_response(&self, answer: &ApiResponse<'_>) -> ApiStatus {
        match answer.status {
            418 => ApiStatus::Quota,
            _ => answer.by_status(),
        }
    }
}

/// What a watch loop does with each change.
fn remark(change: &SessionChange) -> Option<String> {
    match change {
        SessionChange::SignedIn(token) | SessionChange::Refreshed(token) => {
            Some(token.access.expose().to_owned())
        }
        SessionChange::SignedOut => Some("signed out".into()),
        SessionChange::Over(error) => Some(error.to_string()),
        _ => None,
    }
}

async fn next(watch: &mut SessionWatch) -> String {
    while let Some(change) = watch.changed().await {
        if let Some(remark) = remark(&change) {
            return remark;
        }
    }
    "the manager is gone".into()
}

#[tokio::test]
async fn a_store_a_clock_a_provider_and_a_watch_need_no_other_crate() {
    let hands = Arc::new(ManualClock::new(Timestamp::from_unix_millis(
        1_800_000_000_000,
    )));
    let clock: Arc<dyn Clock> = Arc::new(HourAhead(hands.clone()));
    let table = Table::default();
    let builder: AuthManagerBuilder = AuthManager::builder(Vendor(Arc::clone(&clock)));
    let manager = builder.store(table.clone()).clock(clock).build();
    let mut watch = manager.watch();

    manager.login(&Silent).await.unwrap();
    assert_eq!(next(&mut watch).await, "made-up-first");
    let keeper: SessionKeeper = manager.keep_fresh();
    drop(keeper);
    hands.advance(Duration::from_secs(7200));
    let token = manager.token().await.unwrap();
    assert_eq!(token.access.expose(), "made-up-second");
    assert_eq!(next(&mut watch).await, "made-up-second");

    let answer = ApiResponse::new(418, b"");
    assert_eq!(
        manager.provider().classify_api_response(&answer),
        ApiStatus::Quota
    );
    let out: Logout = manager.logout().await.unwrap();
    assert!(format!("{out:?}").contains("Confirmed"), "{out:?}");
    assert_eq!(next(&mut watch).await, "signed out");
    assert!(table.read(manager.key()).unwrap().is_none());
}

#[test]
fn what_only_an_operator_asks_is_there_too() {
    assert!(SystemClock.now() > Timestamp::default());
    assert_ne!(LockHolder::Free, LockHolder::Unknown);
}
