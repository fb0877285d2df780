//! What a save needs, and what the next process finds after an unfinished one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use llm_auth_core::store::{LockHolder, StoreGuard};
use llm_auth_core::{ErrorKind, FileTokenStore, OAuthToken, TokenStore as _};
use serde_json::Value;
use tempfile::TempDir;

use super::{at, key, save, token};

/// Set in a process that a test started for itself.
#[cfg(unix)]
const IN_CHILD: &str = "LLM_AUTH_TEST_CHILD";

/// A session as a refresh got it, with a refresh token of its own.
fn session(name: &str) -> OAuthToken {
    let mut session = token(name);
    session.refresh = Some(format!("made-up-refresh-{name}").as_str().into());
    session
}

/// The session with the record that its refresh token is about to be spent.
fn noted(session: &OAuthToken) -> OAuthToken {
    let refresh = session.refresh.as_ref().unwrap().fingerprint();
    let intent = serde_json::json!({"refresh_fingerprint": refresh, "at": 1_000});
    let mut noted = session.clone();
    noted.metadata.in_progress = Some(Box::new(serde_json::from_value(intent).unwrap()));
    noted
}

/// A store with the session `a1` in it, locked and prepared for a refresh.
async fn prepared(directory: &TempDir) -> (FileTokenStore, Box<dyn StoreGuard>) {
    let store = FileTokenStore::file(at(directory, "t.json"));
    save(&store, &session("a1")).await.unwrap();
    let mut guard = store.lock(&key()).await.unwrap();
    let stored = guard.load().await.unwrap().unwrap();
    guard.prepare(Some(&noted(&stored))).await.unwrap();
    (store, guard)
}

/// The leftovers of a process whose rename failed for good: the old file, and its companion.
async fn left_by_a_failed_rename(directory: &TempDir) -> FileTokenStore {
    let (store, mut guard) = prepared(directory).await;
    without_rename(directory, async {
        let error = guard.save(&session("a2")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        // It stays so however often it is tried.
        guard.save(&session("a2")).await.unwrap_err();
        drop(guard);
    })
    .await;
    store
}

/// No file can be renamed to the name of the token file meanwhile.
async fn without_rename(directory: &TempDir, work: impl Future<Output = ()>) {
    let (file, away) = (at(directory, "t.json"), at(directory, "away"));
    let was_there = fs::rename(&file, &away).is_ok();
    fs::create_dir_all(file.join("in the way")).unwrap();
    work.await;
    fs::remove_dir_all(&file).unwrap();
    if was_there {
        fs::rename(&away, &file).unwrap();
    }
}

fn temporary(directory: &TempDir) -> PathBuf {
    at(directory, ".t.json.tmp")
}

fn in_file(path: &Path) -> String {
    let json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    json["access"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn to_prepare_leaves_the_session_file_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let (_store, guard) = prepared(&directory).await;
    let file = at(&directory, "t.json");
    let before = fs::read(&file).unwrap();
    assert!(!String::from_utf8_lossy(&before).contains("intent"));
    drop(guard);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!temporary(&directory).exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_save_goes_where_it_was_prepared_even_if_links_and_names_change() {
    let directory = tempfile::tempdir().unwrap();
    let (inner, link) = (at(&directory, "inner"), at(&directory, "link.json"));
    fs::create_dir(&inner).unwrap();
    std::os::unix::fs::symlink("inner/t.json", &link).unwrap();
    let store = FileTokenStore::file(&link);
    save(&store, &session("a1")).await.unwrap();
    let mut guard = store.lock(&key()).await.unwrap();
    let stored = guard.load().await.unwrap().unwrap();
    guard.prepare(Some(&noted(&stored))).await.unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("elsewhere.json", &link).unwrap();
    let moved = at(&directory, "moved");
    fs::rename(&inner, &moved).unwrap();
    guard.save(&session("a2")).await.unwrap();
    assert_eq!(in_file(&moved.join("t.json")), "a2");
    assert!(!at(&directory, "elsewhere.json").exists());
}

#[tokio::test]
async fn a_save_does_not_look_at_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut guard) = prepared(&directory).await;
    fs::remove_file(at(&directory, "t.json")).unwrap();
    guard.save(&session("a2")).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(session("a2")));
}

#[cfg(unix)]
#[test]
fn a_save_that_was_prepared_opens_nothing() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "file_store::saves::saves_without_descriptors",
        ])
        .env(IN_CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

/// In a process of its own, since the limit is the process's.
#[cfg(unix)]
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn saves_without_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if std::env::var_os(IN_CHILD).is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (store, mut guard) = prepared(&directory).await;
    let before = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(0),
        ..before
    };
    setrlimit(Resource::Nofile, none).unwrap();
    fs::File::open("/").unwrap_err();
    guard.save(&session("a2")).await.unwrap();
    setrlimit(Resource::Nofile, before).unwrap();
    drop(guard);
    assert_eq!(store.load(&key()).await.unwrap(), Some(session("a2")));
}

