//! What operators ask for: which accounts there are, what the server promises, other keys.

use std::fmt;
use std::sync::Arc;

use llm_auth_core::store::{ServerError, ServerFault};
use llm_auth_core::{Error, ErrorKind, Result, SessionKey};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::row::{self, Stored};
use crate::runtime;
use crate::schema;
use crate::shared::Shared;
use crate::statements::DURABLE;
use crate::store::PostgresStore;

/// How many sessions are read at once.
const BATCH: i64 = 100;

/// A server and its tables, for a check of their health; its text is one line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// Without user and password, such as `postgres://db.example:5432/sessions`.
    pub place: String,
    /// The version of Postgres.
    pub server_version: String,
    /// The version of the tables.
    pub schema_version: i64,
    /// Whether the connection is encrypted, and the certificate of the server checked.
    pub uses_tls: bool,
    /// Whether sessions are encrypted with a key of the program.
    pub encrypts: bool,
    /// Whether the server can be written; a standby cannot.
    pub is_primary: bool,
    /// Whether a power cut leaves what was saved.
    pub survives_power_cut: bool,
    /// Whether a failover leaves what was saved: the server waits for a standby.
    pub survives_failover: bool,
    /// How many sessions this tenant has.
    pub sessions: u64,
    /// How many of them are not encrypted with the newest key; zero without encryption.
    pub to_reseal: u64,
    /// How many leases are held.
    pub leases: u64,
    /// How many leases have ended because their holder did not release them.
    pub dead_leases: u64,
    /// How many copies of damaged sessions of this tenant are kept.
    pub damaged: u64,
}

impl PostgresStore {
    /// The accounts of this tenant that have a session, in the order of their names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let store = PostgresStore::builder("postgres://app@localhost/sessions").connect().await?;
    /// assert!(store.accounts().await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn accounts(&self) -> Result<Vec<SessionKey>> {
        self.run(|shared| async move {
            let sql = format!(
                "SELECT provider, account FROM {}.sessions \
                 WHERE tenant = $1 AND sealed IS NOT NULL ORDER BY provider, account",
                shared.schema
            );
            let values: [crate::pool::Value<'_>; 1] = [(&shared.tenant, Type::TEXT)];
            let rows = shared.database.query(&sql, &values).await?;
            rows.iter()
                .map(|row| Ok(SessionKey::new(text(row, 0)?, text(row, 1)?)))
                .collect()
        })
        .await
    }

    /// The server, its tables and what they promise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the server cannot be reached, or its tables cannot be used.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let store = PostgresStore::builder("postgres://app@localhost/sessions").build()?;
    /// println!("{}", store.describe().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn describe(&self) -> Result<Description> {
        self.run(|shared| async move {
            let server = schema::server(&shared.database).await?;
            let schema_version = schema::version(&shared.database, &shared.schema).await?;
            let sql = format!(
                "SELECT count(*) FILTER (WHERE sealed IS NOT NULL), \
                 count(*) FILTER (WHERE sealed IS NOT NULL AND key_id IS DISTINCT FROM $2), \
                 count(*) FILTER (WHERE lease_until > now()), \
                 count(*) FILTER (WHERE lease_until <= now()), \
                 (SELECT count(*) FROM {schema}.damaged WHERE tenant = $1) \
                 FROM {schema}.sessions WHERE tenant = $1",
                schema = shared.schema
            );
            let current = current(&shared);
            let values: [crate::pool::Value<'_>; 2] =
                [(&shared.tenant, Type::TEXT), (&current, Type::TEXT)];
            let rows = shared.database.query(&sql, &values).await?;
            let count = |column: usize| {
                let count = rows
                    .first()
                    .and_then(|row| row.try_get::<_, i64>(column).ok());
                count
                    .and_then(|count| u64::try_from(count).ok())
                    .unwrap_or(0)
            };
            Ok(Description {
                place: shared.database.place.clone(),
                server_version: server.version,
                schema_version,
                uses_tls: shared.database.uses_tls(),
                encrypts: shared.keys.is_some(),
                is_primary: server.is_primary,
                survives_power_cut: server.fsync,
                survives_failover: !server.standbys.trim().is_empty(),
                sessions: count(0),
                to_reseal: if current.is_some() { count(1) } else { 0 },
                leases: count(2),
                dead_leases: count(3),
                damaged: count(4),
            })
        })
        .await
    }

