//! The locations, owners and permissions of token files, and what the store rejects.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::Path;

use llm_auth_core::{ErrorKind, FileTokenStore, OAuthToken, SessionKey, TokenStore as _, files};

use super::{at, key, mode, save, set_mode, token};

/// Only the administrator may give files away.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A made-up user with nothing but what a test provides.
const USER: u32 = 54_321;

fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.uid(), metadata.gid())
}

async fn refused_by_prepare(store: &FileTokenStore) -> String {
    let mut guard = store.lock(&key()).await.unwrap();
    let error = guard.prepare(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    format!("{error:?}")
}

#[tokio::test]
async fn a_token_file_with_a_second_name_is_refused_before_anything_is_spent() {
    let directory = tempfile::tempdir().unwrap();
    let (file, second) = (at(&directory, "t.json"), at(&directory, "second.json"));
    let store = FileTokenStore::file(&file);
    save(&store, &token("a1")).await.unwrap();
    fs::hard_link(&file, &second).unwrap();
    let why = refused_by_prepare(&store).await;
    assert!(why.contains("hard link"), "{why}");
    assert!(save(&store, &token("a2")).await.is_err());
    assert_eq!(store.read(&key()).unwrap(), Some(token("a1")));
    fs::remove_file(&second).unwrap();
    save(&store, &token("a2")).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_told_to_be_a_link_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(at(&directory, "plain"), "").unwrap();
    let long = "x".repeat(300);
    for path in [
        // ENOTDIR, ENAMETOOLONG, ELOOP
        at(&directory, "plain/t.json"),
        at(&directory, &long),
        at(&directory, "loop/t.json"),
    ] {
        if path.starts_with(at(&directory, "loop")) {
            symlink("loop", at(&directory, "loop")).unwrap();
        }
        let store = FileTokenStore::file(&path);
        let error = store.lock(&key()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().contains("follow the links"), "{error}");
    }
}

#[tokio::test]
async fn a_link_to_nothing_is_kept_and_its_target_made() {
    let directory = tempfile::tempdir().unwrap();
    symlink("inner/t.json", at(&directory, "link.json")).unwrap();
    let store = FileTokenStore::file(at(&directory, "link.json"));
    save(&store, &token("a1")).await.unwrap();
    assert!(at(&directory, "inner/t.json").exists());
    assert!(at(&directory, "link.json").is_symlink());
}

#[tokio::test]
async fn a_sign_out_leaves_no_temporary_file() {
    let directory = tempfile::tempdir().unwrap();
    let (file, left) = (at(&directory, "t.json"), at(&directory, ".t.json.tmp"));
    let store = FileTokenStore::file(&file);
    for is_signed_in in [true, false] {
        if is_signed_in {
            save(&store, &token("a1")).await.unwrap();
        }
        let mut guard = store.lock(&key()).await.unwrap();
        fs::write(&left, "made-up-refresh").unwrap();
        guard.remove().await.unwrap();
        assert!(!left.exists() && !file.exists());
        // Nothing that was prepared is left behind either.
        guard.prepare(None).await.unwrap();
        assert!(left.exists());
        guard.remove().await.unwrap();
        assert!(!left.exists());
    }
}

#[tokio::test]
async fn what_is_unreadable_is_kept_aside_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    for by_sign_out in [false, true] {
        fs::write(at(&directory, "t.json"), "made-up").unwrap();
        set_mode(&at(&directory, "t.json"), 0o644);
        if by_sign_out {
            let mut guard = store.lock(&key()).await.unwrap();
            guard.remove().await.unwrap();
        } else {
            save(&store, &token("a1")).await.unwrap();
        }
        let aside = fs::read_dir(directory.path()).unwrap();
        let aside = aside
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains(".corrupt-"))
            .unwrap();
        assert_eq!(mode(&aside), 0o600);
        assert_eq!(fs::read_to_string(&aside).unwrap(), "made-up");
        fs::remove_file(aside).unwrap();
    }
}

#[tokio::test]
async fn the_administrator_leaves_files_and_directories_to_the_user_whose_they_are() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let home = at(&directory, "home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(USER), Some(USER + 1)).unwrap();
    let store = FileTokenStore::directory(home.join(".local/share/llm-auth/sessions"));
    save(&store, &token("a1")).await.unwrap();
    let file = store.path(&key());
    let mut place = file.as_path();
    while place != home {
        assert_eq!(owner(place), (USER, USER + 1), "{}", place.display());
        place = place.parent().unwrap();
    }
    assert_eq!(owner(&file.with_file_name("work.json.lock")).0, USER);
    // Also a file that is replaced, in a directory of the administrator's.
    let file = at(&directory, "t.json");
    let store = FileTokenStore::file(&file);
    save(&store, &token("a1")).await.unwrap();
    assert_eq!(owner(&file).0, 0);
    chown(&file, Some(USER), Some(USER)).unwrap();
    save(&store, &token("a2")).await.unwrap();
    assert_eq!(owner(&file), (USER, USER));
}