/// Runs an ignored test of this module in a process of its own, in this directory.
#[cfg(unix)]
fn child(name: &str, directory: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", name])
        .current_dir(directory)
        .env(IN_CHILD, "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_that_is_killed_after_it_prepared_leaves_its_note_and_a_free_lock() {
    use std::io::{BufRead as _, BufReader};
    let directory = tempfile::tempdir().unwrap();
    let mut process = child("file_store::saves::prepares_and_waits", directory.path());
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("prepared")));
    assert!(temporary(&directory).exists());
    process.kill().unwrap();
    process.wait().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    let store = store.lock_wait(std::time::Duration::ZERO);
    assert_eq!(store.read(&key()).unwrap(), Some(noted(&session("a1"))));
    let mut guard = store.lock(&key()).await.unwrap();
    assert_eq!(guard.load().await.unwrap(), Some(noted(&session("a1"))));
    assert!(!temporary(&directory).exists());
}

#[cfg(unix)]
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn prepares_and_waits() {
    if std::env::var_os(IN_CHILD).is_none() {
        return;
    }
    let store = FileTokenStore::file("t.json");
    save(&store, &session("a1")).await.unwrap();
    let mut guard = store.lock(&key()).await.unwrap();
    guard.prepare(Some(&noted(&session("a1")))).await.unwrap();
    println!("prepared");
    // Until the waiting caller is gone.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

#[tokio::test]
async fn a_successor_that_did_not_get_into_place_is_found_by_the_next_holder_of_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let store = left_by_a_failed_rename(&directory).await;
    assert_eq!(in_file(&at(&directory, "t.json")), "a1");
    let mut guard = store.lock(&key()).await.unwrap();
    assert_eq!(guard.load().await.unwrap(), Some(session("a2")));
    assert_eq!(in_file(&at(&directory, "t.json")), "a2");
    assert!(!temporary(&directory).exists());
}

#[tokio::test]
async fn a_reader_without_the_lock_moves_the_successor_into_place_too() {
    let directory = tempfile::tempdir().unwrap();
    let store = left_by_a_failed_rename(&directory).await;
    assert_eq!(store.read(&key()).unwrap(), Some(session("a2")));
    // Programs that know nothing of successors read it there.
    assert_eq!(in_file(&at(&directory, "t.json")), "a2");
    assert!(!temporary(&directory).exists());
    assert_eq!(store.lock_holder(&key()).unwrap(), LockHolder::Free);
}

#[tokio::test]
async fn a_successor_that_cannot_be_moved_counts_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let store = left_by_a_failed_rename(&directory).await;
    // A lock file that this process may not open.
    fs::remove_file(at(&directory, "t.json.lock")).unwrap();
    fs::create_dir(at(&directory, "t.json.lock")).unwrap();
    assert_eq!(store.read(&key()).unwrap(), Some(session("a2")));
    assert_eq!(in_file(&at(&directory, "t.json")), "a1");
}

#[tokio::test]
async fn a_save_that_failed_succeeds_when_it_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut guard) = prepared(&directory).await;
    without_rename(&directory, async {
        guard.save(&session("a2")).await.unwrap_err();
    })
    .await;
    guard.save(&session("a2")).await.unwrap();
    drop(guard);
    assert_eq!(store.read(&key()).unwrap(), Some(session("a2")));
    assert!(!temporary(&directory).exists());
}

#[tokio::test]
async fn the_next_refresh_begins_with_the_successor_that_was_found() {
    let directory = tempfile::tempdir().unwrap();
    let store = left_by_a_failed_rename(&directory).await;
    let mut guard = store.lock(&key()).await.unwrap();
    let stored = guard.load().await.unwrap().unwrap();
    guard.prepare(Some(&noted(&stored))).await.unwrap();
    guard.save(&session("a3")).await.unwrap();
    assert_eq!(guard.load().await.unwrap(), Some(session("a3")));
}

