//! llm-auth, with the Qwen provider.

use std::hint::black_box;
use std::path::Path;

use llm_auth_core::TokenStore as _;
use llm_auth_qwen::{
    AuthManager, Error, FileTokenStore, HttpClient, MemoryTokenStore, OAuthToken, QwenProvider,
};

use crate::Result;
use crate::peer::{Ended, Peer};
use crate::tokens::{self, Expiry};

/// The owned form: an `Arc` of the session.
#[derive(Clone, Debug)]
pub struct Ours(pub AuthManager);

impl Peer for Ours {
    async fn token(&self) -> Ended {
        match self.0.token().await {
            Ok(token) => {
                black_box(token.access.expose());
                Ended::Token
            }
            Err(error) => ended(&error),
        }
    }
}

/// The borrowed form: a look at the session without owning it.
#[derive(Clone, Debug)]
pub struct OursBorrowed(pub AuthManager);

impl Peer for OursBorrowed {
    async fn token(&self) -> Ended {
        let looked = self.0.with_fresh(|token| {
            black_box(token.access.expose());
        });
        match looked {
            Some(()) => Ended::Token,
            None => Ended::Later,
        }
    }
}

pub fn provider(base_url: &str) -> Result<QwenProvider> {
    let http = HttpClient::builder().build()?;
    Ok(QwenProvider::builder()
        .base_url(base_url)?
        // The sessions here record no server.
        .trust_endpoint(base_url.parse()?)
        .http(http)
        .build())
}

pub fn session(family: u64, expiry: Expiry) -> Result<OAuthToken> {
    Ok(serde_json::from_value(tokens::our_file(family, expiry))?)
}

pub async fn in_memory(provider: QwenProvider, family: u64, expiry: Expiry) -> Result<Ours> {
    let store = MemoryTokenStore::new();
    let builder = AuthManager::builder(provider);
    let manager = builder.store(store.clone()).build();
    let mut guard = store.lock(manager.key()).await?;
    guard.save(&session(family, expiry)?).await?;
    drop(guard);
    manager.load().await?;
    Ok(Ours(manager))
}

pub fn on_disk(base_url: &str, path: &Path) -> Result<Ours> {
    Ok(in_file(provider(base_url)?, path))
}

pub fn in_file(provider: QwenProvider, path: &Path) -> Ours {
    let builder = AuthManager::builder(provider);
    Ours(builder.store(FileTokenStore::file(path)).build())
}

fn ended(error: &Error) -> Ended {
    if error.needs_login() {
        Ended::Login
    } else if error.is_transient() {
        Ended::Later
    } else {
        Ended::Failed
    }
}
