//! Round trips, permissions, TLS and the making of the tables.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::store::ServerFault;
use llm_auth_core::{ErrorKind, TokenStore as _};
use llm_auth_store_postgres::PostgresStore;

use crate::cable::Cable;
use crate::cluster;
use crate::support::{fault, key, noted, session};
use crate::vendor::Vendor;

#[tokio::test]
async fn a_holder_needs_three_round_trips_and_an_adopter_one() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let cable = Cable::to(place.port);
    let store = place.at(cable.port).builder().connect().await.unwrap();
    let vendor = Vendor::start().await;
    vendor.sign_in(place.store(), "a").await;
    let before = cable.statements();
    let found = store.load(&key("a")).await.unwrap().unwrap();
    assert_eq!(cable.statements() - before, 1, "a read");

    let before = cable.statements();
    let locked = store.lock_unless_changed(&key("a"), &found).await.unwrap();
    let mut guard = locked.unwrap();
    let found = guard.load().await.unwrap().unwrap();
    guard.prepare(Some(&noted(&found))).await.unwrap();
    guard.finish(&found).await.unwrap();
    guard.release().await;
    assert_eq!(cable.statements() - before, 3, "a holder");

    // A manager looks at the store before it asks for the lock.
    let before = cable.statements();
    vendor.manager(store.clone(), "a").token().await.unwrap();
    assert_eq!(
        cable.statements() - before,
        1 + 3,
        "a manager that refreshes"
    );
    let before = cable.statements();
    vendor.manager(store.clone(), "a").token().await.unwrap();
    assert_eq!(cable.statements() - before, 1, "a manager that adopts");
    assert_eq!(vendor.refreshes(), 1);
}

#[tokio::test]
async fn callers_in_one_process_wait_as_one() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let cable = Cable::to(place.port);
    let store = place.at(cable.port).builder().connect().await.unwrap();
    let store = Arc::new(store);
    let mut held = place.store().lock(&key("a")).await.unwrap();
    held.save(&session(1)).await.unwrap();
    let before = cable.statements();
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let known = session(1);
                store
                    .lock_unless_changed(&key("a"), &known)
                    .await
                    .unwrap()
                    .is_none()
            })
        })
        .collect();
    // The one that waits has looked three times.
    while cable.statements() < before + 3 {
        tokio::task::yield_now().await;
    }
    assert!(cable.statements() < before + 20);
    held.finish(&session(2)).await.unwrap();
    for one in waiting {
        assert!(one.await.unwrap());
    }
}

#[tokio::test]
async fn a_pool_of_one_connection_serves_many_sessions_and_no_lease_holds_it() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let limit = Duration::from_secs(5);
    let store = place.builder().max_connections(1).time_limit(limit);
    let store = store.build().unwrap();
    let mut guards = Vec::new();
    for number in 0..20 {
        guards.push(store.lock(&key(&number.to_string())).await.unwrap());
    }
    for guard in &mut guards {
        guard.finish(&session(1)).await.unwrap();
    }
    assert_eq!(store.accounts().await.unwrap().len(), 20);
}

#[tokio::test]
async fn stores_that_open_at_once_make_the_tables_once() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let opening: Vec<_> = (0..8)
        .map(|_| tokio::spawn(place.builder().max_connections(1).connect()))
        .collect();
    for one in opening {
        one.await.unwrap().unwrap();
    }
    place.store().migrate().await.unwrap();
    assert_eq!(place.sql("SELECT version FROM {}.version"), ["2"]);
}

#[tokio::test]
async fn a_user_without_the_right_to_make_tables_uses_those_of_another_one() {
    let Some(place) = cluster::shared() else {
        return;
    };
    place.sql("CREATE ROLE limited LOGIN");
    let url = place.url().replace("postgres@", "limited@");
    let limited = || PostgresStore::builder(&url).schema(&place.schema);
    let error = limited().connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("lacks a permission"), "{error}");
    let error = limited().migrates(false).connect().await.unwrap_err();
    assert!(
        error.to_string().contains("PostgresStore::migrate"),
        "{error}"
    );
    place.store().migrate().await.unwrap();
    place.sql(
        "GRANT USAGE ON SCHEMA {} TO limited; GRANT SELECT ON {}.version TO limited; \
         GRANT SELECT, INSERT, UPDATE ON {}.sessions TO limited; \
         GRANT SELECT, DELETE ON {}.damaged TO limited",
    );
    // Without it, the end of a sign-in would be the first to notice.
    let error = limited().connect().await.unwrap_err().to_string();
    assert!(
        error.contains("lacks a permission on")
            && error.contains("grant SELECT, INSERT and DELETE"),
        "{error}"
    );
    place.sql("GRANT INSERT ON {}.damaged TO limited");
    let store = limited().connect().await.unwrap();
    store
        .lock(&key("a"))
        .await
        .unwrap()
        .finish(&session(1))
        .await
        .unwrap();
    place.sql("UPDATE {}.sessions SET sealed = 'made-up'");
    let mut guard = store.lock(&key("a")).await.unwrap();
    guard.finish(&session(2)).await.unwrap();
    assert_eq!(place.sql("SELECT count(*) FROM {}.damaged"), ["1"]);
    place.sql("REVOKE UPDATE ON {}.sessions FROM limited");
    // Known before anything is spent.
    let error = store.lock(&key("a")).await.unwrap_err();
    assert!(error.to_string().contains("lacks a permission"), "{error}");
}

