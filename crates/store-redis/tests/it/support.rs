//! Servers, stores and sessions.

pub(crate) mod process;
pub(crate) mod proxy;
#[allow(dead_code, reason = "shared with the fleet of llm-auth-cli")]
pub(crate) mod server;
pub(crate) mod vendor;

use std::sync::OnceLock;
use std::time::Duration;

use llm_auth_core::store::RefreshRecord;
use llm_auth_core::{OAuthToken, SessionKey, Timestamp, TokenStore as _};
use llm_auth_store_redis::{RedisStore, RedisStoreBuilder};

use self::server::RedisServer;

/// One server for all tests that do nothing to it; each test has its own prefix.
pub(crate) fn shared(test: &str) -> Option<&'static RedisServer> {
    static SHARED: OnceLock<Option<RedisServer>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| RedisServer::start(test, &[]));
    if shared.is_none() {
        // By its own name too.
        RedisServer::start(test, &[]);
    }
    shared.as_ref()
}

pub(crate) fn key() -> SessionKey {
    SessionKey::new("standard", "work")
}

/// The key in Redis of that session.
pub(crate) fn row(prefix: &str) -> String {
    format!("{prefix}:{{standard/work}}")
}

pub(crate) fn session(number: usize) -> OAuthToken {
    let in_2096 = Timestamp::from_unix_millis(4_000_000_000_000);
    let mut token = OAuthToken::new(format!("made-up-access-{number}").into(), in_2096);
    token.refresh = Some(format!("made-up-refresh-{number}").into());
    token
}

/// The same tokens with a record of a refresh in progress.
pub(crate) fn noted(token: &OAuthToken) -> OAuthToken {
    let mut noted = token.clone();
    let fingerprint = token.refresh.as_ref().unwrap().fingerprint();
    let at = Timestamp::from_unix_millis(1_790_000_000_000);
    noted.metadata.in_progress = Some(Box::new(RefreshRecord::new(fingerprint, at)));
    noted
}

/// A store whose leases end soon.
pub(crate) fn hasty(url: &str, prefix: &str) -> RedisStoreBuilder {
    let builder = RedisStore::builder(url).prefix(prefix);
    builder.lease(Duration::from_secs(2))
}

pub(crate) async fn save(store: &RedisStore, token: &OAuthToken) {
    let mut guard = store.lock(&key()).await.unwrap();
    guard.save(token).await.unwrap();
    guard.release().await;
}

pub(crate) async fn stored(store: &RedisStore) -> Option<OAuthToken> {
    store.load(&key()).await.unwrap()
}