#[tokio::test]
async fn a_refresh_is_not_prepared_with_a_session_that_has_a_successor() {
    let directory = tempfile::tempdir().unwrap();
    let store = left_by_a_failed_rename(&directory).await;
    let mut guard = store.lock(&key()).await.unwrap();
    let dead = noted(&session("a1"));
    let error = guard.prepare(Some(&dead)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(guard.load().await.unwrap(), Some(session("a2")));
}

#[tokio::test]
async fn a_temporary_file_is_not_believed_for_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = left_by_a_failed_rename(&directory).await;
    let successor = fs::read(temporary(&directory)).unwrap();
    let cut = successor[..successor.len() / 2].to_vec();
    let plain = serde_json::to_vec(&session("planted")).unwrap();
    for (content, stored) in [
        (plain, "a1"),
        (cut, "a1"),
        (Vec::new(), "a1"),
        (vec![0; 4096], "a1"),
        // It replaces another session.
        (successor, "b1"),
    ] {
        fs::remove_file(at(&directory, "t.json")).unwrap();
        fs::write(
            at(&directory, "t.json"),
            serde_json::to_vec(&session(stored)).unwrap(),
        )
        .unwrap();
        fs::write(temporary(&directory), content).unwrap();
        fs::write(at(&directory, "t.json.lock"), "").unwrap();
        assert_eq!(store.read(&key()).unwrap(), Some(session(stored)));
        let mut guard = store.lock(&key()).await.unwrap();
        assert_eq!(guard.load().await.unwrap(), Some(session(stored)));
        assert!(!temporary(&directory).exists());
    }
}

#[tokio::test]
async fn a_successor_of_a_session_that_is_gone_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let store = left_by_a_failed_rename(&directory).await;
    fs::remove_file(at(&directory, "t.json")).unwrap();
    assert_eq!(store.read(&key()).unwrap(), None);
    let mut guard = store.lock(&key()).await.unwrap();
    assert_eq!(guard.load().await.unwrap(), None);
    assert!(!temporary(&directory).exists());
}

#[tokio::test]
async fn a_sign_in_that_could_not_be_stored_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    save(&store, &session("a1")).await.unwrap();
    let mut guard = store.lock(&key()).await.unwrap();
    guard.prepare(Some(&session("a1"))).await.unwrap();
    without_rename(&directory, async {
        guard.save(&session("b1")).await.unwrap_err();
        drop(guard);
    })
    .await;
    assert!(!temporary(&directory).exists());
    assert_eq!(store.read(&key()).unwrap(), Some(session("a1")));
}

#[tokio::test]
async fn while_another_process_is_at_work_the_stored_session_counts() {
    let directory = tempfile::tempdir().unwrap();
    let store = left_by_a_failed_rename(&directory).await;
    let guard = store.lock(&key()).await.unwrap();
    assert_eq!(store.read(&key()).unwrap(), Some(noted(&session("a1"))));
    drop(guard);
    assert_eq!(store.read(&key()).unwrap(), Some(session("a2")));
}

#[tokio::test]
async fn the_note_of_intent_outlives_its_holder_and_is_told_with_and_without_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let (store, guard) = prepared(&directory).await;
    drop(guard);
    let wanted = Some(noted(&session("a1")));
    assert_eq!(store.read(&key()).unwrap(), wanted);
    // Taking and leaving the lock does not lose it.
    drop(store.lock(&key()).await.unwrap());
    let mut guard = store.lock(&key()).await.unwrap();
    assert_eq!(guard.load().await.unwrap(), wanted);
    // A session without the record clears it.
    guard.prepare(Some(&session("a1"))).await.unwrap();
    assert_eq!(guard.load().await.unwrap(), Some(session("a1")));
}

#[tokio::test]
async fn the_note_of_intent_says_nothing_of_the_next_session_even_with_the_same_refresh_token() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut guard) = prepared(&directory).await;
    let lock = at(&directory, "t.json.lock");
    let note = fs::read(&lock).unwrap();
    let mut next = session("a2");
    next.refresh = session("a1").refresh;
    guard.save(&next).await.unwrap();
    assert_eq!(guard.load().await.unwrap(), Some(next.clone()));
    drop(guard);
    assert_eq!(store.read(&key()).unwrap(), Some(next.clone()));
    // As if the process had died before it cleared the record.
    fs::write(&lock, note).unwrap();
    assert_eq!(store.read(&key()).unwrap(), Some(next));
}

#[tokio::test]
async fn a_note_of_intent_inside_an_old_session_file_counts() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    save(&store, &noted(&session("a1"))).await.unwrap();
    assert!(store.read(&key()).unwrap().unwrap().may_be_spent());
    let mut guard = store.lock(&key()).await.unwrap();
    assert!(guard.load().await.unwrap().unwrap().may_be_spent());
    // A newer one goes before it.
    let mut newer = noted(&session("a1"));
    let intent = newer.metadata.in_progress.as_mut().unwrap();
    intent.at = llm_auth_core::Timestamp::from_unix_millis(2_000);
    guard.prepare(Some(&newer)).await.unwrap();
    assert_eq!(guard.load().await.unwrap(), Some(newer));
}

#[tokio::test]
async fn a_guard_that_is_released_leaves_the_lock_and_nothing_beside() {
    let directory = tempfile::tempdir().unwrap();
    let (store, guard) = prepared(&directory).await;
    guard.release().await;
    assert!(!temporary(&directory).exists());
    let impatient = store.lock_wait(std::time::Duration::ZERO);
    impatient.lock(&key()).await.unwrap();
}
