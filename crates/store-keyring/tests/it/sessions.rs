//! The keyring of the system: GNOME Keyring on a D-Bus of its own. The ignored tests run in processes
//! that the others start, since the bus is named by the environment.

use std::path::PathBuf;
use std::time::Duration;

use llm_auth_core::{ErrorKind, SessionKey, TokenStore as _};
use llm_auth_store_keyring::{Keyring, KeyringError};
use llm_auth_testkit::Failures;

use super::secret_service::Session;
use super::{contract, save, session, why};

fn directory() -> PathBuf {
    PathBuf::from(std::env::var_os("MADE_UP_STORE").unwrap())
}

fn key() -> SessionKey {
    SessionKey::new("qwen", "work")
}

#[test]
fn gnome_keyring_keeps_the_contract_and_its_entries_outlive_it() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.keyring(true);
    session.run("contract_of_the_system");
    session.run("one_is_stored");
    // A new one reads what the old one wrote to its disk.
    session.keyring(true);
    session.run("one_is_there");
    // Nothing of it is in our files.
    for file in walk(&session.store()) {
        let content = std::fs::read(&file).unwrap();
        let found = content.windows(7).any(|part| part == b"made-up");
        assert!(!found, "{}", file.display());
    }
    // It is stopped: then a call ends in time, and the next one succeeds.
    session.signal("-STOP");
    session.run("it_does_not_respond");
    session.signal("-CONT");
    session.run("one_is_there");
    // It is locked: nothing is lost either.
    session.keyring(false);
    session.run("it_is_locked");
    session.keyring(true);
    session.run("one_is_there");
}

fn walk(directory: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => walk(&path),
            path => vec![path],
        })
        .collect()
}

#[test]
fn a_locked_database_that_hides_its_entries_is_no_damage() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.keyring(true);
    session.run("one_is_stored");
    let locked = session.hide(true);
    session.run("it_hides_as_it_is_locked");
    drop(locked);
    let closed = session.hide(false);
    session.run("it_hides_without_a_database");
    drop(closed);
    session.keyring(true);
    session.run("one_is_there");
}

#[test]
fn a_bus_without_a_keyring_and_no_bus_at_all_are_no_lock() {
    let Some(session) = Session::start() else {
        return;
    };
    session.run("it_is_absent");
    let mut nowhere = session.test("it_is_absent");
    nowhere.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/made-up/bus");
    assert!(nowhere.status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a session: others run it"]
async fn contract_of_the_system() -> Result<(), Failures> {
    let keyring = Keyring::of_system();
    keyring.probe().unwrap();
    contract(keyring.longest_entry(20_000), 4, &directory()).await
}

#[tokio::test]
#[ignore = "needs a session: others run it"]
async fn one_is_stored() {
    let store = Keyring::of_system().store(directory());
    save(&store, &key(), &session(1)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a session: others run it"]
async fn one_is_there() {
    let store = Keyring::of_system().store(directory());
    let found = store.load(&key()).await.unwrap();
    assert!(found.unwrap().has_same_tokens(&session(1)));
}

#[tokio::test]
#[ignore = "needs a session: others run it"]
async fn it_does_not_respond() {
    fails_as(&[KeyringError::NoResponse]).await;
}

#[tokio::test]
#[ignore = "needs a session: others run it"]
async fn it_is_locked() {
    fails_as(&[KeyringError::Locked]).await;
}

#[tokio::test]
#[ignore = "needs a session: others run it"]
async fn it_hides_as_it_is_locked() {
    uses_fail_as(&[KeyringError::Locked], Duration::from_secs(10)).await;
}

#[tokio::test]
#[ignore = "needs a session: others run it"]
async fn it_hides_without_a_database() {
    uses_fail_as(&[KeyringError::Absent], Duration::from_secs(10)).await;
}

#[tokio::test]
#[ignore = "needs a session: others run it"]
async fn it_is_absent() {
    let keyring = Keyring::of_system().wait(Duration::from_secs(10));
    assert_eq!(
        why(&keyring.probe().unwrap_err()),
        Some(KeyringError::Absent)
    );
    let store = keyring.store(directory());
    let error = save(&store, &key(), &session(1)).await.unwrap_err();
    assert_eq!(why(&error), Some(KeyringError::Absent));
}

/// Every use fails so, and changes nothing.
async fn fails_as(expected: &[KeyringError]) {
    let wait = Duration::from_millis(400);
    let error = Keyring::of_system().wait(wait).probe().unwrap_err();
    assert!(expected.contains(&why(&error).unwrap()), "{error:?}");
    uses_fail_as(expected, wait).await;
}

/// Every use of the stored session does.
async fn uses_fail_as(expected: &[KeyringError], wait: Duration) {
    let store = Keyring::of_system().wait(wait).store(directory());
    let error = store.load(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(expected.contains(&why(&error).unwrap()), "{error:?}");
    let error = save(&store, &key(), &session(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(expected.contains(&why(&error).unwrap()), "{error:?}");
    let mut guard = store.lock(&key()).await.unwrap();
    assert_eq!(guard.remove().await.unwrap_err().kind(), ErrorKind::Store);
}
