//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use llm_auth_core::provider::OAuthConfig;
use llm_auth_core::{OAuthProvider, ProviderSpec as _, SecureUrl, SessionKey, Sessions};
use llm_auth_store_postgres::PostgresStore;

use crate::clients::Clients;
use crate::config::{Config, Failure};
use crate::database::Database;
use crate::keys::Keys;
use crate::work::Work;

#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) database: Database,
    pub(crate) keys: Keys,
    pub(crate) provider: OAuthProvider<OAuthConfig>,
    pub(crate) sessions: Sessions,
    pub(crate) clients: Clients,
    pub(crate) model: String,
    pub(crate) public_url: SecureUrl,
    pub(crate) work: Work,
    /// Whether load balancers are to send requests elsewhere.
    is_draining: AtomicBool,
}

impl App {
    pub(crate) fn new(config: Config) -> Result<Self, Failure> {
        let provider = config.provider.provider();
        let store = PostgresStore::builder(&config.database_url)
            .sealed_with(config.keys.of_sessions())
            .max_connections(config.max_connections);
        let store = match &config.database_ca {
            Some(ca) => store.root_certificates(ca),
            None => store,
        };
        let store = store.build().map_err(|error| {
            // Its messages quote nothing of the URL.
            format!("DATABASE_URL_FILE, DATABASE_CA_FILE or ENCRYPTION_KEY_FILE: {error}")
        })?;
        let sessions = Sessions::builder()
            .provider(provider.clone())
            .store(store)
            .build()?;
        let ca = config.database_ca.as_deref();
        Ok(Self(Arc::new(Shared {
            database: Database::new(&config.database_url, ca, config.max_connections)?,
            keys: config.keys,
            clients: Clients::new()?,
            provider,
            sessions,
            model: config.model,
            public_url: config.public_url,
            work: Work::new(config.max_clients, config.reading),
            is_draining: AtomicBool::new(false),
        })))
    }

    /// A browser sends a cookie with `__Host-` to this host alone, and no other host can set it.
    pub(crate) fn cookie_name(&self) -> &'static str {
        match self.is_https() {
            true => "__Host-llm-auth-example",
            false => "llm-auth-example",
        }
    }

    /// Whether browsers come by HTTPS: everywhere but on this computer.
    pub(crate) fn is_https(&self) -> bool {
        self.public_url.as_str().starts_with("https:")
    }

    pub(crate) fn callback(&self) -> Result<SecureUrl, Failure> {
        Ok(self.public_url.join("/callback")?)
    }

    /// The session of an account, which is a random name.
    pub(crate) fn key(&self, account: &str) -> SessionKey {
        SessionKey::new(&*self.provider.config().name, account)
    }

    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    /// Stores what the refreshes in progress return.
    pub(crate) async fn end(&self, limit: Duration) {
        if let Err(error) = self.sessions.shutdown(limit).await {
            tracing::error!(%error, "not everything is finished");
        }
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
