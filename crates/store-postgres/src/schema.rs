//! The tables, their versions, and what the server promises about them.

use std::time::Duration;

use llm_auth_core::store::ServerFault;
use llm_auth_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::Type;

use crate::errors::{self, wrong};
use crate::pool::Database;

/// Each brings the tables to the next version. `{schema}` stands for the quoted name.
///
/// `sealed` is the session with its records, encrypted if `key_id` names a key; null is a session that
/// was signed out. A row is never removed: its fencing number would begin again, and a holder that
/// slept would match. `revision` is another random number after each change of the tokens.
///
/// `damaged` has copies of what could not be read when it was replaced or removed, as it was. An
/// identity needs no permission on a sequence. It may be there already beside an older version, if a
/// backup of the sessions was restored.
const MIGRATIONS: [&str; 2] = [
    "CREATE TABLE {schema}.sessions (
    tenant text NOT NULL,
    provider text NOT NULL,
    account text NOT NULL,
    sealed bytea,
    key_id text,
    revision bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    holder bytea,
    lease_until timestamptz,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, provider, account)
) WITH (fillfactor = 70)",
    "CREATE TABLE IF NOT EXISTS {schema}.damaged (
    tenant text NOT NULL,
    provider text NOT NULL,
    account text NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    sealed bytea NOT NULL,
    key_id text,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, provider, account, number)
)",
];

/// The tables that are used, with all their columns.
const TABLES: [(&str, &str); 2] = [
    (
        "sessions",
        "tenant, provider, account, sealed, key_id, revision, fence, holder, lease_until, changed_at",
    ),
    (
        "damaged",
        "tenant, provider, account, number, sealed, key_id, kept_at",
    ),
];

/// The version that this program makes and uses.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// How long a migration waits for another one.
const MIGRATION_LIMIT: Duration = Duration::from_secs(60);

/// What the server says about itself.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) version: String,
    pub(crate) is_primary: bool,
    pub(crate) fsync: bool,
    pub(crate) standbys: String,
}

/// The name of the schema of the database, quoted.
pub(crate) fn quoted(name: &str) -> Result<String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if !begins || name.len() > 63 || !name.chars().all(is_plain) {
        let message = "a schema's name has up to 63 lower-case letters, digits and `_`, and begins \
                       with no digit";
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(format!("\"{name}\""))
}

pub(crate) async fn server(database: &Database) -> Result<Server> {
    let sql = "SELECT current_setting('server_version'), NOT pg_is_in_recovery(), \
               current_setting('fsync')::bool, current_setting('synchronous_standby_names')";
    let rows = database.query(sql, &[]).await?;
    let row = rows.first().ok_or_else(|| no_row(database))?;
    let unreadable = |_source| no_row(database);
    Ok(Server {
        version: errors::shown(row.try_get(0).map_err(unreadable)?),
        is_primary: row.try_get(1).map_err(unreadable)?,
        fsync: row.try_get(2).map_err(unreadable)?,
        standbys: errors::shown(row.try_get(3).map_err(unreadable)?),
    })
}

/// The version of the tables; zero if there are none.
pub(crate) async fn version(database: &Database, schema: &str) -> Result<i64> {
    let sql = format!("SELECT version FROM {schema}.version");
    match database.query(&sql, &[]).await {
        Ok(rows) => rows
            .first()
            .and_then(|row| row.try_get(0).ok())
            .ok_or_else(|| unreadable_version(database)),
        Err(failure) if failure.code.as_ref().is_some_and(is_missing) => Ok(0),
        Err(failure) => Err(failure.error),
    }
}

/// Refuses tables of a later version of this program, whose meaning is unknown here.
pub(crate) fn check_version(database: &Database, found: i64) -> Result<()> {
    let place = &database.place;
    if found > VERSION {
        let what =
            format!("the tables have version {found}, and this program knows version {VERSION}");
        let advice = "update this program";
        return Err(wrong(place, ServerFault::NewerFormat, &what, advice));
    }
    if found < VERSION {
        let what =
            format!("the tables have version {found}, and this program needs version {VERSION}");
        let advice = "call `PostgresStore::migrate` as a user who may create tables";
        return Err(wrong(place, ServerFault::OlderTables, &what, advice));
    }
    Ok(())
}

