//! What is damaged is copied by the script that replaces or removes it.

use llm_auth_core::{ErrorKind, TokenStore as _};
use llm_auth_store_redis::{RedisStore, RedisStoreBuilder, SealingKeys};

use crate::support::proxy::{Proxy, Side};
use crate::support::server::RedisServer;
use crate::support::{key, noted, row, save, session, shared, stored};

/// What no store has saved.
const DAMAGE: &str = "made-up-damage";

/// The keys of one test.
struct Place<'a> {
    server: &'a RedisServer,
    prefix: &'static str,
}

impl Place<'_> {
    fn store(&self) -> RedisStore {
        open(&self.server.url(), self.prefix).build().unwrap()
    }

    fn damage(&self, with: &str) {
        let row = row(self.prefix);
        assert_eq!(self.server.command(&["HSET", &row, "data", with]), "0");
    }

    fn key_of_copies(&self) -> String {
        row(self.prefix) + ":damaged"
    }

    /// A field of each copy, the oldest first.
    fn copies(&self, field: &str) -> Vec<String> {
        let key = self.key_of_copies();
        let last = self.server.command(&["HGET", &key, "last"]);
        let numbers = 1..=last.parse().unwrap_or(0);
        let fields: Vec<String> = numbers
            .map(|number: usize| format!("{number} {field}"))
            .filter(|field| self.server.command(&["HEXISTS", &key, field]) == "1")
            .collect();
        let value = |field: &String| self.server.command(&["HGET", &key, field]);
        fields.iter().map(value).collect()
    }
}

fn open(url: &str, prefix: &str) -> RedisStoreBuilder {
    RedisStore::builder(url).prefix(prefix)
}

/// As a manager signs in.
async fn sign_in(store: &RedisStore, number: usize) {
    let mut guard = store.lock_optimistically(&key()).await.unwrap();
    drop(guard.load().await);
    guard.finish(&session(number)).await.unwrap();
}

#[tokio::test]
async fn what_is_replaced_or_removed_is_kept_as_it_was_and_is_no_session() {
    let Some(server) = shared("kept as it was") else {
        return;
    };
    let prefix = "kept";
    let place = Place { server, prefix };
    let keys = SealingKeys::new("made-up", &[7; 32]).unwrap();
    let id = keys.current_id().to_owned();
    let store = open(&server.url(), prefix).sealed_with(keys);
    let store = store.build().unwrap();
    sign_in(&store, 1).await;
    sign_in(&store, 2).await;
    assert!(place.copies("data").is_empty());
    place.damage(DAMAGE);
    sign_in(&store, 3).await;
    assert_eq!(place.copies("data"), [DAMAGE]);
    assert_eq!(stored(&store).await, Some(session(3)));
    place.damage("another");
    let mut guard = store.lock_optimistically(&key()).await.unwrap();
    guard.remove().await.unwrap();
    guard.remove().await.unwrap();
    guard.release().await;
    assert_eq!(place.copies("data"), [DAMAGE, "another"]);
    assert_eq!(place.copies("key"), [id.clone(), id]);
    let kept_at = place.copies("kept_at");
    assert!(
        kept_at.iter().all(|at| at.parse::<u64>().is_ok()),
        "{kept_at:?}"
    );
    assert_eq!(stored(&store).await, None);
    assert!(store.accounts().await.unwrap().is_empty());
    let copies = place.key_of_copies();
    assert!(store.location_of_copies(&key()).contains(&copies));
    assert_eq!(server.command(&["TTL", &copies]), "-1");
}

