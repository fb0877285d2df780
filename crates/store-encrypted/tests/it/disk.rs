//! What a reader of the disk sees.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use llm_auth_core::store::RefreshRecord;
use llm_auth_core::{SessionKey, Timestamp, TokenStore as _};

use super::{save, session, store};

/// The files below a directory that contain the text.
fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if let Ok(content) = std::fs::read(&path)
            && content
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_ever_contains_a_token_not_even_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (store, key) = (store(directory.path()), SessionKey::new("qwen", "work"));
    let done = Arc::new(AtomicBool::new(false));
    let watching = {
        let (path, done) = (directory.path().to_owned(), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut found = Vec::new();
            while !done.load(Ordering::SeqCst) {
                found.extend(files_with(&path, "made-up"));
            }
            found
        })
    };
    for number in 0..30 {
        let mut guard = store.lock(&key).await.unwrap();
        let mut noted = session(number);
        let fingerprint = noted.refresh.as_ref().unwrap().fingerprint();
        let record = RefreshRecord::new(fingerprint, Timestamp::from_unix_millis(1_000));
        noted.metadata.in_progress = Some(Box::new(record));
        guard.prepare(Some(&noted)).await.unwrap();
        guard.save(&session(number)).await.unwrap();
        guard.release().await;
    }
    done.store(true, Ordering::SeqCst);
    assert_eq!(watching.join().unwrap(), Vec::<String>::new());
    assert_eq!(
        files_with(directory.path(), "made-up"),
        Vec::<String>::new()
    );
    // The search does find what is there.
    assert_eq!(files_with(directory.path(), "AES").len(), 0);
    assert_eq!(files_with(directory.path(), "sealed_by").len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_successor_that_cannot_be_moved_into_place_waits_encrypted() {
    let directory = tempfile::tempdir().unwrap();
    let (store, key) = (store(directory.path()), SessionKey::new("qwen", "work"));
    save(&store, &key, &session(1)).await;
    let mut guard = store.lock(&key).await.unwrap();
    let mut noted = session(1);
    let fingerprint = noted.refresh.as_ref().unwrap().fingerprint();
    let record = RefreshRecord::new(fingerprint, Timestamp::from_unix_millis(1_000));
    noted.metadata.in_progress = Some(Box::new(record));
    guard.prepare(Some(&noted)).await.unwrap();
    // Its successor, as the death of this process before the rename leaves it.
    let (path, old) = (store.path(&key), directory.path().join("old"));
    std::fs::copy(&path, &old).unwrap();
    guard.save(&session(2)).await.unwrap();
    guard.release().await;
    std::fs::rename(&path, path.with_file_name(".work.json.tmp")).unwrap();
    std::fs::rename(&old, &path).unwrap();

    let found = super::store(directory.path()).load(&key).await.unwrap();
    assert!(found.unwrap().has_same_tokens(&session(2)));
    assert_eq!(
        files_with(directory.path(), "made-up"),
        Vec::<String>::new()
    );
}
