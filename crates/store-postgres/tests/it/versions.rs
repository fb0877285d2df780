//! Tables of an older version are brought to the newest, with their sessions.

use llm_auth_core::{ErrorKind, TokenStore as _};

use crate::cluster::{self, Place};
use crate::support::{key, session};

/// As version 1 made them.
const VERSION_1: &str = "CREATE SCHEMA {};
CREATE TABLE {}.version (one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row), version bigint NOT NULL);
INSERT INTO {}.version (version) VALUES (1);
CREATE TABLE {}.sessions (
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
) WITH (fillfactor = 70)";

/// A database of version 1 in which a process refreshes a session just now.
fn version_1() -> Option<Place> {
    let place = cluster::shared()?;
    place.sql(VERSION_1);
    let stored = session(1).to_json().unwrap();
    place.sql(&format!(
        "INSERT INTO {{}}.sessions (tenant, provider, account, sealed, revision, fence, holder, \
         lease_until) VALUES ('', 'standard', 'a', '{json}', 7, 3, 'made up', \
         now() + interval '1 hour'), ('', 'standard', 'b', '{json}', 8, 4, NULL, NULL)",
        json = stored.expose()
    ));
    Some(place)
}

#[tokio::test]
async fn stores_that_migrate_at_once_leave_the_sessions_and_the_leases() {
    let Some(place) = version_1() else {
        return;
    };
    let rows = "SELECT s::text FROM {}.sessions AS s ORDER BY account";
    let before = place.sql(rows);
    let opening: Vec<_> = (0..8)
        .map(|_| tokio::spawn(place.builder().max_connections(1).connect()))
        .collect();
    for one in opening {
        let store = one.await.unwrap().unwrap();
        let found = store.load(&key("a")).await.unwrap().unwrap();
        assert!(found.has_same_tokens(&session(1)));
    }
    assert_eq!(place.sql("SELECT version FROM {}.version"), ["2"]);
    assert_eq!(place.sql(rows), before);
    let mut guard = place.store().lock(&key("b")).await.unwrap();
    guard.finish(&session(2)).await.unwrap();
    assert_eq!(place.sql("SELECT max(fence) FROM {}.sessions"), ["5"]);
}

#[tokio::test]
async fn a_program_that_may_not_migrate_says_which_version_it_needs() {
    let Some(place) = version_1() else {
        return;
    };
    let error = place.builder().migrates(false).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    let error = error.to_string();
    assert!(
        error.contains("have version 1, and this program needs version 2"),
        "{error}"
    );
    assert_eq!(place.sql("SELECT version FROM {}.version"), ["1"]);
}

#[tokio::test]
async fn a_backup_of_version_1_that_is_restored_beside_copies_is_migrated_again() {
    let Some(place) = version_1() else {
        return;
    };
    place.store().migrate().await.unwrap();
    place.sql(
        "INSERT INTO {}.damaged (tenant, provider, account, sealed) \
         VALUES ('', 'standard', 'a', 'made-up'); UPDATE {}.version SET version = 1",
    );
    let store = place.builder().connect().await.unwrap();
    let described = store.describe().await.unwrap();
    assert_eq!((described.schema_version, described.damaged), (2, 1));
}
