//! Tables and settings that are not as they should be.

use llm_auth_core::{ErrorKind, OAuthToken, TokenStore as _};
use llm_auth_store_postgres::{PostgresStore, SealingKeys};

use crate::cluster::{self, Place};
use crate::support::{key, session};

async fn save(store: &PostgresStore, account: &str, token: &OAuthToken) {
    let mut guard = store.lock(&key(account)).await.unwrap();
    guard.finish(token).await.unwrap();
}

/// The error of a store that is opened now.
async fn refused(place: &Place) -> String {
    let error = place.builder().connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    let later = place.store().load(&key("a")).await.unwrap_err();
    assert_eq!(later.to_string(), error.to_string());
    error.to_string()
}

#[tokio::test]
async fn tables_that_a_later_version_made_or_that_were_changed_by_hand_are_refused() {
    let Some(place) = cluster::shared() else {
        return;
    };
    save(&place.store(), "a", &session(1)).await;
    for (damage, repair, said) in [
        (
            "UPDATE {}.version SET version = 9",
            "UPDATE {}.version SET version = 2",
            "the tables have version 9, and this program knows version 2: update this program",
        ),
        (
            "DELETE FROM {}.version",
            "INSERT INTO {}.version (version) VALUES (2)",
            "the version of the tables cannot be read",
        ),
        (
            "ALTER TABLE {}.sessions RENAME holder TO owner",
            "ALTER TABLE {}.sessions RENAME owner TO holder",
            "lacks a column (column \"holder\" does not exist)",
        ),
        (
            "ALTER TABLE {}.sessions RENAME TO gone",
            "ALTER TABLE {}.gone RENAME TO sessions",
            "the tables of the sessions are missing",
        ),
        (
            "ALTER TABLE {}.sessions SET UNLOGGED",
            "ALTER TABLE {}.sessions SET LOGGED",
            "unlogged",
        ),
        (
            "ALTER TABLE {}.damaged RENAME kept_at TO at",
            "ALTER TABLE {}.damaged RENAME at TO kept_at",
            "lacks a column (column \"kept_at\" does not exist)",
        ),
        (
            "ALTER TABLE {}.damaged SET UNLOGGED",
            "ALTER TABLE {}.damaged SET LOGGED",
            "damaged is unlogged",
        ),
    ] {
        place.sql(damage);
        let error = refused(&place).await;
        assert!(error.contains(said), "{error}");
        place.sql(repair);
        let found = place.store().load(&key("a")).await.unwrap().unwrap();
        assert!(found.has_same_tokens(&session(1)), "{damage}");
    }
}

#[tokio::test]
async fn a_column_that_goes_while_the_store_is_in_use_is_named() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    save(&store, "a", &session(1)).await;
    place.sql("ALTER TABLE {}.sessions RENAME lease_until TO until");
    let error = store.lock(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("lacks a column"), "{error}");
    place.sql("ALTER TABLE {}.sessions RENAME until TO lease_until");
    store.lock(&key("a")).await.unwrap().release().await;
}

#[tokio::test]
async fn a_server_that_a_power_cut_empties_is_used_only_if_that_is_accepted() {
    let Some(mut cluster) = cluster::own() else {
        return;
    };
    let place = cluster.place();
    place.sql("ALTER SYSTEM SET fsync = off");
    cluster.crash();
    cluster.start();
    let error = refused(&place).await;
    assert!(error.contains("`fsync` is off"), "{error}");
    let accepting = place.builder().accept_fsync_off();
    let store = accepting.connect().await.unwrap();
    let described = store.describe().await.unwrap();
    assert!(!described.survives_power_cut && !described.survives_failover);
    assert!(store.may_lose_saves());
    // A standby that has each save makes failovers safe.
    place.sql("ALTER SYSTEM SET synchronous_standby_names = 'made_up'");
    place.sql("SELECT pg_reload_conf()");
    let accepting = place.builder().accept_fsync_off();
    let store = accepting.connect().await.unwrap();
    assert!(!store.may_lose_saves() && store.describe().await.unwrap().survives_failover);
}

