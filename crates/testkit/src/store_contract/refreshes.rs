//! Managers that share the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use llm_auth_core::{
    AuthManager, AuthProvider, ErrorKind, OAuthToken, Revocation, SessionKey, Timestamp,
    TokenStore, UserPrompt, async_trait,
};

use super::handles::{Handles, PROVIDER, joined, key, load, save, session};
use crate::conformance::{ensure, expect};

type Outcome = Result<(), String>;

/// A vendor that rotates the refresh token and counts.
#[derive(Clone, Debug, Default)]
struct Vendor(Arc<AtomicUsize>);

#[async_trait]
impl AuthProvider for Vendor {
    fn name(&self) -> &str {
        PROVIDER
    }

    async fn authenticate(&self, _prompt: &dyn UserPrompt) -> llm_auth_core::Result<OAuthToken> {
        Ok(session(1))
    }

    async fn refresh(&self, _current: &OAuthToken) -> llm_auth_core::Result<OAuthToken> {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(session(before + 2))
    }

    async fn revoke(&self, _token: &OAuthToken) -> llm_auth_core::Result<Revocation> {
        Ok(Revocation::Confirmed)
    }
}

fn manager(vendor: &Vendor, store: &Arc<dyn TokenStore>, key: &SessionKey) -> AuthManager {
    AuthManager::builder(vendor.clone())
        .store(Arc::clone(store))
        .account(key.account())
        .build()
}

fn expired() -> OAuthToken {
    let mut token = session(1);
    token.expires_at = Some(Timestamp::from_unix_millis(1_000));
    token
}

pub(super) async fn one(handles: &Handles) -> Outcome {
    let ((first, second), key, vendor) = (handles.two()?, key("refreshed"), Vendor::default());
    save(&first, &key, &expired()).await?;
    let mut tasks = Vec::new();
    for number in 0..20 {
        let store = if number % 2 == 0 { &first } else { &second };
        // Of another process each.
        let manager = manager(&vendor, store, &key);
        tasks.push(tokio::spawn(async move {
            let token = expect("`token()`", manager.token().await)?;
            Ok(token.access.expose().to_owned())
        }));
    }
    for task in tasks {
        let access = joined(task.await)?;
        ensure(access == session(2).access.expose(), || {
            "a manager returned another token than that of the one refresh".into()
        })?;
    }
    let refreshes = vendor.0.load(Ordering::SeqCst);
    ensure(refreshes == 1, || {
        format!("20 managers sent {refreshes} refreshes")
    })?;
    let found = load(&second, &key).await?;
    let is_stored =
        found.is_some_and(|found| found.has_same_tokens(&session(2)) && !found.may_be_spent());
    ensure(is_stored, || {
        "the successor is not stored as it was issued".into()
    })
}

pub(super) async fn sign_out(handles: &Handles) -> Outcome {
    let ((first, second), key, vendor) = (handles.two()?, key("signed-out"), Vendor::default());
    let (one, two) = (
        manager(&vendor, &first, &key),
        manager(&vendor, &second, &key),
    );
    expect("`insert_session()`", one.insert_session(expired()).await)?;
    expect("`token()`", two.token().await)?;
    let signed_out = expect("`logout()`", one.logout().await)?;
    ensure(signed_out.was_signed_in, || {
        "the session was not there to be signed out".into()
    })?;
    let kind = match manager(&vendor, &second, &key).token().await {
        Ok(_) => return Err("a session is used after its sign-out".into()),
        Err(error) => error.kind(),
    };
    ensure(kind == ErrorKind::NotSignedIn, || {
        format!("a session that was signed out is an error of the kind {kind:?}")
    })?;
    expect("a second sign-in", two.insert_session(session(7)).await)?;
    let token = expect("`token()`", one.load().await)?;
    let is_new = token.is_some_and(|token| token.access == session(7).access);
    ensure(is_new, || {
        "another manager does not find the second sign-in".into()
    })
}