#[tokio::test]
async fn the_size_of_a_session_is_refused_when_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    let of_size = |size: usize| {
        let mut large = token("a2");
        large.extra.0.insert("x".into(), "y".repeat(size).into());
        large
    };
    save(&store, &token("a1")).await.unwrap();
    let error = save(&store, &of_size(1 << 20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(format!("{error:?}").contains("1 MiB"), "{error:?}");
    assert_eq!(store.read(&key()).unwrap(), Some(token("a1")));
    // What leaves a successor no room is known before the refresh token is spent.
    let nearly = of_size((1 << 20) - 4096);
    save(&store, &nearly).await.unwrap();
    assert_eq!(store.read(&key()).unwrap().as_ref(), Some(&nearly));
    let mut guard = store.lock(&key()).await.unwrap();
    let error = guard.prepare(Some(&nearly)).await.unwrap_err();
    assert!(format!("{error:?}").contains("1 MiB"), "{error:?}");
}

#[tokio::test]
async fn a_relative_path_is_that_of_the_moment_when_the_store_was_built() {
    let relative = FileTokenStore::file("t.json");
    let here = std::env::current_dir().unwrap();
    assert_eq!(relative.path(&key()), here.join("t.json"));
    let directory = FileTokenStore::directory("below/../sessions");
    assert!(directory.path(&key()).is_absolute());
    // An empty path is no location, which is an error at the first use.
    let nowhere = FileTokenStore::file("");
    let error = nowhere.read(&key()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(nowhere.lock(&key()).await.is_err() && nowhere.load(&key()).await.is_err());
    assert!(FileTokenStore::directory("").sessions().is_err());
}

#[tokio::test]
async fn a_directory_in_which_others_may_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let place = at(&directory, "place");
    fs::create_dir(&place).unwrap();
    let store = FileTokenStore::file(place.join("t.json"));
    save(&store, &token("a1")).await.unwrap();
    set_mode(&place, 0o777);
    for error in [
        store.read(&key()).unwrap_err(),
        store.lock(&key()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(format!("{error:?}").contains("chmod go-w"), "{error:?}");
    }
    if is_root() {
        // A group that is not the owner's private one counts as other users.
        set_mode(&place, 0o770);
        chown(&place, None, Some(USER)).unwrap();
        assert!(store.read(&key()).is_err());
        set_mode(&place, 0o750);
    } else {
        set_mode(&place, 0o770);
    }
    assert_eq!(store.read(&key()).unwrap(), Some(token("a1")));
}

#[tokio::test]
async fn in_a_directory_that_users_share_no_link_and_no_other_users_file_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let shared = at(&directory, "shared");
    fs::create_dir(&shared).unwrap();
    set_mode(&shared, 0o1777);
    let (file, lock) = (shared.join("t.json"), shared.join("t.json.lock"));
    let store = FileTokenStore::file(&file);
    save(&store, &token("a1")).await.unwrap();

    fs::rename(&file, at(&directory, "t.json")).unwrap();
    symlink("../t.json", &file).unwrap();
    assert!(store.read(&key()).is_err());
    assert!(store.lock(&key()).await.is_err());
    fs::remove_file(&file).unwrap();
    fs::rename(at(&directory, "t.json"), &file).unwrap();

    fs::remove_file(&lock).unwrap();
    symlink("../victim", &lock).unwrap();
    assert!(store.lock(&key()).await.is_err());
    assert!(!at(&directory, "victim").exists());
    fs::remove_file(&lock).unwrap();

    if is_root() {
        fs::write(&lock, "").unwrap();
        chown(&lock, Some(USER), None).unwrap();
        assert!(store.lock(&key()).await.is_err());
        fs::remove_file(&lock).unwrap();
        chown(&file, Some(USER), None).unwrap();
        assert!(store.read(&key()).is_err());
        assert!(save(&store, &token("a2")).await.is_err());
    }
}

#[tokio::test]
async fn a_lock_file_is_a_regular_file_with_one_name_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    let (lock, other) = (at(&directory, "t.json.lock"), at(&directory, "other"));
    let refused = async |why: &str| {
        let error = store.lock(&key()).await.unwrap_err();
        assert!(format!("{error:?}").contains(why), "{error:?}");
    };
    fs::write(&other, "precious").unwrap();
    fs::hard_link(&other, &lock).unwrap();
    refused("hard link").await;
    fs::remove_file(&lock).unwrap();
    symlink("other", &lock).unwrap();
    refused("link").await;
    assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
    fs::remove_file(&lock).unwrap();
    pipe(&lock);
    refused("no regular file").await;
    assert!(store.lock_holder(&key()).is_err());
    fs::remove_file(&lock).unwrap();
    fs::write(&lock, "").unwrap();
    set_mode(&lock, 0o666);
    drop(store.lock(&key()).await.unwrap());
    assert_eq!(mode(&lock), 0o600);
}

/// A pipe with a name, to which no process writes.
fn pipe(path: &Path) {
    let kind = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
}

