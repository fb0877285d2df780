//! The service's own tables: browsers, sign-ins that have begun, and which sessions a user has.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::DbError;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::Failure;

/// For one statement, with the wait for a connection.
const LIMIT: Duration = Duration::from_secs(5);

/// Two processes may start at once.
const SCHEMA: &str = "
    BEGIN;
    SELECT pg_advisory_xact_lock(7310598643141);
    CREATE SCHEMA IF NOT EXISTS service;
    CREATE TABLE IF NOT EXISTS service.browsers (
        id bytea PRIMARY KEY,
        user_id text NOT NULL,
        number bigint GENERATED ALWAYS AS IDENTITY,
        is_used boolean NOT NULL,
        expires timestamptz NOT NULL
    );
    CREATE INDEX IF NOT EXISTS browsers_of_user ON service.browsers (user_id);
    CREATE TABLE IF NOT EXISTS service.sign_ins (
        id bytea PRIMARY KEY,
        browser bytea NOT NULL REFERENCES service.browsers ON DELETE CASCADE,
        account text NOT NULL,
        sealed bytea NOT NULL,
        poll_at timestamptz NOT NULL DEFAULT now(),
        pause float8 NOT NULL DEFAULT 0,
        expires timestamptz NOT NULL
    );
    CREATE INDEX IF NOT EXISTS sign_ins_of_browser ON service.sign_ins (browser);
    CREATE INDEX IF NOT EXISTS sign_ins_expiry ON service.sign_ins (expires);
    CREATE TABLE IF NOT EXISTS service.accounts (
        account text PRIMARY KEY,
        user_id text NOT NULL,
        since timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX IF NOT EXISTS accounts_of_user ON service.accounts (user_id);
    COMMIT;
";

/// A value with its type: nothing is prepared on the connection, so that poolers work.
pub(crate) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

pub(crate) struct Database {
    pool: Pool,
    is_prepared: OnceCell<()>,
}

impl Database {
    /// Without a connection: the database may be away when the service starts.
    pub(crate) fn new(
        url: &str,
        ca: Option<&[u8]>,
        max_connections: usize,
    ) -> Result<Self, Failure> {
        let config = config(url)?;
        let recycling_method = RecyclingMethod::Fast;
        let manager =
            Manager::from_config(config, connector(ca)?, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(max_connections)
            .runtime(Runtime::Tokio1)
            .build()?;
        let is_prepared = OnceCell::new();
        Ok(Self { pool, is_prepared })
    }

    /// Executes a statement, once the tables are there.
    pub(crate) async fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        let work = async {
            let client = self.pool.get().await?;
            let prepared = self.is_prepared.get_or_try_init(|| async {
                let made = client.batch_execute(SCHEMA).await;
                if made.is_err() {
                    // The transaction has failed, and the connection goes back to the pool.
                    client.batch_execute("ROLLBACK").await?;
                }
                made
            });
            prepared.await?;
            Ok::<_, Failure>(client.query_typed(sql, values).await?)
        };
        match timeout(LIMIT, work).await {
            Ok(rows) => rows.map_err(|error| described(&*error).into()),
            Err(_elapsed) => Err("the database has not responded in time".into()),
        }
    }

    pub(crate) async fn is_ready(&self) -> bool {
        match self.query("SELECT 1", &[]).await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, "the database is away");
                false
            }
        }
    }
}

fn config(url: &str) -> Result<Config, Failure> {
    // The parser may quote the password.
    let mut config: Config = url
        .parse()
        .map_err(|_quoting| "the file of DATABASE_URL_FILE holds no URL of Postgres")?;
    config.connect_timeout(LIMIT);
    if config.get_ssl_mode() == SslMode::Prefer {
        // As the store of the sessions: a server on this computer may offer a certificate of its own.
        config.ssl_mode(match is_local(&config) {
            true => SslMode::Disable,
            false => SslMode::Require,
        });
    }
    Ok(config)
}

/// The error with its causes, and what to set if the certificate is not trusted. A detail of the
/// database is left out: it may quote a row.
fn described(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let words = match cause.downcast_ref::<DbError>() {
            Some(database) => format!("SQLSTATE {}", database.code().code()),
            None => cause.to_string(),
        };
        if !text.contains(&words) {
            let mark = if text.is_empty() { "" } else { ": " };
            text.push_str(mark);
            text.push_str(&words);
        }
        next = cause.source();
    }
    if text.contains("TLS") || text.contains("certificate") {
        text.push_str(
            "; name the CA of the server in DATABASE_CA_FILE, or write `?sslmode=disable` behind the URL in \
             the file of DATABASE_URL_FILE if no other computer can read on the way",
        );
    }
    text
}

/// Whether no password crosses a network.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || is_loopback(name),
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

fn is_loopback(name: &str) -> bool {
    name.parse()
        .is_ok_and(|address: IpAddr| address.is_loopback())
}

fn connector(ca: Option<&[u8]>) -> Result<MakeRustlsConnect, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(ca.unwrap_or_default())
        .collect::<Result<_, _>>()
        .map_err(|_unreadable| "the file of DATABASE_CA_FILE is no PEM: correct it")?;
    let verifier = match own.is_empty() {
        true => Verifier::new(Arc::clone(&provider))?,
        false => Verifier::new_with_extra_roots(own, Arc::clone(&provider))?,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        // Verifies certificates: the method is named for verifiers that do not.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_on_this_computer_needs_no_certificate_and_another_one_does() {
        for (url, mode) in [
            ("postgres://u@127.0.0.1/d", SslMode::Disable),
            ("postgres://u@localhost/d?sslmode=require", SslMode::Require),
            ("postgres://u@db.example/d", SslMode::Require),
            (
                "postgres://u@db.example/d?sslmode=disable",
                SslMode::Disable,
            ),
        ] {
            assert_eq!(config(url).unwrap().get_ssl_mode(), mode, "{url}");
        }
    }
}
