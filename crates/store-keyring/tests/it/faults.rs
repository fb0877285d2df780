//! Kills, locks and hanging calls in the middle: nothing is lost, and nothing stays behind.

use std::time::Duration;

use llm_auth_core::{ErrorKind, FileTokenStore, OAuthToken, SessionKey, TokenStore as _};
use llm_auth_store_keyring::keyring_core::Entry;
use llm_auth_store_keyring::{Keyring, KeyringError};

use super::fake::Fake;
use super::{noted, save, session, why};

/// Longer than three entries of the tests.
fn long(number: usize) -> OAuthToken {
    let mut token = session(number);
    let long = format!("made-up-{number}-").repeat(40);
    token.extra.0.insert("long".into(), long.into());
    token
}

struct Place {
    fake: Fake,
    store: FileTokenStore,
    key: SessionKey,
    directory: tempfile::TempDir,
}

fn place() -> Place {
    let (fake, directory) = (Fake::new(), tempfile::tempdir().unwrap());
    let keyring = Keyring::with_store(fake.store())
        .wait(Duration::from_millis(200))
        .longest_entry(160);
    Place {
        store: keyring.store(directory.path()),
        key: SessionKey::new("qwen", "work"),
        fake,
        directory,
    }
}

async fn stored(place: &Place) -> OAuthToken {
    place.store.load(&place.key).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_session_beyond_the_limit_has_several_entries_and_leaves_none_when_it_goes() {
    let place = place();
    save(&place.store, &place.key, &long(1)).await.unwrap();
    let before = place.fake.entries();
    assert!(before.len() > 3, "{}", before.len());
    assert!(before.values().all(|entry| entry.len() <= 160));
    save(&place.store, &place.key, &session(2)).await.unwrap();
    let after = place.fake.entries();
    assert!(before.keys().all(|name| !after.contains_key(name)));
    let mut guard = place.store.lock(&place.key).await.unwrap();
    guard.remove().await.unwrap();
    guard.release().await;
    assert!(place.fake.entries().is_empty());
    assert!(place.store.load(&place.key).await.unwrap().is_none());
    assert!(place.store.sessions().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_prepared_and_not_saved_leaves_no_entry() {
    let place = place();
    let mut guard = place.store.lock(&place.key).await.unwrap();
    guard.prepare(None).await.unwrap();
    assert_eq!(place.fake.entries().len(), 1);
    drop(guard);
    assert!(place.fake.entries().is_empty());
}

#[tokio::test]
async fn a_keyring_that_locks_between_two_entries_leaves_the_old_session() {
    for writes in 0..4 {
        let place = place();
        save(&place.store, &place.key, &long(1)).await.unwrap();
        let before = place.fake.entries();
        let mut guard = place.store.lock(&place.key).await.unwrap();
        guard.prepare(Some(&noted(1))).await.unwrap();
        place.fake.lock_after(writes);
        let error = guard.save(&long(2)).await.unwrap_err();
        assert_eq!(
            (error.kind(), why(&error)),
            (ErrorKind::Store, Some(KeyringError::Locked))
        );
        assert!(stored(&place).await.has_same_tokens(&session(1)));
        // The same save succeeds once the keyring is open again: its token is spent.
        place.fake.unlock();
        guard.save(&long(2)).await.unwrap();
        guard.release().await;
        assert!(stored(&place).await.has_same_tokens(&session(2)));
        let after = place.fake.entries();
        assert!(before.keys().all(|name| !after.contains_key(name)));
        let ids = after.keys().map(|name| name.split('.').next());
        assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 1);
    }
}

#[tokio::test]
async fn a_locked_keyring_is_noticed_before_anything_is_spent() {
    let place = place();
    save(&place.store, &place.key, &session(1)).await.unwrap();
    place.fake.lock_after(0);
    let mut guard = place.store.lock(&place.key).await.unwrap();
    let error = guard.prepare(Some(&noted(1))).await.unwrap_err();
    guard.release().await;
    assert_eq!(why(&error), Some(KeyringError::Locked));
    assert!(stored(&place).await.has_same_tokens(&session(1)));
}

/// The file of a process that was killed after a part of its entries.
#[tokio::test]
async fn entries_of_a_killed_process_are_removed_by_the_next_holder() {
    let place = place();
    save(&place.store, &place.key, &session(1)).await.unwrap();
    let left = place.fake.entries();
    let mut guard = place.store.lock(&place.key).await.unwrap();
    guard.prepare(Some(&noted(1))).await.unwrap();
    let path = place.store.path(&place.key);
    let (begun, kept) = (
        path.with_file_name(".work.json.tmp"),
        place.directory.path().join("kept"),
    );
    std::fs::copy(&begun, &kept).unwrap();
    // Entries without a manifest, as the kill leaves them.
    let killed = place.fake.clone();
    drop(guard);
    let entry = |number: usize| {
        let begun: serde_json::Value = serde_json::from_str(
            std::fs::read_to_string(&kept)
                .unwrap()
                .trim_end_matches(['\0', ' ']),
        )
        .unwrap();
        format!("qwen/work {}.0.{number}", begun["id"].as_str().unwrap())
    };
    for number in 0..3 {
        let item = Entry::new_in_store(&killed.store(), "llm-auth", &entry(number));
        item.unwrap().set_secret(b"made-up").unwrap();
    }
    std::fs::rename(&kept, &begun).unwrap();
    let mut guard = place.store.lock(&place.key).await.unwrap();
    let found = guard.load().await.unwrap();
    guard.release().await;
    assert!(found.unwrap().has_same_tokens(&session(1)));
    assert_eq!(place.fake.entries(), left);
    assert!(!begun.exists());
}

/// The state that a kill before the rename leaves: both files, and the entries of both.
async fn killed_sign_in(place: &Place) {
    let path = place.store.path(&place.key);
    let kept = place.directory.path().join("kept");
    std::fs::copy(&path, &kept).unwrap();
    let before = place.fake.entries();
    save(&place.store, &place.key, &long(2)).await.unwrap();
    place.fake.put_back(before);
    std::fs::rename(&path, path.with_file_name(".work.json.tmp")).unwrap();
    std::fs::rename(&kept, &path).unwrap();
}

#[tokio::test]
async fn a_sign_in_that_is_killed_before_the_replacement_leaves_the_old_session() {
    let place = place();
    save(&place.store, &place.key, &long(1)).await.unwrap();
    let before = place.fake.entries();
    killed_sign_in(&place).await;
    let mut guard = place.store.lock(&place.key).await.unwrap();
    let found = guard.load().await.unwrap();
    guard.release().await;
    assert!(found.unwrap().has_same_tokens(&session(1)));
    assert!(stored(&place).await.has_same_tokens(&session(1)));
    assert_eq!(place.fake.entries(), before);
}

#[tokio::test]
async fn a_save_after_a_killed_sign_in_leaves_none_of_its_entries() {
    let place = place();
    save(&place.store, &place.key, &long(1)).await.unwrap();
    killed_sign_in(&place).await;
    let killed = place.fake.entries();
    // Without a load before.
    save(&place.store, &place.key, &session(3)).await.unwrap();
    assert!(stored(&place).await.has_same_tokens(&session(3)));
    let after = place.fake.entries();
    assert!(killed.keys().all(|name| !after.contains_key(name)));
}

#[tokio::test]
async fn a_removal_after_a_killed_sign_in_leaves_no_entry() {
    let place = place();
    save(&place.store, &place.key, &long(1)).await.unwrap();
    killed_sign_in(&place).await;
    let mut guard = place.store.lock(&place.key).await.unwrap();
    guard.remove().await.unwrap();
    guard.release().await;
    assert!(place.fake.entries().is_empty());
    assert!(place.store.load(&place.key).await.unwrap().is_none());
}

/// For the keyring, a removal that fails is as one that a kill ends.
#[tokio::test]
async fn a_removal_that_ends_between_two_entries_is_finished_by_the_next_holder() {
    for removals in 0.. {
        let place = place();
        save(&place.store, &place.key, &long(1)).await.unwrap();
        let entries = place.fake.entries().len();
        assert!(entries > 2);
        if removals == entries {
            break;
        }
        place.fake.keep_after(removals);
        let mut guard = place.store.lock(&place.key).await.unwrap();
        let error = guard.remove().await.unwrap_err();
        assert_eq!(why(&error), Some(KeyringError::Locked));
        guard.release().await;
        place.fake.unlock();
        let mut guard = place.store.lock(&place.key).await.unwrap();
        assert!(guard.load().await.unwrap().is_none());
        guard.release().await;
        let left = place.fake.entries();
        assert!(left.is_empty(), "{removals}: {:?}", left.keys());
    }
}

#[tokio::test]
async fn a_session_that_has_lost_an_entry_leaves_none_when_it_goes() {
    let place = place();
    save(&place.store, &place.key, &long(1)).await.unwrap();
    killed_sign_in(&place).await;
    let killed = std::fs::read(
        place
            .store
            .path(&place.key)
            .with_file_name(".work.json.tmp"),
    );
    let form: serde_json::Value = serde_json::from_slice(&killed.unwrap()).unwrap();
    let first = format!("qwen/work {}.0.0", form["id"].as_str().unwrap());
    let item = Entry::new_in_store(&place.fake.store(), "llm-auth", &first);
    item.unwrap().delete_credential().unwrap();
    let mut guard = place.store.lock(&place.key).await.unwrap();
    guard.remove().await.unwrap();
    guard.release().await;
    assert!(place.fake.entries().is_empty());
}

#[tokio::test]
async fn a_process_that_is_killed_after_the_replacement_leaves_entries_to_the_next_save() {
    let place = place();
    save(&place.store, &place.key, &long(1)).await.unwrap();
    let old = place.fake.entries();
    save(&place.store, &place.key, &long(2)).await.unwrap();
    // As if the removal had not happened.
    for (name, content) in &old {
        let item = Entry::new_in_store(&place.fake.store(), "llm-auth", name);
        item.unwrap().set_secret(content).unwrap();
    }
    save(&place.store, &place.key, &long(3)).await.unwrap();
    let after = place.fake.entries();
    assert!(old.keys().all(|name| !after.contains_key(name)));
    assert!(stored(&place).await.has_same_tokens(&session(3)));
}

#[tokio::test]
async fn a_keyring_that_answers_late_is_an_error_in_time_and_its_late_write_does_no_harm() {
    let place = place();
    save(&place.store, &place.key, &long(1)).await.unwrap();
    let before = place.fake.entries();
    let mut guard = place.store.lock(&place.key).await.unwrap();
    guard.prepare(Some(&noted(1))).await.unwrap();
    place.fake.hang(true);
    let error = guard.save(&long(2)).await.unwrap_err();
    assert_eq!(why(&error), Some(KeyringError::NoResponse));
    assert_eq!(error.kind(), ErrorKind::Store);
    place.fake.hang(false);
    place.fake.wait_until(|entries| *entries == before);
    assert!(stored(&place).await.has_same_tokens(&session(1)));
    guard.save(&long(2)).await.unwrap();
    guard.release().await;
    assert!(stored(&place).await.has_same_tokens(&session(2)));
    save(&place.store, &place.key, &long(3)).await.unwrap();
    let mut guard = place.store.lock(&place.key).await.unwrap();
    guard.remove().await.unwrap();
    guard.release().await;
    assert!(
        place.fake.entries().is_empty(),
        "{:?}",
        place.fake.entries().keys()
    );
}

#[tokio::test]
async fn a_write_that_ends_after_its_repetition_does_not_disturb_it() {
    let place = place();
    save(&place.store, &place.key, &long(1)).await.unwrap();
    let mut guard = place.store.lock(&place.key).await.unwrap();
    guard.prepare(Some(&noted(1))).await.unwrap();
    place.fake.hang_once();
    let error = guard.save(&long(2)).await.unwrap_err();
    assert_eq!(why(&error), Some(KeyringError::NoResponse));
    guard.save(&long(2)).await.unwrap();
    guard.release().await;
    assert!(stored(&place).await.has_same_tokens(&session(2)));
    place.fake.hang(false);
    place.fake.settle();
    // Its attempt has the number 0, that of the repetition 1.
    let is_first = |name: &String| name.contains(".0.");
    place
        .fake
        .wait_until(|entries| !entries.keys().any(is_first));
    assert!(stored(&place).await.has_same_tokens(&session(2)));
}

#[tokio::test]
async fn entries_are_removed_only_after_the_file_that_names_them_is_replaced() {
    let place = place();
    place.fake.watch(place.store.path(&place.key));
    for number in 1..4 {
        save(&place.store, &place.key, &long(number)).await.unwrap();
    }
    let mut guard = place.store.lock(&place.key).await.unwrap();
    guard.remove().await.unwrap();
    guard.release().await;
    assert!(place.fake.entries().is_empty());
    assert_eq!(place.fake.too_early(), Vec::<String>::new());
}

#[tokio::test]
async fn a_hanging_keyring_touches_no_store_of_another_kind() {
    let place = place();
    save(&place.store, &place.key, &session(1)).await.unwrap();
    place.fake.hang(true);
    let plain = FileTokenStore::directory(place.directory.path().join("plain"));
    let other = SessionKey::new("minimax", "other");
    let hanging: Vec<_> = (0..20)
        .map(|_| {
            let (store, key) = (place.store.clone(), place.key.clone());
            tokio::spawn(async move { store.load(&key).await })
        })
        .collect();
    save(&plain, &other, &session(5)).await.unwrap();
    assert!(plain.load(&other).await.unwrap().is_some());
    for load in hanging {
        let error = load.await.unwrap().unwrap_err();
        assert_eq!(why(&error), Some(KeyringError::NoResponse));
    }
    place.fake.hang(false);
    place.fake.settle();
    assert!(stored(&place).await.has_same_tokens(&session(1)));
}

#[tokio::test]
async fn a_lost_entry_is_damage_of_one_session_and_keeps_its_file() {
    let place = place();
    let other = SessionKey::new("qwen", "other");
    save(&place.store, &place.key, &long(1)).await.unwrap();
    save(&place.store, &other, &session(2)).await.unwrap();
    let name = place
        .fake
        .entries()
        .into_keys()
        .find(|name| name.ends_with(".2"))
        .unwrap();
    let item = Entry::new_in_store(&place.fake.store(), "llm-auth", &name);
    item.unwrap().delete_credential().unwrap();
    let error = place.store.load(&place.key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(place.store.load(&other).await.unwrap().is_some());
    save(&place.store, &place.key, &session(3)).await.unwrap();
    assert!(stored(&place).await.has_same_tokens(&session(3)));
}
