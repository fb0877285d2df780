//! Sessions in files, on a real disk.

#[cfg(unix)]
mod places;
mod replaced;
mod saves;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use llm_auth_core::store::LockHolder;
use llm_auth_core::{
    ErrorKind, FileTokenStore, OAuthToken, SessionKey, Timestamp, TokenStore as _,
};
use tempfile::TempDir;

fn key() -> SessionKey {
    SessionKey::new("qwen", "work")
}

fn token(access: &str) -> OAuthToken {
    let mut token = OAuthToken::new(
        access.into(),
        Timestamp::from_unix_millis(4_102_444_800_000),
    );
    token.refresh = Some("made-up-refresh".into());
    token
}

async fn save(store: &FileTokenStore, token: &OAuthToken) -> llm_auth_core::Result<()> {
    store.lock(&key()).await?.save(token).await
}

fn at(directory: &TempDir, name: &str) -> PathBuf {
    directory.path().join(name)
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_session_comes_back_as_it_was_saved() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::directory(at(&directory, "sessions"));
    assert_eq!(store.load(&key()).await.unwrap(), None);
    save(&store, &token("a1")).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(token("a1")));
    assert_eq!(store.sessions().unwrap(), [key()]);
    store.lock(&key()).await.unwrap().remove().await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    assert!(store.sessions().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_left_beside_the_file_but_its_lock() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    let mut guard = store.lock(&key()).await.unwrap();
    guard.prepare(Some(&token("a1"))).await.unwrap();
    guard.save(&token("a2")).await.unwrap();
    guard.prepare(Some(&token("a3"))).await.unwrap();
    drop(guard);
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["t.json", "t.json.lock"]);
}

#[tokio::test]
async fn one_lock_excludes_another_and_a_wait_in_vain_names_the_holder() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    let held = store.lock(&key()).await.unwrap();
    let impatient = store.clone().lock_wait(Duration::from_millis(20));
    let error = impatient.lock(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreBusy);
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
    drop(held);
    impatient.lock(&key()).await.unwrap();
}

#[tokio::test]
async fn who_holds_a_lock_is_told_without_taking_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::directory(directory.path());
    assert_eq!(store.lock_holder(&key()).unwrap(), LockHolder::Free);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let guard = store.lock(&key()).await.unwrap();
    let process = LockHolder::Process(std::process::id());
    assert_eq!(store.lock_holder(&key()).unwrap(), process);
    drop(guard);
    let lock = at(&directory, "qwen/work.json.lock");
    fs::write(&lock, "4711").unwrap();
    assert_eq!(store.lock_holder(&key()).unwrap(), LockHolder::Free);
    assert_eq!(fs::read_to_string(&lock).unwrap(), "4711");
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_cannot_be_listed_hides_only_its_own_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::directory(directory.path());
    save(&store, &token("a1")).await.unwrap();
    // A loop, which not even root can list.
    std::os::unix::fs::symlink("minimax", at(&directory, "minimax")).unwrap();
    assert_eq!(store.providers().unwrap(), ["minimax", "qwen"]);
    assert_eq!(store.sessions_of("qwen").unwrap(), [key()]);
    let error = store.sessions_of("minimax").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(store.sessions().is_err());
}

#[tokio::test]
async fn a_file_that_is_no_session_is_told_never_quoted_and_kept_aside_by_a_save() {
    for (content, hint) in [
        ("", "is empty"),
        ("  \r\n", "is empty"),
        ("made-up", "line 1"),
        ("[]", "line 1"),
        ("{}", "line 1"),
        (
            r#"{"access":"a","refresh":"made-up","expires":"made-up"}"#,
            "line 1",
        ),
        (r#"{"access":"a","refresh":"made-"#, "line 1"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = at(&directory, "t.json");
        fs::write(&path, content).unwrap();
        let store = FileTokenStore::file(&path);
        let error = store.load(&key()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{content}");
        assert!(error.to_string().contains(hint), "{error}");
        assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);

        save(&store, &token("a1")).await.unwrap();
        let aside = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains(".corrupt-"))
            .unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), content);
        assert_eq!(store.load(&key()).await.unwrap(), Some(token("a1")));
    }
}

#[tokio::test]
async fn a_file_of_10_megabytes_is_no_session() {
    let directory = tempfile::tempdir().unwrap();
    let path = at(&directory, "t.json");
    fs::write(&path, vec![b' '; 10 << 20]).unwrap();
    let error = FileTokenStore::file(&path).load(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("1 MiB"), "{error}");
}

#[tokio::test]
async fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = at(&directory, "t.json");
    fs::write(
        &path,
        "\u{feff}{\r\n\"access\":\"a\",\r\n\"refresh\":\"\",\"expires\":1000}\r\n",
    )
    .unwrap();
    let read = FileTokenStore::file(&path).read(&key()).unwrap().unwrap();
    assert_eq!(read.access.expose(), "a");
}