#[tokio::test]
async fn a_row_that_was_edited_is_an_error_of_that_session_alone_and_quotes_nothing() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    save(&store, "a", &session(1)).await;
    save(&store, "b", &session(2)).await;
    for edited in [
        "{\"access_token\": [\"made-up-secret\"]}",
        "made-up-secret",
        "\"made-up-secret\"",
        "",
    ] {
        place.sql(&format!(
            "UPDATE {{}}.sessions SET sealed = '{edited}' WHERE account = 'a'"
        ));
        let error = store.load(&key("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(!format!("{error:?} {error:#}").contains("made-up-secret"));
        let found = store.load(&key("b")).await.unwrap().unwrap();
        assert!(found.has_same_tokens(&session(2)));
    }
    assert_eq!(store.accounts().await.unwrap(), [key("a"), key("b")]);
}

#[tokio::test]
async fn a_trigger_that_quotes_the_row_is_not_quoted() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    save(&store, "a", &session(1)).await;
    for body in [
        "RAISE EXCEPTION '%', convert_from(NEW.sealed, 'UTF8')",
        "RAISE EXCEPTION '%', convert_from(NEW.sealed, 'UTF8') USING ERRCODE = 'XX123'",
        "RETURN convert_from(NEW.sealed, 'UTF8')::int",
    ] {
        place.sql(&format!(
            "CREATE OR REPLACE FUNCTION {{}}.quote() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN {body}; END $$; \
             CREATE OR REPLACE TRIGGER quote BEFORE UPDATE ON {{}}.sessions \
             FOR EACH ROW EXECUTE FUNCTION {{}}.quote()"
        ));
        let error = store.lock(&key("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        let text = format!("{error:?} {error:#}");
        assert!(
            text.contains("SQLSTATE") && !text.contains("made-up"),
            "{text}"
        );
    }
    place.sql(
        "DROP TRIGGER quote ON {}.sessions; \
         ALTER TABLE {}.sessions ADD CONSTRAINT small CHECK (length(sealed) < 5) NOT VALID",
    );
    let mut guard = place.store().lock(&key("b")).await.unwrap();
    let error = guard.save(&session(2)).await.unwrap_err();
    assert!(
        !format!("{error:?} {error:#}").contains("made-up"),
        "{error:?}"
    );
}

fn with_key(place: &Place, keys: SealingKeys) -> PostgresStore {
    place.builder().sealed_with(keys).build().unwrap()
}

fn keys(name: &str, byte: u8) -> SealingKeys {
    SealingKeys::new(name, &[byte; 32]).unwrap()
}

#[tokio::test]
async fn a_wrong_key_is_named_and_overwrites_no_session() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let right = with_key(&place, keys("k", 1));
    save(&right, "a", &session(1)).await;
    let raw = "SELECT count(*) FROM {}.sessions WHERE sealed LIKE '%made-up%'";
    assert_eq!(place.sql(raw), ["0"]);
    for (store, said) in [
        (
            with_key(&place, keys("k", 2)),
            "another key than the one given as `k`",
        ),
        (
            with_key(&place, keys("n", 1)),
            "the key `k`, which is not given",
        ),
        (place.store(), "the key `k`, which is not given"),
    ] {
        let error = store.load(&key("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().contains(said), "{error}");
        // A sign-in overwrites only what is `Corrupt`.
        let mut guard = store.lock_optimistically(&key("a")).await.unwrap();
        assert_eq!(guard.load().await.unwrap_err().kind(), ErrorKind::Store);
        guard.release().await;
    }
    let found = right.load(&key("a")).await.unwrap().unwrap();
    assert!(found.has_same_tokens(&session(1)));
    // A row that was moved to another account.
    save(&right, "b", &session(2)).await;
    place.sql(
        "UPDATE {}.sessions AS s SET sealed = o.sealed FROM {}.sessions AS o \
         WHERE s.account = 'b' AND o.account = 'a'",
    );
    let error = right.load(&key("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    // Likewise to another tenant.
    save(&right, "c", &session(3)).await;
    place.sql("UPDATE {}.sessions SET tenant = 't' WHERE account = 'c'");
    let tenant = place.builder().tenant("t").sealed_with(keys("k", 1));
    let error = tenant.build().unwrap().load(&key("c")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    // A damaged id of a key is no wrong key.
    place.sql("UPDATE {}.sessions SET key_id = 'made.up' WHERE account = 'a'");
    let error = right.load(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test]
async fn a_key_is_changed_while_sessions_are_in_use() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let plain = place.store();
    save(&plain, "plain", &session(0)).await;
    let old = with_key(&place, keys("old", 1));
    for number in 1..150 {
        save(&old, &format!("{number:03}"), &session(number)).await;
    }
    let both = || keys("new", 2).with_older("old", &[1; 32]).unwrap();
    let strict = with_key(&place, both());
    let error = strict.load(&key("plain")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    // The others are done nevertheless, except one that is in use.
    let mut used = old.lock(&key("077")).await.unwrap();
    strict.reseal().await.unwrap_err();
    let new = with_key(&place, both().accept_unencrypted());
    assert_eq!(new.describe().await.unwrap().to_reseal, 2);
    assert_eq!(new.reseal().await.unwrap(), 1);
    used.finish(&session(77)).await.unwrap();
    assert_eq!(new.reseal().await.unwrap(), 0);
    assert_eq!(new.describe().await.unwrap().to_reseal, 0);
    let only_new = with_key(&place, keys("new", 2));
    for number in 1..150 {
        let found = only_new
            .load(&key(&format!("{number:03}")))
            .await
            .unwrap()
            .unwrap();
        assert!(found.has_same_tokens(&session(number)), "{number}");
    }
    assert!(
        only_new
            .load(&key("plain"))
            .await
            .unwrap()
            .unwrap()
            .has_same_tokens(&session(0))
    );
    assert_eq!(plain.reseal().await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_table_full_of_dead_leases_delays_no_one_and_loses_nothing() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    save(&store, "a", &session(1)).await;
    place.sql(
        "INSERT INTO {}.sessions (tenant, provider, account, fence, holder, lease_until) \
         SELECT '', 'standard', 'dead-' || n, 7, 'made up', now() - interval '1 day' \
         FROM generate_series(1, 5000) AS n; \
         UPDATE {}.sessions SET holder = 'made up', lease_until = now() - interval '1 second' \
         WHERE account = 'a'",
    );
    let described = store.describe().await.unwrap();
    assert_eq!((described.sessions, described.dead_leases), (1, 5001));
    let held = store.lock(&key("dead-1")).await.unwrap();
    assert_eq!(store.clear_dead_leases().await.unwrap(), 5000);
    let described = store.describe().await.unwrap();
    assert_eq!((described.leases, described.dead_leases), (1, 0));
    held.release().await;
    assert_eq!(store.accounts().await.unwrap(), [key("a")]);
    assert!(
        store
            .load(&key("a"))
            .await
            .unwrap()
            .unwrap()
            .has_same_tokens(&session(1))
    );
    // Fencing numbers do not begin again.
    assert_eq!(
        place.sql("SELECT min(fence) FROM {}.sessions WHERE account LIKE 'dead%'"),
        ["7"]
    );
}

#[tokio::test]
async fn tenants_see_their_own_sessions_only() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = |tenant: &str| place.builder().tenant(tenant).build().unwrap();
    let (one, two) = (store("one"), store("two"));
    save(&one, "a", &session(1)).await;
    assert!(two.load(&key("a")).await.unwrap().is_none());
    save(&two, "a", &session(2)).await;
    two.lock_optimistically(&key("a"))
        .await
        .unwrap()
        .remove()
        .await
        .unwrap();
    assert!(two.accounts().await.unwrap().is_empty());
    assert!(
        one.load(&key("a"))
            .await
            .unwrap()
            .unwrap()
            .has_same_tokens(&session(1))
    );
    assert_eq!(one.accounts().await.unwrap(), [key("a")]);
}

#[tokio::test]
async fn a_name_that_postgres_cannot_store_is_refused() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let error = place.store().lock(&key("a\0b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}
