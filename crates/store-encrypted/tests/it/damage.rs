//! Wrong keys, damage, and files in the wrong place: each is what it is, and nothing is lost.

use std::error::Error as _;
use std::fs;

use llm_auth_core::{Error, ErrorKind, FileTokenStore, SessionKey, TokenStore as _};
use llm_auth_store_encrypted::{Encryption, WrongKey};

use super::{KEY, save, session, store};

const LABEL: &str = r#""sealed_by":"encrypted""#;

fn is_wrong_key(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.is::<WrongKey>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[tokio::test]
async fn a_wrong_key_is_no_damage_and_replaces_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let key = SessionKey::new("qwen", "work");
    save(&store(directory.path()), &key, &session(1)).await;
    let other = b"another-key-of-thirty-two-bytes!".to_vec();
    let error = Encryption::with_key(directory.path(), other.clone().into()).unwrap_err();
    assert!(is_wrong_key(&error), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Store);

    // Of files that came from another directory.
    let elsewhere = tempfile::tempdir().unwrap();
    let wrong = Encryption::with_key(elsewhere.path(), other.into())
        .unwrap()
        .store();
    save(&wrong, &SessionKey::new("qwen", "own"), &session(2)).await;
    let (from, to) = (store(directory.path()).path(&key), wrong.path(&key));
    fs::copy(&from, &to).unwrap();
    let before = fs::read(&to).unwrap();
    let error = wrong.load(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(is_wrong_key(&error), "{error:?}");
    let mut guard = wrong.lock(&key).await.unwrap();
    assert_eq!(
        guard.prepare(None).await.unwrap_err().kind(),
        ErrorKind::Store
    );
    assert_eq!(
        guard.save(&session(3)).await.unwrap_err().kind(),
        ErrorKind::Store
    );
    assert_eq!(guard.remove().await.unwrap_err().kind(), ErrorKind::Store);
    guard.release().await;
    assert_eq!(fs::read(&to).unwrap(), before);
    let own = wrong.load(&SessionKey::new("qwen", "own")).await.unwrap();
    assert!(own.unwrap().has_same_tokens(&session(2)));
}

#[tokio::test]
async fn damage_at_any_byte_is_noticed_and_is_not_a_wrong_key() {
    let directory = tempfile::tempdir().unwrap();
    let (store, key) = (store(directory.path()), SessionKey::new("qwen", "work"));
    save(&store, &key, &session(1)).await;
    let path = store.path(&key);
    let whole = fs::read(&path).unwrap();
    // A file of another kind of store.
    let label = String::from_utf8_lossy(&whole).find(LABEL).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let error = match store.read(&key) {
            // A name that means nothing, or a member that is not used.
            Ok(Some(token)) if token.has_same_tokens(&session(1)) => continue,
            read => read.unwrap_err(),
        };
        assert!(!is_wrong_key(&error), "byte {at}: {error:?}");
        let is_label = (label..label + LABEL.len()).contains(&at);
        let is_corrupt = error.kind() == ErrorKind::Corrupt;
        assert!(is_corrupt || is_label, "byte {at}: {error:?}");
    }
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(
            store.read(&key).unwrap_err().kind(),
            ErrorKind::Corrupt,
            "{length}"
        );
    }
    // A sign-in goes on, and keeps what was there.
    save(&store, &key, &session(2)).await;
    let aside = fs::read_dir(path.parent().unwrap()).unwrap().flatten();
    let aside = aside.filter(|entry| entry.file_name().to_string_lossy().contains(".corrupt-"));
    assert_eq!(aside.count(), 1);
}

#[tokio::test]
async fn a_file_of_a_later_version_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let (store, key) = (store(directory.path()), SessionKey::new("qwen", "work"));
    save(&store, &key, &session(1)).await;
    let written = fs::read_to_string(store.path(&key)).unwrap();
    let later = written.replace(r#""v":1"#, r#""v":2"#);
    assert_ne!(later, written);
    fs::write(store.path(&key), later).unwrap();
    let error = store.read(&key).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    let why = error.source().unwrap().to_string();
    assert!(why.contains("update llm-auth"), "{why}");
}

#[tokio::test]
async fn a_file_of_another_account_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    let (one, two) = (
        SessionKey::new("qwen", "one"),
        SessionKey::new("qwen", "two"),
    );
    save(&store, &one, &session(1)).await;
    save(&store, &two, &session(2)).await;
    fs::copy(store.path(&one), store.path(&two)).unwrap();
    assert_eq!(store.read(&two).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(
        store
            .read(&one)
            .unwrap()
            .unwrap()
            .has_same_tokens(&session(1))
    );
}

#[tokio::test]
async fn plain_and_encrypted_files_are_never_taken_for_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let (encrypted, key) = (store(directory.path()), SessionKey::new("qwen", "work"));
    let plain = FileTokenStore::directory(directory.path());
    save(&encrypted, &key, &session(1)).await;
    for (there, other) in [(&encrypted, &plain), (&plain, &encrypted)] {
        fs::remove_file(there.path(&key)).unwrap();
        save(there, &key, &session(1)).await;
        let before = fs::read(there.path(&key)).unwrap();
        assert_eq!(other.load(&key).await.unwrap_err().kind(), ErrorKind::Store);
        let mut guard = other.lock(&key).await.unwrap();
        assert_eq!(
            guard.save(&session(2)).await.unwrap_err().kind(),
            ErrorKind::Store
        );
        assert_eq!(guard.remove().await.unwrap_err().kind(), ErrorKind::Store);
        guard.release().await;
        assert_eq!(fs::read(there.path(&key)).unwrap(), before);
    }
}

#[tokio::test]
async fn the_sessions_open_without_the_header_of_their_directory() {
    let directory = tempfile::tempdir().unwrap();
    let key = SessionKey::new("qwen", "work");
    save(&store(directory.path()), &key, &session(1)).await;
    fs::remove_file(directory.path().join(".encryption.json")).unwrap();
    let store = store(directory.path());
    let found = store.load(&key).await.unwrap();
    assert!(found.unwrap().has_same_tokens(&session(1)));
    assert_eq!(store.providers().unwrap(), ["qwen"]);
}

#[test]
fn keys_that_can_be_guessed_and_headers_that_ask_for_too_much_are_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let open = |key: &[u8]| Encryption::with_key(directory.path(), key.to_vec().into());
    for short in [&b""[..], b"\n", b"made-up\n"] {
        assert_eq!(open(short).unwrap_err().kind(), ErrorKind::Config);
    }
    open(KEY).unwrap();
    let header = directory.path().join(".encryption.json");
    let salt = "AAAAAAAAAAAAAAAAAAAAAA";
    let kdf = r#"{"name":"argon2id","memory_kib":4294967295,"passes":1,"lanes":1}"#;
    let greedy = format!(r#"{{"kdf":{kdf},"salt":"{salt}","check":""}}"#);
    for content in ["", "{}", &greedy] {
        fs::write(&header, content).unwrap();
        let error = open(KEY).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{content}");
        assert!(!is_wrong_key(&error), "{content}");
    }
}
