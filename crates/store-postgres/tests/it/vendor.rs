//! The strict authorization server of the testkit, and its client.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::provider::{Client, DeviceFlow, Flow, OAuthConfig};
use llm_auth_core::{
    AuthManager, AuthProvider, LoginEvent, OAuthProvider, OAuthToken, ProviderSpec as _,
    Revocation, SecureUrl, Timestamp, TokenStore, UserPrompt, async_trait,
};
use llm_auth_testkit::{Approval, Testkit, immediate_polls};

/// A second use of a refresh token ends its session there.
#[derive(Debug)]
pub(crate) struct Vendor {
    pub(crate) kit: Testkit,
}

impl Vendor {
    pub(crate) async fn start() -> Self {
        let kit = Testkit::builder()
            .approval(Approval::Auto)
            .interval(Duration::from_millis(1));
        Self {
            kit: kit.start().await.unwrap(),
        }
    }

    pub(crate) fn provider(&self) -> OAuthProvider<OAuthConfig> {
        provider(self.kit.base_url())
    }

    pub(crate) fn manager(&self, store: impl TokenStore + 'static, account: &str) -> AuthManager {
        manager(self.provider(), store, account)
    }

    /// A new session whose access token is over.
    pub(crate) async fn expired_session(&self) -> OAuthToken {
        let prompt = |_: &LoginEvent<'_>| {};
        let mut session = self.provider().authenticate(&prompt).await.unwrap();
        session.expires_at = Some(Timestamp::from_unix_millis(1_000));
        session
    }

    /// Stores a session whose access token is over.
    pub(crate) async fn sign_in(&self, store: impl TokenStore + 'static, account: &str) {
        let session = self.expired_session().await;
        let manager = self.manager(store, account);
        manager.insert_session(session).await.unwrap();
    }

    /// How many refreshes there were, if none was against the rules.
    pub(crate) fn refreshes(&self) -> u64 {
        let server = self.kit.standard();
        assert_eq!(server.violations(), Vec::<String>::new());
        assert_eq!(server.counters().reuse, 0);
        server.counters().refreshes
    }
}

pub(crate) fn provider(base: &str) -> OAuthProvider<OAuthConfig> {
    let at = |path: &str| SecureUrl::new(&format!("{base}/standard/{path}")).unwrap();
    let mut config = OAuthConfig::new("standard", at("token"));
    config.endpoints.device_authorization = Some(at("device/code"));
    config.endpoints.revocation = Some(at("revoke"));
    config.client = Client::known("testkit-client");
    config.flows = vec![Flow::Device(DeviceFlow::default())];
    config.builder().schedule(immediate_polls()).build()
}

pub(crate) fn manager(
    provider: impl AuthProvider + 'static,
    store: impl TokenStore + 'static,
    account: &str,
) -> AuthManager {
    AuthManager::builder(provider)
        .store(store)
        .account(account)
        .build()
}

/// A provider that does something once the server has spent a refresh token.
pub(crate) struct Interrupted<P> {
    pub(crate) inner: P,
    pub(crate) then: Arc<dyn Fn() + Send + Sync>,
}

impl<P> std::fmt::Debug for Interrupted<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupted").finish_non_exhaustive()
    }
}

#[async_trait]
impl<P: AuthProvider> AuthProvider for Interrupted<P> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn authenticate(&self, prompt: &dyn UserPrompt) -> llm_auth_core::Result<OAuthToken> {
        self.inner.authenticate(prompt).await
    }

    async fn refresh(&self, current: &OAuthToken) -> llm_auth_core::Result<OAuthToken> {
        let refreshed = self.inner.refresh(current).await;
        (self.then)();
        refreshed
    }

    async fn revoke(&self, token: &OAuthToken) -> llm_auth_core::Result<Revocation> {
        self.inner.revoke(token).await
    }
}
