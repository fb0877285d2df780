//! The settings of a store.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{Error, ErrorKind, Result};
use llm_auth_sealing::SealingKeys;
use tokio_postgres::config::SslMode;

use crate::pool::Database;
use crate::shared::Shared;
use crate::store::PostgresStore;
use crate::{runtime, schema, tls, url};

/// The settings of a [`PostgresStore`], from [`PostgresStore::builder`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_store_postgres::PostgresStore;
///
/// # fn main() -> llm_auth_core::Result<()> {
/// let store = PostgresStore::builder("postgres://app@localhost/sessions")
///     .tenant("customer-17")
///     .max_connections(4)
///     .time_limit(Duration::from_secs(5))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "no store is made before `build` or `connect`"]
pub struct PostgresStoreBuilder {
    url: String,
    root_certificates: Vec<Vec<u8>>,
    schema: String,
    tenant: String,
    keys: Option<SealingKeys>,
    max_connections: usize,
    time_limit: Duration,
    lease: Duration,
    patience: Duration,
    migrates: bool,
    accepts_fsync_off: bool,
}

impl PostgresStoreBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            root_certificates: Vec::new(),
            schema: "llm_auth".to_owned(),
            tenant: String::new(),
            keys: None,
            max_connections: 8,
            time_limit: Duration::from_secs(10),
            lease: Duration::from_secs(30),
            patience: Duration::from_secs(60),
            migrates: true,
            accepts_fsync_off: false,
        }
    }

    /// Trusts the CA certificates of a PEM file too, as `sslrootcert` of other programs.
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        self.root_certificates.push(pem.to_vec());
        self
    }

    /// The schema of the database that the tables are in. Default: `llm_auth`.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Whose sessions these are: stores of one database with other tenants do not see them. Default:
    /// the empty text.
    pub fn tenant(mut self, name: impl Into<String>) -> Self {
        self.tenant = name.into();
        self
    }

    /// Encrypts the sessions. The provider, the account and the times stay in clear. Default: sessions
    /// are stored as JSON, which the database, its backups and its replication then contain.
    pub fn sealed_with(mut self, keys: SealingKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// How many connections there are at most. Each is in use for one statement at a time, not for a
    /// refresh. Default: 8.
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// How long a statement may take, with the wait for a connection. Default: 10 s.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How long a lease lasts for one request. Default: 30 s, 10 s more than a request of
    /// [`HttpClient`](llm_auth_core::HttpClient) takes at most. With a lease shorter than the time limit
    /// of the request, no refresh is sent. If its holder dies, the next process refreshes the
    /// session when the lease is over.
    pub fn lease(mut self, length: Duration) -> Self {
        self.lease = length;
        self
    }

    /// How long a caller waits while another process refreshes the session, before it gets an error
    /// of the kind [`ErrorKind::StoreBusy`]. Default: 60 s, twice as long as a dead holder's lease.
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Whether the first use makes the tables, or brings them to the version of this program.
    /// Default: true. Without it, [`PostgresStore::migrate`] must be called as a user who may.
    pub fn migrates(mut self, migrates: bool) -> Self {
        self.migrates = migrates;
        self
    }

    /// Uses a server whose `fsync` is off, so that a power cut may lose every session. Default: such a
    /// server is an error.
    pub fn accept_fsync_off(mut self) -> Self {
        self.accepts_fsync_off = true;
        self
    }

    /// The store, which connects at its first use.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a URL, a schema or certificates that cannot be used;
    /// [`ErrorKind::System`] if TLS cannot be prepared.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ErrorKind;
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// let error = PostgresStore::builder("https://db.example").build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// ```
    pub fn build(self) -> Result<PostgresStore> {
        let config = url::parse(&self.url)?;
        let schema = schema::quoted(&self.schema)?;
        if self.tenant.contains('\0') {
            let message = "the tenant has a character that Postgres cannot store (NUL)";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if self.max_connections == 0 {
            let message = "`max_connections` is zero: allow one connection at least";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut certificates = Vec::new();
        for pem in &self.root_certificates {
            certificates.extend(tls::certificates(pem)?);
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some(tls::connector(&certificates)?),
        };
        let database = Database::new(config, tls, self.max_connections, self.time_limit);
        Ok(PostgresStore {
            shared: Arc::new(Shared::new(
                database,
                self.keys,
                self.tenant,
                self.schema,
                schema,
                self.migrates,
                self.accepts_fsync_off,
                self.lease,
                self.patience,
            )),
        })
    }

    /// The store, once it has found the server and its tables good.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); [`ErrorKind::Store`] if the server cannot be reached, if it may lose
    /// what it has confirmed, or if its tables are of a later version or were changed by hand.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let url = "postgres://app:made-up@db.example/sessions";
    /// let store = PostgresStore::builder(url).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(self) -> Result<PostgresStore> {
        let store = self.build()?;
        let shared = Arc::clone(&store.shared);
        runtime::run(async move { shared.check().await.map(drop) }).await?;
        Ok(store)
    }
}

impl std::fmt::Debug for PostgresStoreBuilder {
    /// Without the URL, which may have a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStoreBuilder")
            .field("schema", &self.schema)
            .field("tenant", &self.tenant)
            .field("keys", &self.keys)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
