//! What the searched process does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use llm_auth_core::{
    AuthManager, AuthProvider, Clock as _, FileTokenStore, MemoryTokenStore, OAuthToken, Result,
    Secret, SessionKey, Silent, SystemClock, TokenStore, UserPrompt, async_trait,
};

use super::made_up::text;

pub(crate) fn run(scenario: &str, place: &str, shift: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match scenario {
        "stored form" => stored_form(),
        "file store" => runtime.block_on(file_store(place)),
        "read file" => read_file(&if shift == 0 {
            place.to_owned()
        } else {
            format!("{place}.warm-up")
        }),
        "manager" => runtime.block_on(async {
            manager(Arc::new(FileTokenStore::file(place)), 0).await;
            manager(Arc::new(MemoryTokenStore::new()), 10).await;
        }),
        other => panic!("no scenario {other}"),
    }
}

fn secret(number: u64) -> Secret {
    Secret::from(text(number))
}

fn session(first: u64) -> OAuthToken {
    let hour = Duration::from_secs(3600);
    let mut token = OAuthToken::new(secret(first), SystemClock.now().after(hour));
    token.refresh = Some(secret(first + 1));
    token.metadata.client_secret = Some(secret(first + 2));
    token
}

fn stored_form() {
    for _ in 0..10 {
        let mut token = session(0);
        token
            .extra
            .0
            .insert("id_token".into(), serde_json::Value::String(text(3)));
        let json = token.to_json().unwrap();
        let back = OAuthToken::from_json(json.expose().as_bytes()).unwrap();
        assert_eq!(back, token);
        let _short = back.refresh.map(|refresh| refresh.fingerprint());
    }
}

async fn file_store(place: &str) {
    let store = FileTokenStore::file(place);
    let key = SessionKey::new("memory", "");
    for _ in 0..3 {
        let mut guard = store.lock(&key).await.unwrap();
        guard.prepare(None).await.unwrap();
        guard.save(&session(0)).await.unwrap();
        let stored = guard.load().await.unwrap().unwrap();
        guard.prepare(Some(&stored)).await.unwrap();
        guard.save(&stored).await.unwrap();
        assert!(store.load(&key).await.unwrap().is_some());
        guard.remove().await.unwrap();
    }
}

fn read_file(place: &str) {
    let store = FileTokenStore::file(place);
    let token = store.read(&SessionKey::new("memory", "")).unwrap().unwrap();
    assert_eq!(token.extra.0.len(), 2);
    assert!(token.access.expose().starts_with("a/"));
    let again = token.to_json().unwrap();
    drop((token, again));
}

/// Each session that it gives has secrets of its own.
#[derive(Debug)]
struct Vendor(AtomicU64);

#[async_trait]
impl AuthProvider for Vendor {
    fn name(&self) -> &str {
        "memory"
    }

    async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        Ok(session(self.0.fetch_add(3, Ordering::SeqCst)))
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        Ok(session(self.0.fetch_add(3, Ordering::SeqCst)).inheriting(current))
    }
}

async fn manager(store: Arc<dyn TokenStore>, first: u64) {
    let vendor = Vendor(AtomicU64::new(first));
    let manager = AuthManager::builder(vendor).store(store).build();
    let signed_in = manager.login(&Silent).await.unwrap();
    drop(signed_in);
    for _ in 0..2 {
        let token = manager.token().await.unwrap();
        let next = manager.invalidate(&token).await.unwrap();
        assert_ne!(token.access, next.access);
    }
    manager.with_fresh(|token| assert!(!token.access.is_empty()));
    manager.logout().await.unwrap();
}
