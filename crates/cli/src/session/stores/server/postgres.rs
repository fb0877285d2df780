//! Postgres.

use std::sync::Arc;

use llm_auth_core::{Result, SessionKey, TokenStore};
use llm_auth_store_postgres::{PostgresStore, SealingKeys};

use super::spec::{Connection, Spec, Work};

pub(super) fn open(url: &str, spec: &Spec) -> Result<Arc<dyn Connection>> {
    // One command has few callers.
    let mut builder = PostgresStore::builder(url).max_connections(2);
    if let Some(key) = &spec.key {
        builder = builder.sealed_with(SealingKeys::new(&key.name, &key.bytes)?);
    }
    if let Some(wait) = spec.wait {
        builder = builder.patience(wait);
    }
    Ok(Arc::new(builder.build()?))
}

impl Connection for PostgresStore {
    fn store(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.clone())
    }

    fn accounts(&self) -> Work<Vec<SessionKey>> {
        let store = self.clone();
        Box::pin(async move { Self::accounts(&store).await })
    }

    fn description(&self) -> Work<String> {
        let store = self.clone();
        Box::pin(async move { Ok(store.describe().await?.to_string()) })
    }

    fn place(&self) -> String {
        Self::place(self)
    }

    fn location_of_copies(&self, _key: &SessionKey) -> String {
        Self::location_of_copies(self)
    }

    fn is_private(&self) -> bool {
        Self::is_private(self)
    }
}