#[tokio::test]
async fn a_record_of_a_refresh_does_not_replace_what_is_damaged_without_a_copy() {
    let Some(server) = shared("a record over damage") else {
        return;
    };
    let prefix = "kept-record";
    let (place, store) = (Place { server, prefix }, Place { server, prefix }.store());
    save(&store, &session(1)).await;
    place.damage(DAMAGE);
    let mut guard = store.lock(&key()).await.unwrap();
    guard.prepare(None).await.unwrap();
    assert!(place.copies("data").is_empty());
    guard.prepare(Some(&noted(&session(2)))).await.unwrap();
    guard.prepare(Some(&noted(&session(2)))).await.unwrap();
    guard.finish(&session(3)).await.unwrap();
    assert_eq!(place.copies("data"), [DAMAGE]);
    assert_eq!(stored(&store).await, Some(session(3)));
}

#[tokio::test]
async fn a_call_that_is_made_again_keeps_one_copy_and_not_the_new_session() {
    let Some(server) = shared("a copy made again") else {
        return;
    };
    let proxy = Proxy::start(server.port).await;
    for side in [Side::Before, Side::After] {
        for call in ["save", "finish", "remove"] {
            let prefix = match (side, call) {
                (Side::Before, "save") => "kept-save-1",
                (Side::Before, "finish") => "kept-finish-1",
                (Side::Before, _) => "kept-remove-1",
                (Side::After, "save") => "kept-save-2",
                (Side::After, "finish") => "kept-finish-2",
                (Side::After, _) => "kept-remove-2",
            };
            let place = Place { server, prefix };
            let store = open(&proxy.url(), prefix).build().unwrap();
            save(&store, &session(1)).await;
            place.damage(DAMAGE);
            let mut guard = store.lock(&key()).await.unwrap();
            proxy.strike(move |_, number, of| number == 0 && of == side);
            match call {
                "save" => guard.save(&session(2)).await.unwrap(),
                "finish" => guard.finish(&session(2)).await.unwrap(),
                _ => guard.remove().await.unwrap(),
            }
            assert!(proxy.commands().len() >= 2, "{prefix}");
            proxy.pass();
            assert_eq!(place.copies("data"), [DAMAGE], "{prefix}");
            let found = stored(&store).await;
            assert_eq!(found, (call != "remove").then(|| session(2)), "{prefix}");
            guard.release().await;
            sign_in(&store, 3).await;
            assert_eq!(place.copies("data"), [DAMAGE], "{prefix}");
        }
    }
}

#[tokio::test]
async fn what_is_copied_is_what_is_replaced_and_no_session_of_another_holder() {
    let Some(server) = shared("copies of others") else {
        return;
    };
    let kind = |outcome: llm_auth_core::Result<()>| outcome.unwrap_err().kind();
    // A sign-in goes first.
    let prefix = "kept-replaced";
    let (place, store) = (Place { server, prefix }, Place { server, prefix }.store());
    save(&store, &session(1)).await;
    place.damage(DAMAGE);
    let mut slow = store.lock(&key()).await.unwrap();
    sign_in(&store, 2).await;
    assert_eq!(kind(slow.finish(&session(3)).await), ErrorKind::LeaseLost);
    assert_eq!(kind(slow.remove().await), ErrorKind::LeaseLost);
    assert_eq!(stored(&store).await, Some(session(2)));
    assert_eq!(place.copies("data"), [DAMAGE]);
    // A late save, while the next holder has seen the damage too.
    let prefix = "kept-late";
    let (place, store) = (Place { server, prefix }, Place { server, prefix }.store());
    save(&store, &session(1)).await;
    place.damage(DAMAGE);
    let mut slow = store.lock(&key()).await.unwrap();
    server.command(&["HSET", &row(prefix), "ends", "1"]);
    let mut next = store.lock(&key()).await.unwrap();
    assert_eq!(kind(slow.remove().await), ErrorKind::LeaseLost);
    assert!(place.copies("data").is_empty());
    slow.finish(&session(2)).await.unwrap();
    next.finish(&session(3)).await.unwrap();
    assert_eq!(place.copies("data"), [DAMAGE]);
    assert_eq!(stored(&store).await, Some(session(3)));
    // An edit after the holder has seen the damage, and one that it reads.
    place.damage(DAMAGE);
    let mut guard = store.lock(&key()).await.unwrap();
    place.damage("edited");
    guard.save(&session(4)).await.unwrap();
    assert_eq!(place.copies("data"), [DAMAGE, "edited"]);
    place.damage("again");
    guard.load().await.unwrap_err();
    guard.finish(&session(5)).await.unwrap();
    assert_eq!(place.copies("data"), [DAMAGE, "edited", "again"]);
}

