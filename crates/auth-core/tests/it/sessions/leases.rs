//! Hosts that share a store share the work.

use std::collections::HashMap;
use std::sync::Arc;

use llm_auth_core::store::StoreGuard;
use llm_auth_core::{OAuthToken, Result, SessionChange, SessionKey, TokenStore, async_trait};

use super::{builder, key, let_all_fall_due, vendor};
use crate::support::lease_store::Host;

/// A row with a lease for each account.
#[derive(Clone, Debug)]
struct Rows(Arc<HashMap<SessionKey, Host>>);

#[async_trait]
impl TokenStore for Rows {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        self.0[key].load(key).await
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        self.0[key].lock(key).await
    }

    async fn lock_unless_changed(
        &self,
        key: &SessionKey,
        known: &OAuthToken,
    ) -> Result<Option<Box<dyn StoreGuard>>> {
        self.0[key].lock_unless_changed(key, known).await
    }

    async fn lock_optimistically(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        self.0[key].lock_optimistically(key).await
    }

    fn may_lose_saves(&self) -> bool {
        true
    }

    fn location(&self, _key: &SessionKey) -> String {
        "rows with leases".into()
    }
}

#[tokio::test]
async fn two_hosts_refresh_each_session_once_and_both_have_it() {
    let (vendor, clock) = vendor();
    let rows = (0..50).map(|account| {
        let mut token = vendor.session();
        token.metadata.account = Some(account.to_string());
        (key(account), Host::holding(token))
    });
    let rows = Rows(Arc::new(rows.collect()));
    let host = || {
        builder(&vendor, &clock)
            .store(rows.clone())
            .build()
            .unwrap()
    };
    let hosts = [host(), host()];
    let mut watches = Vec::new();
    for sessions in &hosts {
        for account in 0..50 {
            let manager = sessions.get(&key(account)).unwrap();
            manager.load().await.unwrap();
            watches.push(manager.watch());
        }
    }
    for sessions in &hosts {
        sessions.check_clock();
    }
    let_all_fall_due(&hosts[0], &clock);
    hosts[1].check_clock();
    for watch in &mut watches {
        let change = watch.changed().await;
        assert!(
            matches!(
                change,
                Some(SessionChange::Refreshed(_) | SessionChange::Reloaded(_))
            ),
            "{change:?}"
        );
    }
    let received = vendor.received();
    for account in 0..50 {
        assert_eq!(received.of(&account.to_string()), 1, "account {account}");
    }
}
