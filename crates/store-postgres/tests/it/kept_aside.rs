//! What is damaged is copied by the statement that replaces or removes it.

use llm_auth_core::{ErrorKind, SessionKey, TokenStore as _};
use llm_auth_store_postgres::{PostgresStore, SealingKeys};

use crate::cable::{Break, Cable};
use crate::cluster::{self, Place};
use crate::support::{key, noted, session};

/// What no store has saved.
const DAMAGE: &str = "made-up-damage";

impl Place {
    fn damage(&self, account: &str, with: &str) {
        self.sql(&format!(
            "UPDATE {{}}.sessions SET sealed = '{with}' WHERE account = '{account}'"
        ));
    }

    /// The copies of an account, the oldest first.
    fn copies(&self, account: &str) -> Vec<String> {
        self.sql(&format!(
            "SELECT convert_from(sealed, 'UTF8') FROM {{}}.damaged WHERE account = '{account}' \
             ORDER BY number"
        ))
    }
}

/// As a manager signs in.
async fn sign_in(store: &PostgresStore, account: &str, number: usize) {
    let mut guard = store.lock_optimistically(&key(account)).await.unwrap();
    drop(guard.load().await);
    guard.finish(&session(number)).await.unwrap();
}

async fn assert_stored(place: &Place, account: &str, number: usize) {
    let found = place.store().load(&key(account)).await.unwrap().unwrap();
    assert!(found.has_same_tokens(&session(number)), "{account}");
}

#[tokio::test]
async fn what_is_replaced_or_removed_is_kept_as_it_was() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let keys = SealingKeys::new("made-up", &[7; 32]).unwrap();
    let id = keys.current_id().to_owned();
    let store = place.builder().sealed_with(keys).build().unwrap();
    sign_in(&store, "a", 1).await;
    sign_in(&store, "b", 2).await;
    let copies = "SELECT encode(sealed, 'hex'), key_id FROM {}.damaged ORDER BY number";
    assert!(place.sql(copies).is_empty());
    // The session of another account is not opened here.
    let moved = place.sql(
        "UPDATE {}.sessions AS s SET sealed = o.sealed FROM {}.sessions AS o \
         WHERE s.account = 'b' AND o.account = 'a' RETURNING encode(s.sealed, 'hex')",
    );
    sign_in(&store, "b", 3).await;
    assert_eq!(place.sql(copies), [moved[0].clone(), id.clone()]);
    sign_in(&store, "b", 4).await;
    place.damage("b", DAMAGE);
    let mut guard = store.lock_optimistically(&key("b")).await.unwrap();
    guard.remove().await.unwrap();
    guard.remove().await.unwrap();
    guard.release().await;
    let name = "SELECT tenant, provider, account FROM {}.damaged ORDER BY number";
    assert_eq!(place.sql(name), ["", "standard", "b", "", "standard", "b"]);
    let hex: String = DAMAGE.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(place.sql(copies)[2..], [hex, id]);
    let described = store.describe().await.unwrap();
    assert_eq!((described.sessions, described.damaged), (1, 2));
    assert!(
        described
            .to_string()
            .contains("copies of damaged sessions: 2")
    );
    assert_eq!(store.accounts().await.unwrap(), [key("a")]);
}

#[tokio::test]
async fn a_record_of_a_refresh_does_not_replace_what_is_damaged_without_a_copy() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    sign_in(&store, "a", 1).await;
    place.damage("a", DAMAGE);
    let mut guard = store.lock(&key("a")).await.unwrap();
    guard.prepare(None).await.unwrap();
    assert!(place.copies("a").is_empty());
    guard.prepare(Some(&noted(&session(2)))).await.unwrap();
    guard.prepare(Some(&noted(&session(2)))).await.unwrap();
    guard.finish(&session(3)).await.unwrap();
    assert_eq!(place.copies("a"), [DAMAGE]);
    assert_stored(&place, "a", 3).await;
}

#[tokio::test]
async fn a_statement_that_is_executed_twice_keeps_one_copy_and_not_the_new_session() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let cable = Cable::to(place.port);
    let store = place.at(cable.port).builder().connect().await.unwrap();
    for how in [Break::Before, Break::After] {
        for call in ["save", "finish", "remove"] {
            let account = format!("{call}-{how:?}");
            sign_in(&store, &account, 1).await;
            place.damage(&account, DAMAGE);
            let mut guard = store.lock(&key(&account)).await.unwrap();
            cable.break_after(0, how);
            match call {
                "save" => guard.save(&session(2)).await.unwrap(),
                "finish" => guard.finish(&session(2)).await.unwrap(),
                _ => guard.remove().await.unwrap(),
            }
            assert_eq!(cable.breaks_left(), 0, "{account}");
            assert_eq!(place.copies(&account), [DAMAGE], "{account}");
            guard.finish(&session(3)).await.unwrap_or_else(|error| {
                // The lease was given back.
                assert_eq!((call, error.kind()), ("finish", ErrorKind::LeaseLost));
            });
            assert_eq!(place.copies(&account), [DAMAGE], "{account}");
        }
    }
}

