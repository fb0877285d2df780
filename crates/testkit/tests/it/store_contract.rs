//! The stores of the core keep the contract, and stores that break it are found out.

use std::sync::Arc;

use llm_auth_core::store::StoreGuard;
use llm_auth_core::{
    FileTokenStore, MemoryTokenStore, OAuthToken, Result, SessionKey, TokenStore, async_trait,
};
use llm_auth_testkit::{Failures, StoreContract};

#[tokio::test(flavor = "multi_thread")]
async fn sessions_in_memory_keep_the_contract() -> std::result::Result<(), Failures> {
    let store = MemoryTokenStore::new();
    StoreContract::of(move || Ok(Arc::new(store.clone())))
        .sessions(5_000)
        .check()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_in_a_directory_keep_the_contract() -> std::result::Result<(), Failures> {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (directory.path().to_owned(), directory.path().to_owned());
    let beside = other.clone();
    StoreContract::of(move || Ok(Arc::new(FileTokenStore::directory(&path))))
        .corrupting(move |key| {
            let file = FileTokenStore::directory(&other).path(key);
            std::fs::write(file, "{\"access\": 1").unwrap();
        })
        .copies(move |key| {
            let file = FileTokenStore::directory(&beside).path(key);
            let prefix = format!("{}.corrupt-", file.file_name().unwrap().to_str().unwrap());
            let names = std::fs::read_dir(file.parent().unwrap()).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name());
            let is_copy = |name: &std::ffi::OsString| name.to_string_lossy().starts_with(&prefix);
            names.filter(is_copy).count()
        })
        .check()
        .await
}

/// A store in memory that does one thing wrong.
#[derive(Clone, Debug)]
struct Wrong(MemoryTokenStore, Fault);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    NoLock,
    ForgetsNotes,
    ForgetsUnknown,
    RemovesNothing,
    OneLockForAll,
}

#[derive(Debug)]
struct WrongGuard {
    store: MemoryTokenStore,
    key: SessionKey,
    fault: Fault,
    inner: Option<Box<dyn StoreGuard>>,
    _all: Option<Box<dyn StoreGuard>>,
}

#[async_trait]
impl TokenStore for Wrong {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        self.0.load(key).await
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let Self(store, fault) = self.clone();
        let inner = match fault {
            Fault::NoLock => None,
            _ => Some(store.lock(key).await?),
        };
        let all = match fault {
            Fault::OneLockForAll => Some(store.lock(&SessionKey::new("all", "all")).await?),
            _ => None,
        };
        Ok(Box::new(WrongGuard {
            store,
            key: key.clone(),
            fault,
            inner,
            _all: all,
        }))
    }

    fn location(&self, _key: &SessionKey) -> String {
        "a wrong store".into()
    }
}

#[async_trait]
impl StoreGuard for WrongGuard {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        self.store.load(&self.key).await
    }

    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        match stored {
            Some(stored) if self.fault != Fault::ForgetsNotes => self.save(stored).await,
            _ => Ok(()),
        }
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        let mut token = token.clone();
        if self.fault == Fault::ForgetsUnknown {
            token.extra.0.clear();
        }
        match &mut self.inner {
            Some(inner) => inner.save(&token).await,
            // Without the lock.
            None => self.store.lock(&self.key).await?.save(&token).await,
        }
    }

    async fn remove(&mut self) -> Result<()> {
        match &mut self.inner {
            Some(inner) if self.fault != Fault::RemovesNothing => inner.remove().await,
            _ => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_breaks_the_contract_is_found_out() {
    for (fault, check) in [
        (Fault::NoLock, "one holder"),
        (Fault::ForgetsNotes, "preparation"),
        (Fault::ForgetsUnknown, "a session"),
        (Fault::RemovesNothing, "removal"),
        (
            Fault::OneLockForAll,
            "two sessions: the lock of one session was held, and another session could not be saved",
        ),
    ] {
        let store = Wrong(MemoryTokenStore::new(), fault);
        let failures = StoreContract::of(move || Ok(Arc::new(store.clone())))
            .time_limit(std::time::Duration::from_secs(2))
            .check()
            .await
            .unwrap_err();
        let found = failures.lines().iter().any(|line| line.starts_with(check));
        assert!(found, "{fault:?}: {failures}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_keeps_nothing_aside_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (directory.path().to_owned(), directory.path().to_owned());
    let failures = StoreContract::of(move || Ok(Arc::new(FileTokenStore::directory(&path))))
        .sessions(1)
        .corrupting(move |key| {
            let store = FileTokenStore::directory(&other);
            std::fs::write(store.path(key), "no session").unwrap();
        })
        .copies(|_key| 0)
        .check()
        .await
        .unwrap_err();
    assert_eq!(failures.lines().len(), 1, "{failures}");
    assert!(failures.lines()[0].starts_with("kept aside"), "{failures}");
}