#[tokio::test]
async fn the_newest_ten_copies_stay() {
    let Some(server) = shared("ten copies") else {
        return;
    };
    let prefix = "kept-ten";
    let (place, store) = (Place { server, prefix }, Place { server, prefix }.store());
    save(&store, &session(0)).await;
    for number in 0..13 {
        place.damage(&format!("damage-{number}"));
        sign_in(&store, number).await;
    }
    let newest: Vec<String> = (3..13).map(|number| format!("damage-{number}")).collect();
    assert_eq!(place.copies("data"), newest);
    // Three fields of each, and the number of the last.
    assert_eq!(server.command(&["HLEN", &place.key_of_copies()]), "31");
}

#[tokio::test]
async fn a_wrong_key_is_no_damage_and_leaves_no_copy() {
    let Some(server) = shared("no copy of a wrong key") else {
        return;
    };
    let prefix = "kept-key";
    let with_key = |byte| {
        let keys = SealingKeys::new("made-up", &[byte; 32]).unwrap();
        let store = open(&server.url(), prefix).sealed_with(keys);
        store.build().unwrap()
    };
    save(&with_key(1), &session(1)).await;
    let mut guard = with_key(2).lock_optimistically(&key()).await.unwrap();
    assert_eq!(guard.load().await.unwrap_err().kind(), ErrorKind::Store);
    // No manager does that.
    guard.finish(&session(2)).await.unwrap();
    let copies = Place { server, prefix }.key_of_copies();
    assert_eq!(server.command(&["EXISTS", &copies]), "0");
}

#[tokio::test]
async fn a_key_of_the_copies_that_is_something_else_is_named_and_nothing_changes() {
    let Some(server) = shared("no place for a copy") else {
        return;
    };
    let prefix = "kept-type";
    let (place, store) = (Place { server, prefix }, Place { server, prefix }.store());
    save(&store, &session(1)).await;
    place.damage(DAMAGE);
    server.command(&["SET", &place.key_of_copies(), "made-up"]);
    let mut guard = store.lock_optimistically(&key()).await.unwrap();
    for error in [
        guard.save(&session(2)).await.unwrap_err(),
        guard.remove().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(
            error.to_string().contains(&place.key_of_copies()),
            "{error}"
        );
    }
    assert_eq!(server.command(&["HGET", &row(prefix), "data"]), DAMAGE);
    server.command(&["DEL", &place.key_of_copies()]);
    guard.finish(&session(2)).await.unwrap();
    assert_eq!(place.copies("data"), [DAMAGE]);
}

#[tokio::test]
async fn the_session_of_another_account_is_damage_without_keys_too() {
    let Some(server) = shared("of another account") else {
        return;
    };
    let prefix = "moved";
    let (place, store) = (Place { server, prefix }, open(&server.url(), prefix));
    let store = store.build().unwrap();
    let mut own = session(1);
    own.metadata.provider = Some("standard".into());
    own.metadata.account = Some("work".into());
    save(&store, &own).await;
    assert_eq!(stored(&store).await, Some(own.clone()));
    own.metadata.account = Some("home".into());
    let moved = own.to_json().unwrap();
    place.damage(moved.expose());
    let error = store.load(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(!format!("{error:?} {error:#}").contains("made-up"));
    sign_in(&store, 2).await;
    assert_eq!(stored(&store).await, Some(session(2)));
    assert_eq!(place.copies("data"), [moved.expose()]);
}