#[tokio::test]
async fn a_read_only_server_is_an_error_before_anything_is_spent() {
    let Some(place) = cluster::shared() else {
        return;
    };
    place
        .store()
        .lock(&key("a"))
        .await
        .unwrap()
        .finish(&session(1))
        .await
        .unwrap();
    let url = format!(
        "{}?options=-c%20default_transaction_read_only%3Don",
        place.url()
    );
    let store = PostgresStore::builder(&url)
        .schema(&place.schema)
        .build()
        .unwrap();
    assert!(store.load(&key("a")).await.unwrap().is_some());
    let error = store.lock(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(
        error.to_string().contains("connect to the primary"),
        "{error}"
    );
}

#[tokio::test]
async fn the_server_s_certificate_is_checked() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let url = format!(
        "postgres://postgres@localhost:{}/postgres?sslmode=require",
        place.port
    );
    let error = PostgresStore::builder(&url).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(fault(&error), Some(ServerFault::Certificate), "{error}");
    let builder = PostgresStore::builder(&url).schema(&place.schema);
    let store = builder
        .root_certificates(cluster::CA.as_bytes())
        .connect()
        .await
        .unwrap();
    assert!(store.describe().await.unwrap().uses_tls);
    let tls = "SELECT count(*) > 0 FROM pg_stat_ssl WHERE ssl";
    assert_eq!(place.sql(tls), ["t"]);
    drop(store);
    // A certificate of another name.
    let url = url.replace("localhost", "127.0.0.1");
    let builder = PostgresStore::builder(&url).root_certificates(cluster::CA.as_bytes());
    let error = builder.connect().await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(fault(&error), Some(ServerFault::CertificateName), "{error}");
    assert!(!error.to_string().contains("root_certificates"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_known_to_a_program() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let url = place.url();
    let away = url.replace(
        &format!(":{}/", place.port),
        &format!(":{}/", crate::support::free_port()),
    );
    let foreign = url.replace("postgres@", "made_up@");
    let read_only = format!("{url}?options=-c%20default_transaction_read_only%3Don");
    for (url, expected) in [
        (&away, ServerFault::Unreachable),
        (&foreign, ServerFault::Credentials),
    ] {
        let error = PostgresStore::builder(url).connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert_eq!(fault(&error), Some(expected), "{error}");
        // The cause says no more than the message does.
        assert_eq!(format!("{error:#}"), error.to_string());
    }
    let store = place.store();
    store.lock(&key("a")).await.unwrap().release().await;
    let standby = PostgresStore::builder(&read_only).schema(&place.schema);
    let error = standby.build().unwrap().lock(&key("a")).await.unwrap_err();
    assert_eq!(fault(&error), Some(ServerFault::ReadOnly), "{error}");
    for (sql, expected) in [
        (
            "UPDATE {}.version SET version = 99",
            ServerFault::NewerFormat,
        ),
        (
            "UPDATE {}.version SET version = 1",
            ServerFault::OlderTables,
        ),
        (
            "UPDATE {}.version SET version = 2; ALTER TABLE {}.sessions DROP COLUMN fence",
            ServerFault::Tables,
        ),
        ("DROP TABLE {}.version", ServerFault::Tables),
    ] {
        place.sql(sql);
        let again = place.builder().migrates(expected == ServerFault::Tables);
        let error = again.connect().await.unwrap_err();
        assert_eq!(fault(&error), Some(expected), "{error}");
    }
}

#[tokio::test]
async fn the_description_names_the_place_and_no_secret() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let url = format!(
        "postgres://postgres:made-up-password@127.0.0.1:{}/postgres",
        place.port
    );
    let builder = PostgresStore::builder(&url).schema(&place.schema);
    assert!(!format!("{builder:?}").contains("made-up"));
    let store = builder.connect().await.unwrap();
    let described = store.describe().await.unwrap();
    assert!(described.is_primary && described.survives_power_cut);
    let text = format!("{described} {store:?} {}", store.location(&key("a")));
    assert!(
        text.contains(&format!("127.0.0.1:{}/postgres", place.port)),
        "{text}"
    );
    assert!(!text.contains("made-up"), "{text}");
}
