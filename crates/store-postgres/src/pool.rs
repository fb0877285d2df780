//! Connections, and statements on them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use llm_auth_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::errors::{self, Failure};

/// The pauses before a statement is tried again after its connection broke.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// A value of a statement, with its type: so the server is not asked for it, and no prepared
/// statement stays on the connection, which a pooler may give to another program.
pub(crate) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

pub(crate) struct Database {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    max_connections: usize,
    /// For one statement, with the wait for a connection.
    pub(crate) limit: Duration,
    /// In words, for messages.
    pub(crate) place: String,
    /// With its process: a forked child must not use its parent's connections.
    pool: Mutex<Option<(u32, Pool)>>,
}

impl Database {
    pub(crate) fn new(
        config: Config,
        tls: Option<MakeRustlsConnect>,
        max_connections: usize,
        limit: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            place: crate::url::place(&config),
            config,
            tls,
            max_connections,
            limit,
            pool: Mutex::new(None),
        })
    }

    /// Whether no other computer can read what is sent.
    pub(crate) fn is_private(&self) -> bool {
        self.uses_tls() || crate::url::is_local(&self.config)
    }

    pub(crate) fn uses_tls(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }

    /// Executes one statement, which is one transaction and one round trip, and may be executed
    /// more than once.
    pub(crate) async fn query(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> std::result::Result<Vec<Row>, Failure> {
        let until = Instant::now() + self.limit;
        let mut outcome = self.query_once(sql, values, until).await;
        for pause in PAUSES {
            match &outcome {
                Err(failure) if failure.may_repeat => {}
                _ => break,
            }
            sleep(pause).await;
            outcome = self.query_once(sql, values, until).await;
        }
        outcome
    }

    async fn query_once(
        &self,
        sql: &str,
        values: &[Value<'_>],
        until: Instant,
    ) -> std::result::Result<Vec<Row>, Failure> {
        let connection = self.connection(until).await?;
        match timeout_at(until, connection.query_typed(sql, values)).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => {
                let failure = errors::of_database(&error, &self.place);
                if failure.may_repeat {
                    // A pooler may keep a connection open whose server is gone.
                    drop(Object::take(connection));
                }
                Err(failure)
            }
            Err(_elapsed) => {
                // Its response may still come.
                drop(Object::take(connection));
                Err(errors::too_late(&self.place, self.limit))
            }
        }
    }

    /// A connection for a transaction of several statements.
    pub(crate) async fn connection(&self, until: Instant) -> std::result::Result<Object, Failure> {
        let pool = self.pool().map_err(|error| Failure {
            error,
            may_repeat: false,
            code: None,
        })?;
        match timeout_at(until, pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(errors::of_pool(&error, &self.place, self.limit)),
            Err(_elapsed) => Err(errors::too_late(&self.place, self.limit)),
        }
    }

    fn pool(&self) -> Result<Pool> {
        let process = std::process::id();
        let mut current = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, pool)) = current.as_ref()
            && *of == process
        {
            return Ok(pool.clone());
        }
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let config = self.config.clone();
        let manager = match &self.tls {
            Some(tls) => Manager::from_config(config, tls.clone(), recycling),
            None => Manager::from_config(config, NoTls, recycling),
        };
        let pool = Pool::builder(manager)
            .max_size(self.max_connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(self.limit))
            .create_timeout(Some(self.limit))
            .recycle_timeout(Some(self.limit))
            .build()
            .map_err(|_source| Error::new(ErrorKind::System, "cannot make a pool"))?;
        // The parent goes on with its connections, so the child must not end them.
        std::mem::forget(current.replace((process, pool.clone())));
        Ok(pool)
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("place", &self.place)
            .field("uses_tls", &self.uses_tls())
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