#[tokio::test]
async fn account_names_cannot_leave_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::directory(at(&directory, "sessions"));
    let wicked = SessionKey::new("qwen", "../../escape");
    store
        .lock(&wicked)
        .await
        .unwrap()
        .save(&token("a"))
        .await
        .unwrap();
    assert_eq!(store.sessions().unwrap(), [wicked]);
    assert!(!at(&directory, "escape.json").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_0600_from_the_start_and_the_stores_directories_0700() {
    let directory = tempfile::tempdir().unwrap();
    let sessions = at(&directory, "sessions");
    fs::create_dir(&sessions).unwrap();
    set_mode(&sessions, 0o777);
    let store = FileTokenStore::directory(&sessions);
    save(&store, &token("a1")).await.unwrap();
    let file = store.path(&key());
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&file.with_file_name("work.json.lock")), 0o600);
    assert_eq!(mode(&sessions), 0o700);
    assert_eq!(mode(&sessions.join("qwen")), 0o700);

    set_mode(&file, 0o644);
    store.load(&key()).await.unwrap();
    assert_eq!(mode(&file), 0o600, "tightened when it is read");
    set_mode(&file, 0o666);
    save(&store, &token("a2")).await.unwrap();
    assert_eq!(mode(&file), 0o600);
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_all_users_may_change_is_refused_and_a_shared_one_is_not_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let open = at(&directory, "open");
    fs::create_dir(&open).unwrap();
    set_mode(&open, 0o777);
    let error = save(&FileTokenStore::file(open.join("t.json")), &token("a"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);

    set_mode(&open, 0o1777);
    save(&FileTokenStore::file(open.join("t.json")), &token("a"))
        .await
        .unwrap();
    let error = save(&FileTokenStore::directory(&open), &token("a"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(mode(&open), 0o1777);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_stays_a_link_and_its_target_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (real, link) = (at(&directory, "real.json"), at(&directory, "link.json"));
    std::os::unix::fs::symlink("real.json", &link).unwrap();
    let store = FileTokenStore::file(&link);
    for access in ["a1", "a2"] {
        save(&store, &token(access)).await.unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains(access));
    }
    assert!(
        at(&directory, "real.json.lock").exists(),
        "both names share one lock"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_planted_temporary_file_or_link_is_not_written_through() {
    let directory = tempfile::tempdir().unwrap();
    let victim = at(&directory, "victim");
    fs::write(&victim, "untouched").unwrap();
    std::os::unix::fs::symlink(&victim, at(&directory, ".t.json.tmp")).unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    save(&store, &token("a1")).await.unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
}

#[cfg(unix)]
#[tokio::test]
async fn a_place_that_cannot_be_written_is_known_at_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let file = at(&directory, "file");
    fs::write(&file, "").unwrap();
    let error = save(&FileTokenStore::file(file.join("t.json")), &token("a"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    let error = save(&FileTokenStore::directory("/proc/llm-auth"), &token("a"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_or_no_session_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = at(&directory, "pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    let error = FileTokenStore::file(&pipe).read(&key()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    let error = save(&FileTokenStore::file(&pipe), &token("a"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);

    let metadata = at(&directory, "notes.txt");
    fs::write(&metadata, "milk, bread").unwrap();
    set_mode(&metadata, 0o644);
    assert!(FileTokenStore::file(&metadata).read(&key()).is_err());
    assert_eq!(mode(&metadata), 0o644);
}

/// A second handle on the files of this process, as in a child that was forked meanwhile.
#[cfg(target_os = "linux")]
fn shared_with_a_child(path: &Path) -> std::os::fd::OwnedFd {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let mine = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let is_it = fs::read_link(entry.path()).is_ok_and(|target| target == path);
        is_it.then(|| entry.file_name().into_string().unwrap().parse().unwrap())
    });
    let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let number = mine.last().unwrap();
    pidfd_getfd(process, number, PidfdGetfdFlags::empty()).unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_child_that_was_forked_under_the_lock_does_not_keep_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json")).lock_wait(Duration::ZERO);
    let guard = store.lock(&key()).await.unwrap();
    let in_child = shared_with_a_child(&at(&directory, "t.json.lock"));
    drop(guard);
    let guard = store.lock(&key()).await.unwrap();
    guard.release().await;
    assert_eq!(store.lock_holder(&key()).unwrap(), LockHolder::Free);
    let mut guard = store.lock(&key()).await.unwrap();
    guard.save(&token("a1")).await.unwrap();
    drop((in_child, guard));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_that_is_started_under_the_lock_does_not_have_it_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileTokenStore::file(at(&directory, "t.json"));
    let mut guard = store.lock(&key()).await.unwrap();
    guard.prepare(None).await.unwrap();
    let listed = std::process::Command::new("ls")
        .args(["-l", "/proc/self/fd"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("->") && !listed.contains("t.json"),
        "{listed}"
    );
}