#[tokio::test]
async fn a_copy_and_the_change_that_it_is_for_are_made_together_or_not_at_all() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    sign_in(&store, "a", 1).await;
    place.damage("a", DAMAGE);
    for table in ["damaged", "sessions"] {
        let mut guard = store.lock_optimistically(&key("a")).await.unwrap();
        place.sql(&format!(
            "CREATE OR REPLACE FUNCTION {{}}.fail() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'made-up'; END $$; \
             CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {{}}.{table} \
             FOR EACH ROW EXECUTE FUNCTION {{}}.fail()"
        ));
        for error in [
            guard.save(&session(2)).await.unwrap_err(),
            guard.remove().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Store, "{error}");
        }
        let stored = "SELECT sealed = 'made-up-damage' FROM {}.sessions";
        assert_eq!(place.sql(stored), ["t"]);
        assert!(place.copies("a").is_empty());
        place.sql(&format!("DROP TRIGGER fail ON {{}}.{table}"));
        guard.release().await;
    }
}

#[tokio::test]
async fn what_is_copied_is_what_is_replaced_and_no_session_of_another_holder() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    let kind = |outcome: llm_auth_core::Result<()>| outcome.unwrap_err().kind();
    // A sign-in goes first.
    sign_in(&store, "a", 1).await;
    place.damage("a", DAMAGE);
    let mut slow = store.lock(&key("a")).await.unwrap();
    sign_in(&store, "a", 2).await;
    assert_eq!(kind(slow.finish(&session(3)).await), ErrorKind::LeaseLost);
    assert_eq!(kind(slow.remove().await), ErrorKind::LeaseLost);
    assert_stored(&place, "a", 2).await;
    assert_eq!(place.copies("a"), [DAMAGE]);
    // A late save, while the next holder has seen the damage too.
    sign_in(&store, "b", 1).await;
    place.damage("b", DAMAGE);
    let mut slow = store.lock(&key("b")).await.unwrap();
    place.end_leases();
    let mut next = store.lock(&key("b")).await.unwrap();
    assert_eq!(kind(slow.remove().await), ErrorKind::LeaseLost);
    assert!(place.copies("b").is_empty());
    slow.finish(&session(2)).await.unwrap();
    next.finish(&session(3)).await.unwrap();
    assert_eq!(place.copies("b"), [DAMAGE]);
    assert_stored(&place, "b", 3).await;
    // An edit after the holder has seen the damage.
    sign_in(&store, "c", 1).await;
    place.damage("c", DAMAGE);
    let mut guard = store.lock(&key("c")).await.unwrap();
    place.damage("c", "made-up-edit");
    guard.finish(&session(2)).await.unwrap();
    assert_eq!(place.copies("c"), ["made-up-edit"]);
    // A holder that reads again and finds a session.
    sign_in(&store, "d", 1).await;
    place.damage("d", DAMAGE);
    let mut guard = store.lock(&key("d")).await.unwrap();
    guard.load().await.unwrap_err();
    let restored = session(1).to_json().unwrap();
    place.damage("d", restored.expose());
    guard.load().await.unwrap();
    guard.finish(&session(2)).await.unwrap();
    assert!(place.copies("d").is_empty());
}

#[tokio::test]
async fn the_newest_ten_copies_of_each_account_stay() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    let other = place.builder().tenant("other").build().unwrap();
    for (store, account) in [(&store, "b"), (&other, "a")] {
        sign_in(store, account, 1).await;
        place.damage(account, DAMAGE);
        sign_in(store, account, 2).await;
    }
    place.sql("UPDATE {}.sessions SET account = 'c' WHERE tenant = 'other'");
    sign_in(&store, "a", 1).await;
    for number in 0..13 {
        place.damage("a", &format!("damage-{number}"));
        sign_in(&store, "a", number).await;
    }
    let newest: Vec<String> = (3..13).map(|number| format!("damage-{number}")).collect();
    let of_tenant = "SELECT convert_from(sealed, 'UTF8') FROM {}.damaged \
                     WHERE tenant = '' AND account = 'a' ORDER BY number";
    assert_eq!(place.sql(of_tenant), newest);
    assert_eq!(place.copies("b"), [DAMAGE]);
    assert_eq!(other.describe().await.unwrap().damaged, 1);
}

#[tokio::test]
async fn a_wrong_key_is_no_damage_and_leaves_no_copy() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let with_key = |byte| {
        let keys = SealingKeys::new("made-up", &[byte; 32]).unwrap();
        place.builder().sealed_with(keys).build().unwrap()
    };
    sign_in(&with_key(1), "a", 1).await;
    let mut guard = with_key(2).lock_optimistically(&key("a")).await.unwrap();
    assert_eq!(guard.load().await.unwrap_err().kind(), ErrorKind::Store);
    // No manager does that.
    guard.finish(&session(2)).await.unwrap();
    assert_eq!(place.sql("SELECT count(*) FROM {}.damaged"), ["0"]);
}

#[tokio::test]
async fn the_session_of_another_account_is_damage_without_keys_too() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    let (named, other) = (SessionKey::new("standard", "a"), key("b"));
    for key in [&named, &other] {
        let mut session = session(1);
        session.metadata.provider = Some(key.provider().to_owned());
        session.metadata.account = Some(key.account().to_owned());
        let mut guard = store.lock_optimistically(key).await.unwrap();
        guard.finish(&session).await.unwrap();
    }
    place.sql(
        "UPDATE {}.sessions AS s SET sealed = o.sealed FROM {}.sessions AS o \
         WHERE s.account = 'b' AND o.account = 'a'",
    );
    let error = store.load(&other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(!format!("{error:?} {error:#}").contains("made-up"));
    store.load(&named).await.unwrap().unwrap();
    sign_in(&store, "b", 2).await;
    assert_stored(&place, "b", 2).await;
    // `psql` prints the lines of the copy.
    let copy = place.copies("b").concat();
    let account = "\"account\": \"a\"";
    assert_eq!(copy.matches(account).count(), 1, "{copy}");
}