#[test]
fn a_file_is_read_within_bounds_and_never_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let (file, fifo) = (at(&directory, "file"), at(&directory, "fifo"));
    fs::write(&file, "12345").unwrap();
    assert_eq!(files::read(&file, 5).unwrap().as_slice(), b"12345");
    let error = files::read(&file, 4).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    pipe(&fifo);
    for odd in [fifo.as_path(), Path::new("/dev/zero"), directory.path()] {
        assert!(files::read(odd, 5).is_err(), "{}", odd.display());
        assert!(files::read_or_pipe(odd, 5).is_err(), "{}", odd.display());
    }
    let link = at(&directory, "link");
    symlink("file", &link).unwrap();
    assert!(files::read(&link, 5).is_ok());
    set_mode(directory.path(), 0o1777);
    assert!(files::read(&link, 5).is_err() && files::read(&file, 5).is_ok());
}

#[test]
fn a_pipe_that_we_were_given_is_read_to_its_end() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = format!("/dev/fd/{}", reader.as_raw_fd());
    let writing = std::thread::spawn(move || {
        for part in ["made", "-", "up"] {
            writer.write_all(part.as_bytes()).unwrap();
        }
    });
    let read = files::read_or_pipe(Path::new(&path), 100).unwrap();
    assert_eq!(read.as_slice(), b"made-up");
    writing.join().unwrap();
}

#[test]
fn a_file_that_is_replaced_keeps_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    let file = at(&directory, "settings.json");
    files::replace(&file, b"1").unwrap();
    assert_eq!(mode(&file), 0o600);
    if is_root() {
        chown(&file, Some(USER), Some(USER)).unwrap();
        files::replace(&file, b"2").unwrap();
        assert_eq!(owner(&file), (USER, USER));
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_account_whose_name_is_too_long_for_a_file_is_stored_under_its_true_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::directory(directory.path());
    let accounts = [
        "A".repeat(131),
        "A".repeat(500),
        format!("{}B", "A".repeat(499)),
    ];
    let mut keys: Vec<SessionKey> = accounts
        .iter()
        .map(|account| SessionKey::new("qwen", account))
        .collect();
    for key in &keys {
        let mut guard = store.lock(key).await.unwrap();
        guard.prepare(None).await.unwrap();
        guard
            .save(&token(&key.account().len().to_string()))
            .await
            .unwrap();
        guard.save(&token("renewed")).await.unwrap();
    }
    keys.sort();
    assert_eq!(store.sessions().unwrap(), keys);
    let read: OAuthToken = store.read(&keys[0]).unwrap().unwrap();
    assert_eq!(read.access.expose(), "renewed");
    for key in &keys {
        store.lock(key).await.unwrap().remove().await.unwrap();
    }
    assert!(store.sessions().unwrap().is_empty());
}

/// Runs a tool of the system, if it is there and allowed.
fn tool(words: &[&str]) -> bool {
    let done = std::process::Command::new(words[0])
        .args(&words[1..])
        .output();
    done.is_ok_and(|done| done.status.success())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_no_rename_can_replace_is_refused_before_anything_is_spent() {
    let directory = tempfile::tempdir().unwrap();
    let (file, other) = (at(&directory, "t.json"), at(&directory, "other.json"));
    let store = FileTokenStore::file(&file);
    save(&store, &token("a1")).await.unwrap();
    fs::copy(&file, &other).unwrap();
    let path = file.to_str().unwrap();
    let here = directory.path().to_str().unwrap();
    for (forbid, allow, why) in [
        (
            &["mount", "--bind", other.to_str().unwrap(), path][..],
            &["umount", path][..],
            "mounted on its own",
        ),
        (&["chattr", "+i", path], &["chattr", "-i", path], "chattr"),
        (&["chattr", "+a", path], &["chattr", "-a", path], "chattr"),
        (&["chattr", "+a", here], &["chattr", "-a", here], "chattr"),
    ] {
        // Not every system permits it.
        if tool(forbid) {
            let told = refused_by_prepare(&store).await;
            assert!(tool(allow), "{allow:?}");
            assert!(told.contains(why), "{told}");
            assert!(!at(&directory, ".t.json.tmp").exists());
        }
    }
    save(&store, &token("a2")).await.unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_is_followed_if_no_other_user_can_have_put_it() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = at(&directory, "secrets");
    fs::create_dir(&secrets).unwrap();
    set_mode(&secrets, 0o1777);
    fs::create_dir(secrets.join("..data")).unwrap();
    fs::write(secrets.join("..data/client.json"), "{}").unwrap();
    let link = secrets.join("client.json");
    symlink("..data/client.json", &link).unwrap();
    files::read(&link, 5).unwrap_err();
    let path = secrets.to_str().unwrap();
    // As Kubernetes mounts it; not every system permits it.
    if tool(&["mount", "--bind", path, path]) {
        let is_read_only = tool(&["mount", "-o", "remount,ro,bind", path]);
        let read = files::read(&link, 5);
        assert!(tool(&["umount", path]));
        assert!(!is_read_only || read.unwrap().as_slice() == b"{}");
    }
}
