//! The sessions in the store, by provider.

use llm_auth_core::{DEFAULT_ACCOUNT, OAuthToken};

use crate::providers::ProviderName;
use crate::session::selector::SessionSelector;
use crate::session::stores::{self, SessionStore};

/// Whether the provider has a session, even one that cannot be read.
pub(super) fn any(selector: &SessionSelector, provider: ProviderName) -> bool {
    let Ok(store) = stores::open(selector) else {
        return false;
    };
    match &selector.store {
        Some(_) => of_file(&store, provider).is_some_and(|session| {
            let recorded = session.metadata.provider.as_deref();
            recorded == Some(provider.name())
        }),
        None => provider
            .accounts(&store)
            .stored()
            .is_ok_and(|sessions| !sessions.is_empty()),
    }
}

/// Those that can be read, and that may be the provider's.
pub(super) fn of(selector: &SessionSelector, provider: ProviderName) -> Vec<OAuthToken> {
    let Ok(store) = stores::open(selector) else {
        return Vec::new();
    };
    if selector.store.is_some() {
        // A file of gochat does not say whose it is.
        let session = of_file(&store, provider).filter(|session| {
            let recorded = session.metadata.provider.as_deref();
            recorded.is_none_or(|name| name == provider.name())
        });
        return session.into_iter().collect();
    }
    let keys = provider.accounts(&store).stored().unwrap_or_default();
    let stored = keys.into_iter().map(|key| store.read(&key));
    stored
        .filter_map(|session| session.ok().flatten())
        .collect()
}

/// The one of a store that is a file, whatever its account.
fn of_file(store: &SessionStore, provider: ProviderName) -> Option<OAuthToken> {
    let key = provider.accounts(store).key(DEFAULT_ACCOUNT);
    store.read(&key).ok().flatten()
}
