//! Sessions at the strict simulated provider.

use std::time::Duration;

use llm_auth_core::provider::{Client, DeviceFlow, Flow, OAuthConfig};
use llm_auth_core::{
    AuthManager, HttpClient, OAuthToken, ProviderSpec as _, SecureUrl, Silent, Timestamp,
    TokenStore,
};
use llm_auth_store_redis::RedisStore;
use llm_auth_testkit::{Approval, Testkit, immediate_polls};

use super::{key, stored};

/// Providers that approve everything, and end a session when a spent token comes back.
pub(crate) async fn kit() -> Testkit {
    let builder = Testkit::builder().approval(Approval::Auto);
    builder.interval(Duration::ZERO).start().await.unwrap()
}

/// A manager with the store, as each process has one. Its requests take one second at most.
pub(crate) fn manager(base: &str, store: impl TokenStore + 'static) -> AuthManager {
    let url = |path: &str| SecureUrl::new(&format!("{base}/standard/{path}")).unwrap();
    let mut config = OAuthConfig::new("standard", url("token"));
    config.endpoints.device_authorization = Some(url("device/code"));
    config.client = Client::known("testkit-client");
    config.flows = vec![Flow::Device(DeviceFlow::default())];
    let http = HttpClient::builder().timeout(Duration::from_secs(1));
    let builder = config.builder().schedule(immediate_polls());
    let provider = builder.http(http.build().unwrap()).build();
    AuthManager::builder(provider)
        .store(store)
        .account(key().account())
        .build()
}

/// Signs in and lets the access token be past its expiry.
pub(crate) async fn expired(kit: &Testkit, store: &RedisStore) -> OAuthToken {
    let manager = manager(kit.base_url(), store.clone());
    manager.login(&Silent).await.unwrap();
    expire(store).await
}

pub(crate) async fn expire(store: &RedisStore) -> OAuthToken {
    let mut token = stored(store).await.unwrap();
    token.expires_at = Some(Timestamp::from_unix_millis(1_000));
    super::save(store, &token).await;
    token
}

/// The stored session is the provider's latest one, and the provider has seen nothing odd.
pub(crate) async fn assert_alive(kit: &Testkit, store: &RedisStore, refreshes: u64) {
    let seen = kit.standard().counters();
    assert_eq!((seen.reuse, seen.families_live), (0, 1), "{seen:?}");
    assert_eq!((seen.refreshes, seen.refresh_ok), (refreshes, refreshes));
    let token = stored(store).await.unwrap();
    assert!(kit.standard().is_live_access(token.access.expose()));
    assert!(!token.may_be_spent());
}