/// Refuses a table that lacks a column, or that a crash of the server empties, and a user who may not
/// keep copies: without this, the end of a sign-in would be the first to notice.
pub(crate) async fn check_tables(database: &Database, schema: &str) -> Result<()> {
    for (table, columns) in TABLES {
        let name = format!("{schema}.{table}");
        let sql = format!(
            "SELECT (SELECT relpersistence::text FROM pg_catalog.pg_class \
             WHERE oid = '{name}'::regclass), \
             '{table}' = 'sessions' OR (has_table_privilege('{name}', 'INSERT') \
             AND has_table_privilege('{name}', 'DELETE')) FROM (SELECT 1) AS one LEFT JOIN \
             (SELECT {columns} FROM {name} LIMIT 0) AS columns ON true"
        );
        let rows = database.query(&sql, &[]).await?;
        let row = rows.first();
        let persistence: Option<&str> = row.and_then(|row| row.try_get(0).ok());
        let place = &database.place;
        let error = match row.and_then(|row| row.try_get(1).ok()) {
            _ if persistence != Some("p") => wrong(
                place,
                ServerFault::NotDurable,
                &format!(
                    "the table {name} is unlogged, so that a crash of the server empties it: \
                     `ALTER TABLE {name} SET LOGGED`"
                ),
                "",
            ),
            Some(true) => continue,
            _ => wrong(
                place,
                ServerFault::Permission,
                &format!(
                    "the user of the database lacks a permission on {name}, which keeps what is damaged: \
                     grant SELECT, INSERT and DELETE"
                ),
                "",
            ),
        };
        return Err(error);
    }
    Ok(())
}

/// Makes the tables, or brings them to the newest version, under a lock of the database.
pub(crate) async fn migrate(database: &Database, name: &str, schema: &str) -> Result<()> {
    let until = Instant::now() + MIGRATION_LIMIT;
    let mut connection = database.connection(until).await?;
    let failed = |error: tokio_postgres::Error| errors::of_database(&error, &database.place).error;
    let work = async {
        let transaction = connection.transaction().await.map_err(failed)?;
        // Of the transaction, so that a pooler does not keep it.
        let lock = "SELECT 1 FROM pg_advisory_xact_lock(hashtextextended('llm-auth ' || $1, 0))";
        let named: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 1] = [(&name, Type::TEXT)];
        transaction
            .query_typed(lock, &named)
            .await
            .map_err(failed)?;
        let exists = "SELECT to_regnamespace($1) IS NOT NULL, \
                      to_regclass($1 || '.version') IS NOT NULL";
        let row = transaction
            .query_typed_one(exists, &named)
            .await
            .map_err(failed)?;
        let mut from = 0_i64;
        if row.get::<_, bool>(1) {
            let sql = format!("SELECT version FROM {schema}.version");
            let row = transaction
                .query_typed_opt(&sql, &[])
                .await
                .map_err(failed)?;
            let row = row.ok_or_else(|| unreadable_version(database))?;
            from = row.get(0);
        } else {
            if !row.get::<_, bool>(0) {
                let sql = format!("CREATE SCHEMA {schema}");
                transaction.batch_execute(&sql).await.map_err(failed)?;
            }
            let sql = format!(
                "CREATE TABLE {schema}.version (one_row boolean PRIMARY KEY DEFAULT true \
                 CHECK (one_row), version bigint NOT NULL); \
                 INSERT INTO {schema}.version (version) VALUES (0)"
            );
            transaction.batch_execute(&sql).await.map_err(failed)?;
        }
        let missing = MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0));
        for migration in missing {
            let sql = migration.replace("{schema}", schema);
            transaction.batch_execute(&sql).await.map_err(failed)?;
        }
        if from < VERSION {
            let sql = format!("UPDATE {schema}.version SET version = {VERSION}");
            transaction.batch_execute(&sql).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    };
    timeout_at(until, work)
        .await
        .map_err(|_elapsed| errors::too_late(&database.place, MIGRATION_LIMIT).error)?
}

fn is_missing(code: &tokio_postgres::error::SqlState) -> bool {
    ["42P01", "3F000"].contains(&code.code())
}

fn no_row(database: &Database) -> Error {
    let what = "the server does not describe itself as Postgres does";
    wrong(&database.place, ServerFault::Other, what, "")
}

fn unreadable_version(database: &Database) -> Error {
    let what = "the version of the tables cannot be read: it was changed by hand";
    wrong(&database.place, ServerFault::Tables, what, "restore it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_named_by_plain_letters() {
        assert_eq!(quoted("llm_auth").unwrap(), "\"llm_auth\"");
        for name in ["", "a b", "a\"b", "A", "1a", "a.b", "ä", &"a".repeat(64)] {
            assert_eq!(
                quoted(name).unwrap_err().kind(),
                ErrorKind::Config,
                "{name}"
            );
        }
    }
}
