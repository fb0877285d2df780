//! A directory without a session takes another key.

use std::fs;
use std::path::Path;

use llm_auth_core::{ErrorKind, SessionKey, TokenStore as _};
use llm_auth_store_encrypted::Encryption;

use super::{KEY, save, session, store};

const OTHER: &[u8] = b"another-key-of-thirty-two-bytes!";

fn with_other(directory: &Path) -> llm_auth_core::Result<Encryption> {
    Encryption::with_key(directory, OTHER.to_vec().into())
}

fn key(account: &str) -> SessionKey {
    SessionKey::new("qwen", account)
}

async fn remove(directory: &Path, account: &str) {
    let mut guard = store(directory).lock(&key(account)).await.unwrap();
    guard.remove().await.unwrap();
    guard.release().await;
}

#[tokio::test]
async fn the_first_session_with_another_key_makes_it_that_of_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    save(&store(directory), &key("a"), &session(1)).await;
    with_other(directory).unwrap_err();
    remove(directory, "a").await;
    let other = with_other(directory).unwrap();
    assert!(other.replaces_another_key() && other.kept_with_former_key().is_empty());
    // Nothing is stored yet, and the former key is still that of the directory.
    store(directory);
    save(&other.store(), &key("a"), &session(2)).await;
    assert!(!other.replaces_another_key());
    save(&other.store(), &key("b"), &session(3)).await;
    let error = Encryption::with_key(directory, KEY.to_vec().into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    for (account, number) in [("a", 2), ("b", 3)] {
        let again = with_other(directory).unwrap().store();
        let found = again.load(&key(account)).await.unwrap().unwrap();
        assert!(found.has_same_tokens(&session(number)), "{account}");
    }
}

#[tokio::test]
async fn what_was_kept_aside_is_named_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let first = store(directory);
    save(&first, &key("a"), &session(1)).await;
    fs::write(first.path(&key("a")), "made-up damage").unwrap();
    // Damage may have been a session.
    with_other(directory).unwrap_err();
    save(&first, &key("a"), &session(2)).await;
    remove(directory, "a").await;
    let other = with_other(directory).unwrap();
    let [aside] = other.kept_with_former_key() else {
        panic!("{other:?}");
    };
    save(&other.store(), &key("a"), &session(3)).await;
    assert_eq!(fs::read_to_string(aside).unwrap(), "made-up damage");
    assert!(
        with_other(directory)
            .unwrap()
            .kept_with_former_key()
            .is_empty()
    );
}

#[tokio::test]
async fn a_successor_that_a_killed_process_left_keeps_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let first = store(directory);
    save(&first, &key("a"), &session(1)).await;
    let path = first.path(&key("a"));
    let unfinished = path.with_file_name(".a.json.tmp");
    let mut content = fs::read(&path).unwrap();
    content.extend([0; 64]);
    fs::rename(&path, &unfinished).unwrap();
    fs::write(&unfinished, &content).unwrap();
    with_other(directory).unwrap_err();
    // A part of one is none.
    fs::write(&unfinished, &content[..20]).unwrap();
    with_other(directory).unwrap();
}

#[tokio::test]
async fn a_session_that_is_stored_with_the_former_key_meanwhile_is_found_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let former = store(directory);
    let (first, second) = (
        with_other(directory).unwrap(),
        with_other(directory).unwrap(),
    );
    // Before the other key has taken the place, it is refused.
    save(&former, &key("a"), &session(1)).await;
    let mut guard = first.store().lock(&key("b")).await.unwrap();
    let error = guard.prepare(None).await.unwrap_err();
    assert!(error.to_string().contains("the key is wrong"), "{error}");
    guard.release().await;
    remove(directory, "a").await;
    // Afterwards each key has its own sessions.
    save(&second.store(), &key("b"), &session(2)).await;
    save(&former, &key("a"), &session(3)).await;
    let found = store(directory).load(&key("a")).await.unwrap().unwrap();
    assert!(found.has_same_tokens(&session(3)));
    let others = with_other(directory).unwrap().store();
    let found = others.load(&key("b")).await.unwrap().unwrap();
    assert!(found.has_same_tokens(&session(2)));
    let error = others.load(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
}
