//! Files and directories that are not what they should be.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

const WHERE_A_PATH_IS_WANTED: [&str; 4] = [
    "postgres://user:made-up@db.example/llm",
    "file:///tmp/t.json",
    "keyring://llm-auth",
    "s3://bucket/t.json",
];

/// Nothing was made below the directory in which the command ran.
fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_url_is_no_store_and_nothing_is_signed_in_or_made() {
    let user = User::new();
    let here = user.directory.path().join("here");
    fs::create_dir(&here).unwrap();
    for url in WHERE_A_PATH_IS_WANTED {
        for args in [
            &["login", "qwen", "--store", url][..],
            &["token", "qwen", "--store", url],
            &["logout", "qwen", "--store", url],
            &["import", "gochat", "--vendor", "qwen", "--file", url],
            &["login", "gemini", "--client-file", url],
        ] {
            // It names a store on a server there.
            if url.starts_with("postgres") && args.contains(&"--store") {
                continue;
            }
            let mut command = user.command(args);
            let done = command.current_dir(&here).output().unwrap();
            let done = Done::from(done);
            done.assert_failed(1, "cannot be used");
            assert!(!done.err.contains("made-up"), "{done:?}");
        }
        for variable in ["LLM_AUTH_HOME", "LLM_AUTH_CA_FILE"] {
            let mut command = user.command(&["login", "qwen"]);
            let done = Done::of(command.env(variable, url).current_dir(&here));
            done.assert_failed(1, variable);
            assert!(!done.err.contains("made-up"), "{done:?}");
        }
    }
    assert!(is_empty(&here));
    assert_eq!(user.kit.qwen().counters().device_requests, 0);
}

#[test]
fn an_endless_device_in_place_of_a_file_blocks_no_command() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let fifo = user.directory.path().join("fifo");
    pipe(&fifo);
    for odd in [fifo.to_str().unwrap(), "/dev/zero", "/dev/tty", "/"] {
        for args in [
            &["import", "qwen-code", "--file", odd][..],
            &["import", "gochat", "--vendor", "qwen", "--file", odd],
            &["login", "gemini", "--client-file", odd],
        ] {
            user.run(args).assert_failed(1, odd);
        }
        let mut command = user.command(&["login", "qwen"]);
        let done = command.env("LLM_AUTH_CA_FILE", odd).output().unwrap();
        Done::from(done).assert_failed(1, "LLM_AUTH_CA_FILE");
    }
    let settings = user.directory.path().join("home/settings.json");
    pipe(&settings);
    user.run(&["switch", "qwen"])
        .assert_failed(1, "settings.json");
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
    fs::remove_file(&settings).unwrap();
    symlink("/dev/zero", &settings).unwrap();
    user.run(&["switch", "qwen"]).assert_failed(1, "settings");
}

#[test]
fn a_client_file_may_come_from_a_pipe_of_the_shell() {
    let user = User::new();
    let script = format!(
        "{} login gemini --client-file <(echo '{{}}')",
        env!("CARGO_BIN_EXE_llm-auth")
    );
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &script]).env_clear();
    command.env("LLM_AUTH_HOME", user.directory.path().join("home"));
    command.env("PATH", "/usr/bin:/bin").envs(user.kit.env());
    let Ok(done) = command.output() else {
        return;
    };
    // It was read, and holds no client.
    let printed = String::from_utf8(done.stderr).unwrap();
    assert!(printed.contains("cannot be used"), "{printed}");
    assert!(!printed.contains("regular file"), "{printed}");
}

#[test]
fn a_home_in_which_others_may_write_is_rejected_with_advice() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let home = user.directory.path().join("home");
    set_mode(&home, 0o777);
    for args in [
        &["token", "qwen"][..],
        &["login", "qwen"],
        &["switch", "qwen", "default"],
    ] {
        user.run(args).assert_failed(1, "chmod go-w");
    }
    set_mode(&home, 0o755);
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
}

#[test]
fn a_user_can_go_on_after_the_administrator_refreshed_the_session() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let owned = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
    let user = User::new();
    let home = user.directory.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(54_321), Some(54_321)).unwrap();
    user.sign_in(&["qwen"]);
    user.expire("qwen");
    user.sign_in(&["qwen", "--account", "work"]);
    assert_eq!(user.run(&["switch", "qwen", "work"]).code, Some(0));
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
    let mut left = vec![home];
    while let Some(path) = left.pop() {
        assert_eq!(owned(&path), 54_321, "{}", path.display());
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            left.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
}

#[test]
fn the_work_of_status_grows_with_the_sessions_and_not_with_their_square() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let session = read(&user.file("qwen", "default"));
    let listings = |args: &[&str]| {
        let mut command = user.command(args);
        let done = Done::of(command.env("LLM_AUTH_LOG", "llm_auth_core=trace"));
        assert_eq!(done.code, Some(0), "{done:?}");
        done.err.matches("list a directory").count()
    };
    let commands = [
        &["status"][..],
        &["status", "--json"],
        &["accounts"],
        &["doctor", "--offline"],
    ];
    let before = commands.map(listings);
    assert!(before.iter().all(|count| *count > 0));
    for number in 0..40 {
        let file = user.file("qwen", &format!("a{number}"));
        fs::write(file, session.to_string()).unwrap();
    }
    assert_eq!(commands.map(listings), before);
}

#[test]
fn an_account_with_a_long_name_is_like_any_other() {
    let user = User::new();
    let name = "A".repeat(200);
    user.sign_in(&["qwen", "--account", &name]);
    let done = user.run(&["token", "qwen", "--account", &name, "--force-refresh"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let shown = user.run(&["accounts", "--json"]).json();
    assert_eq!(shown["accounts"][0]["account"], name.as_str());
    let done = user.run(&["logout", "qwen", "--account", &name]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(
        user.run(&["accounts", "--json"]).json()["accounts"][0],
        serde_json::Value::Null
    );
}
