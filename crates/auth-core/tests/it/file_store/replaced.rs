//! Files that are replaced as a whole.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use llm_auth_core::files::{self, Temporary};
use tempfile::TempDir;

/// The names of all files in a directory, in order.
fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What a process that is killed leaves next to a file: a name and no lock.
#[cfg(unix)]
fn leave_behind(file: &std::path::Path) -> PathBuf {
    let new = Temporary::beside(file).unwrap();
    let directory = file.parent().unwrap();
    let mut entries = fs::read_dir(directory).unwrap().flatten();
    let left = entries
        .find(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"))
        .unwrap()
        .path();
    drop(new);
    fs::write(&left, "made-up-token").unwrap();
    left
}

#[test]
fn many_that_replace_one_file_at_once_all_succeed_and_no_reader_sees_a_part() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.json");
    let contents: Vec<String> = (0..8).map(|at| at.to_string().repeat(5_000)).collect();
    files::replace(&file, contents[0].as_bytes()).unwrap();
    std::thread::scope(|scope| {
        for content in &contents {
            scope.spawn(|| {
                for _ in 0..25 {
                    files::replace(&file, content.as_bytes()).unwrap();
                    let seen = fs::read_to_string(&file).unwrap();
                    assert!(contents.contains(&seen), "{} bytes", seen.len());
                }
            });
        }
    });
    // Nothing else is left.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
#[cfg(unix)]
fn what_a_killed_process_left_is_removed_and_what_a_live_one_writes_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.json");
    let left = leave_behind(&file);
    // Those of other files, of other programs, and what is no file.
    for name in [
        ".settings.json.tmp",
        ".settings.json.x.tmp",
        ".settings.json.before.x.llm-auth.tmp",
    ] {
        fs::write(directory.path().join(name), "x").unwrap();
    }
    std::os::unix::fs::symlink(
        &left,
        directory.path().join(".settings.json.l.llm-auth.tmp"),
    )
    .unwrap();
    let live = Temporary::beside(&file).unwrap();
    live.file().write_all(b"live").unwrap();
    assert!(!left.exists());
    files::replace(&file, b"1").unwrap();
    live.replace().unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"live");
    assert_eq!(
        names(&directory),
        [
            ".settings.json.before.x.llm-auth.tmp",
            ".settings.json.l.llm-auth.tmp",
            ".settings.json.tmp",
            ".settings.json.x.tmp",
            "settings.json"
        ]
    );
}

#[test]
fn a_new_file_takes_no_name_that_is_taken_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("copy");
    Temporary::beside(&file).unwrap().make().unwrap();
    let refused = Temporary::beside(&file).unwrap().make().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    drop(Temporary::beside(&file).unwrap());
    assert_eq!(names(&directory), ["copy"]);
}