    /// Encrypts the sessions of this tenant with the newest key, and returns how many are left that are
    /// not, because they are in use just now. A session that cannot be read is left as it is, and is the
    /// error that is returned once all others are done. Copies of damaged sessions stay as they are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without keys; [`ErrorKind::Corrupt`]; [`ErrorKind::Store`], also
    /// for a session whose key is not there.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let store = PostgresStore::builder("postgres://app@localhost/sessions").build()?;
    /// assert_eq!(store.reseal().await?, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reseal(&self) -> Result<u64> {
        self.run(|shared| async move {
            let Some(newest) = current(&shared) else {
                let message = "there is no key to encrypt the sessions with: set `sealed_with`";
                return Err(Error::new(ErrorKind::Config, message));
            };
            let mut after = (String::new(), String::new());
            let (mut left, mut unreadable) = (0, None);
            loop {
                let rows = to_reseal(&shared, &newest, &after).await?;
                let Some(last) = rows.last() else { break };
                after = (text(last, 5)?, text(last, 6)?);
                for row in &rows {
                    let key = SessionKey::new(text(row, 5)?, text(row, 6)?);
                    match reseal_one(&shared, &key, row).await {
                        Ok(true) => {}
                        Ok(false) => left += 1,
                        Err(error) => unreadable = Some(error.with_session(&key)),
                    }
                }
            }
            unreadable.map_or(Ok(left), Err)
        })
        .await
    }

    /// Clears the leases of this tenant that have ended because their holder died, and returns how
    /// many there were. They disturb nothing: this is for those who read the table. The rows stay, for
    /// their fencing numbers must not begin again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let store = PostgresStore::builder("postgres://app@localhost/sessions").build()?;
    /// let dead = store.clear_dead_leases().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn clear_dead_leases(&self) -> Result<u64> {
        self.run(|shared| async move {
            let sql = format!(
                "WITH cleared AS (UPDATE {}.sessions SET holder = NULL, lease_until = NULL \
                 WHERE tenant = $1 AND lease_until <= now() RETURNING 1) \
                 SELECT count(*) FROM cleared",
                shared.schema
            );
            let values: [crate::pool::Value<'_>; 1] = [(&shared.tenant, Type::TEXT)];
            let rows = shared.database.query(&sql, &values).await?;
            let count = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok());
            Ok(count
                .and_then(|count| u64::try_from(count).ok())
                .unwrap_or(0))
        })
        .await
    }

    /// Runs work with tables that were found good.
    async fn run<T: Send + 'static, F>(&self, work: impl FnOnce(Arc<Shared>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let work = work(Arc::clone(&shared));
        runtime::run(async move {
            shared.check().await?;
            work.await
        })
        .await
    }
}

/// The id of the newest key.
fn current(shared: &Shared) -> Option<String> {
    let keys = shared.keys.as_ref()?;
    Some(keys.current_id().to_owned())
}

/// Sessions that are not encrypted with the newest key, as [`Stored::read`] wants them, with their
/// names behind.
async fn to_reseal(shared: &Shared, newest: &str, after: &(String, String)) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT sealed, key_id, revision, fence, 0::float8, provider, account FROM {}.sessions \
         WHERE tenant = $1 AND sealed IS NOT NULL AND key_id IS DISTINCT FROM $2 \
         AND (provider, account) > ($3, $4) ORDER BY provider, account LIMIT {BATCH}",
        shared.schema
    );
    let values: [crate::pool::Value<'_>; 4] = [
        (&shared.tenant, Type::TEXT),
        (&newest, Type::TEXT),
        (&after.0, Type::TEXT),
        (&after.1, Type::TEXT),
    ];
    Ok(shared.database.query(&sql, &values).await?)
}

/// Whether the session could be replaced: a holder of a lease, or a save in between, goes first.
async fn reseal_one(shared: &Shared, key: &SessionKey, row: &Row) -> Result<bool> {
    let stored = Stored::read(row)?;
    let Some(session) = shared.session(key, &stored)? else {
        return Ok(true);
    };
    let sealed = row::sealed(&session, shared.keys.as_ref(), &shared.tenant, key)?;
    let sql = format!(
        "{DURABLE} UPDATE {}.sessions SET sealed = $4, key_id = $5 FROM durable \
         WHERE durable.setting IS NOT NULL AND tenant = $1 AND provider = $2 AND account = $3 \
         AND revision = $6 AND sealed = $7 \
         AND (lease_until IS NULL OR lease_until <= now()) RETURNING 1",
        shared.schema
    );
    let (provider, account, bytes) = (key.provider(), key.account(), sealed.bytes.as_slice());
    let before: Option<&[u8]> = row.try_get(0).ok().flatten();
    let values: [crate::pool::Value<'_>; 7] = [
        (&shared.tenant, Type::TEXT),
        (&provider, Type::TEXT),
        (&account, Type::TEXT),
        (&bytes, Type::BYTEA),
        (&sealed.key, Type::TEXT),
        (&stored.revision, Type::INT8),
        (&before, Type::BYTEA),
    ];
    Ok(!shared.database.query(&sql, &values).await?.is_empty())
}

fn text(row: &Row, column: usize) -> Result<String> {
    row.try_get(column).map_err(|_source| {
        let what = "a column of the sessions has another type: it was changed by hand";
        ServerError::new(ServerFault::Tables, what).into_error("restore it")
    })
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            server_version,
            schema_version,
            sessions,
            ..
        } = self;
        write!(
            f,
            "{place}: Postgres {server_version}, tables of version {schema_version}, "
        )?;
        write!(f, "{sessions} sessions")?;
        let promises = [
            (self.uses_tls, "", "no TLS"),
            (self.encrypts, "", "sessions not encrypted"),
            (self.is_primary, "", "read-only"),
            (self.survives_power_cut, "", "a power cut may lose sessions"),
            (
                self.survives_failover,
                "a standby has each save",
                "a failover may lose the last saves",
            ),
        ];
        for (is_so, yes, no) in promises {
            match if is_so { yes } else { no } {
                "" => {}
                words => write!(f, "; {words}")?,
            }
        }
        if self.to_reseal > 0 {
            write!(f, "; {} sessions have an older key", self.to_reseal)?;
        }
        if self.damaged > 0 {
            write!(f, "; copies of damaged sessions: {}", self.damaged)?;
        }
        Ok(())
    }
}
