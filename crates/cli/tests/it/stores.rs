//! Stores of all sessions other than plain files.

mod migrations;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::skip::skip;
use crate::support::user::User;

const KEY: &str = "made-up-key-of-thirty-two-bytes!";

fn home(user: &User) -> PathBuf {
    let sessions = user.file("qwen", "default");
    sessions.ancestors().nth(3).unwrap().to_owned()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files(&path),
            path => vec![path],
        })
        .collect()
}

/// The files below a directory that hold the text.
fn holders(directory: &Path, text: &str) -> Vec<PathBuf> {
    let holds = |file: &PathBuf| {
        let content = std::fs::read(file).unwrap();
        content
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    files(directory).into_iter().filter(holds).collect()
}

#[test]
fn an_encrypted_store_signs_in_refreshes_and_signs_out_and_no_file_has_a_token() {
    let user = User::new();
    let key = user.key_file("key", KEY);
    let store = ["--store", "encrypted", "--key-file", &key];
    user.sign_in(&[&["qwen"][..], &store].concat());
    let first = user.run(&[&["token", "qwen"][..], &store].concat());
    let second = user.run(&[&["token", "qwen", "--force-refresh"][..], &store].concat());
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{second:?}");
    assert_ne!(first.out, second.out);
    for token in [first.out.trim(), second.out.trim()] {
        assert_eq!(holders(user.directory.path(), token), Vec::<PathBuf>::new());
    }
    let status = user
        .run(&[&["status", "--json"][..], &store].concat())
        .json();
    assert_eq!(status["sessions"][0]["kind"], "encrypted");
    // Plain files have nothing of it.
    assert_eq!(user.run(&["token", "qwen"]).code, Some(3));
    let command = format!("cat '{key}'");
    let by_command = [
        "logout",
        "qwen",
        "--store",
        "encrypted",
        "--key-command",
        &command,
    ];
    assert_eq!(user.run(&by_command).code, Some(0));
    assert_eq!(
        user.run(&[&["token", "qwen"][..], &store].concat()).code,
        Some(3)
    );
}

#[test]
fn a_wrong_key_a_missing_key_and_a_short_one_are_named_and_change_nothing() {
    let user = User::new();
    user.sign_in(&["minimax"]);
    let key = user.key_file("key", KEY);
    let wrong = user.key_file("wrong", "another-key-of-thirty-two-bytes!");
    let short = user.key_file("short", "made-up");
    let args = |key: &'static str| ["--store", "encrypted", key];
    let with = |verb: &[&str], key: &str| user.run(&[verb, &args("--key-file"), &[key]].concat());
    user.sign_in(&["qwen", "--store", "encrypted", "--key-file", &key]);
    let before = holders(&home(&user).join("encrypted"), "sealed_by");
    let content = std::fs::read(&before[0]).unwrap();
    for verb in [
        &["token", "qwen"][..],
        &["login", "qwen"],
        &["logout", "qwen"],
        &["status"],
    ] {
        let done = with(verb, &wrong);
        done.assert_failed(1, "the key is wrong for the sessions");
        assert!(
            done.err.contains("use the passphrase, --key-file"),
            "{done:?}"
        );
        let printing = [verb, &args("--key-command"), &["printf made-up"]].concat();
        for (done, said) in [
            (with(verb, &short), "name one with --key-file"),
            (user.run(&printing), "run it to see what it prints"),
        ] {
            done.assert_failed(1, "32 random bytes");
            assert!(done.err.contains(said), "{done:?}");
            assert!(!done.err.contains("endpoints"), "{done:?}");
        }
        with(verb, "/made-up/key").assert_failed(1, "/made-up/key");
        // There is no terminal for a passphrase.
        let done = user.run(&[verb, &["--store", "encrypted"]].concat());
        assert!(done.err.contains("--key-command COMMAND"), "{done:?}");
        let failing = [verb, &args("--key-command"), &["exit 7"]].concat();
        user.run(&failing)
            .assert_failed(1, "the command for the key failed");
    }
    assert_eq!(std::fs::read(&before[0]).unwrap(), content);
    assert_eq!(with(&["token", "qwen"], &key).code, Some(0));
    assert_eq!(user.run(&["token", "minimax"]).code, Some(0));
}

#[test]
fn a_key_for_sessions_that_would_not_be_encrypted_is_refused() {
    let user = User::new();
    let key = user.key_file("key", KEY);
    let file = user.directory.path().join("s.json");
    let file = file.to_str().unwrap();
    for store in [&[][..], &["--store", "files"], &["--store", file]] {
        for verb in ["login", "serve", "token"] {
            let done = user.run(&[&[verb, "qwen", "--key-file", &key], store].concat());
            done.assert_failed(2, "add --store encrypted");
        }
    }
    assert_eq!(user.kit.qwen().counters().logins_ok, 0);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_other_users_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let user = User::new();
    let key = user.key_file("key", KEY);
    let store = ["--store", "encrypted", "--key-file", &key];
    let allow = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&key, mode).unwrap();
    };
    for mode in [0o644, 0o620] {
        allow(mode);
        for verb in [
            &["login", "qwen"][..],
            &["token", "qwen"],
            &["migrate", "--to", "encrypted", "--key-file", &key],
        ] {
            let flags = match verb[0] {
                "migrate" => &[][..],
                _ => &store,
            };
            let done = user.run(&[verb, flags].concat());
            done.assert_failed(1, "other users can read the key file");
            assert!(done.err.contains("chmod 600"), "{done:?}");
        }
    }
    assert_eq!(user.kit.qwen().counters().device_requests, 0);
    assert!(!home(&user).join("encrypted").exists());
    allow(0o400);
    user.sign_in(&[&["qwen"][..], &store].concat());
}

#[test]
fn the_store_is_that_of_the_flag_then_of_the_variable_then_of_the_settings() {
    let user = User::new();
    let key = user.key_file("key", KEY);
    let chosen = json!({"store": "encrypted", "key_file": key});
    std::fs::create_dir_all(home(&user)).unwrap();
    std::fs::write(home(&user).join("settings.json"), chosen.to_string()).unwrap();
    let kind = |done: crate::support::done::Done| done.json()["sessions"][0]["kind"].clone();
    user.sign_in(&["qwen"]);
    assert_eq!(kind(user.run(&["status", "--json"])), "encrypted");
    let with = |store: &str, args: &[&str]| {
        let mut command = user.command(args);
        command
            .env("LLM_AUTH_STORE", store)
            .output()
            .unwrap()
            .into()
    };
    let by_variable: crate::support::done::Done = with("files", &["token", "qwen"]);
    assert_eq!(by_variable.code, Some(3));
    let by_flag = with("files", &["status", "--json", "--store", "encrypted"]);
    assert_eq!(kind(by_flag), "encrypted");
    let of_redis = match cfg!(feature = "redis") {
        true => "clear text",
        false => "without the feature",
    };
    for (wrong, said) in [
        ("made-up", "LLM_AUTH_STORE"),
        ("redis://made-up:secret@host", of_redis),
        ("./a.json", "LLM_AUTH_STORE"),
    ] {
        let done: crate::support::done::Done = with(wrong, &["token", "qwen"]);
        done.assert_failed(1, said);
        done.assert_no_secret(&["secret"]);
    }
    let done = user.run(&["status", "--store", "mysql://made-up:secret@host/d"]);
    done.assert_failed(1, "neither a path nor the URL of a database");
    done.assert_no_secret(&["secret"]);
    // Damaged settings do not lead to plain files.
    let settings = home(&user).join("settings.json");
    std::fs::write(&settings, "{").unwrap();
    user.run(&["login", "qwen"])
        .assert_failed(1, "settings.json");
    assert!(!user.file("qwen", "default").exists());
    std::fs::write(&settings, chosen.to_string()).unwrap();
    std::fs::remove_file(&key).unwrap();
    assert_eq!(user.run(&["status"]).code, Some(1));
}

#[test]
fn a_command_for_the_key_is_not_run_from_settings_that_a_variable_brings() {
    let user = User::new();
    let mark = user.directory.path().join("it-ran");
    let command = format!("touch '{}'; printf {KEY}", mark.display());
    let settings = json!({"store": "encrypted", "key_command": command});
    std::fs::create_dir_all(home(&user)).unwrap();
    std::fs::write(home(&user).join("settings.json"), settings.to_string()).unwrap();
    for args in [&["login", "qwen"][..], &["token", "qwen"], &["status"]] {
        user.run(args).assert_failed(1, "`key_command` is not run");
    }
    assert!(!mark.exists());
    let named = user.run(&["status", "--key-command", &command]);
    assert_eq!((named.code, mark.exists()), (Some(0), true), "{named:?}");
}

#[test]
fn a_keyring_that_is_absent_is_an_error_before_the_sign_in_and_never_a_plain_file() {
    let user = User::new();
    user.sign_in(&["minimax"]);
    for bus in [
        "unix:path=/made-up/bus",
        "tcp:host=127.0.0.1,port=9",
        "unixexec:path=/bin/false",
    ] {
        let run = |args: &[&str]| -> crate::support::done::Done {
            let mut command = user.command(args);
            command
                .env("DBUS_SESSION_BUS_ADDRESS", bus)
                .output()
                .unwrap()
                .into()
        };
        let done = run(&["login", "qwen", "--store", "keyring"]);
        done.assert_failed(1, "keyring");
        let done = run(&["migrate", "--to", "keyring"]);
        done.assert_failed(1, "keyring");
        let is_refused = done.err.contains("names no local socket");
        assert_eq!(is_refused, !bus.starts_with("unix:"), "{bus}: {done:?}");
    }
    // The checks are about the store of the call, and what it has counts although it cannot be read.
    let keyring = home(&user).join("keyring/qwen");
    std::fs::create_dir_all(&keyring).unwrap();
    std::fs::write(keyring.join("default.json"), "made-up damage").unwrap();
    for named_by_flag in [true, false] {
        let mut doctor = user.command(&["doctor", "--offline"]);
        doctor.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/made-up/bus");
        match named_by_flag {
            true => doctor.args(["--store", "keyring"]),
            false => doctor.env("LLM_AUTH_STORE", "keyring"),
        };
        let done = crate::support::done::Done::of(&mut doctor);
        assert_eq!(done.code, Some(1), "{done:?}");
        for words in ["home/keyring is writable", "no keyring", "1 unreadable"] {
            assert!(done.out.contains(words), "{words}: {done:?}");
        }
    }
    assert_eq!(user.kit.qwen().counters().device_requests, 0);
    assert!(!user.file("qwen", "default").exists());
    assert_eq!(user.run(&["token", "minimax"]).code, Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn the_keyring_of_the_system_keeps_the_sessions_of_the_command() {
    let test = "the_keyring_of_the_system_keeps_the_sessions_of_the_command";
    for program in ["dbus-run-session", "gnome-keyring-daemon"] {
        let found = std::process::Command::new(program)
            .arg("--version")
            .output();
        if !found.is_ok_and(|output| output.status.success()) {
            return skip(test, &format!("{program} is not installed"));
        }
    }
    let user = User::new();
    user.sign_in(&["qwen"]);
    let before = user.run(&["token", "qwen"]).out;
    let script = r#"exec dbus-run-session -- sh -c '
        printf made-up | gnome-keyring-daemon --unlock --components=secrets >&2 &&
        "$0" migrate --to keyring &&
        "$0" status --json &&
        "$0" token qwen &&
        "$0" token qwen --force-refresh &&
        "$0" token qwen' "$0""#;
    let mut shell = user.shell(script);
    let runtime = user.directory.path().join("runtime");
    std::fs::create_dir(&runtime).unwrap();
    shell
        .env("XDG_RUNTIME_DIR", &runtime)
        .env("PATH", std::env::var_os("PATH").unwrap());
    let done = crate::support::done::Done::of(&mut shell);
    assert_eq!(done.code, Some(0), "{done:?}");
    let lines: Vec<&str> = done.out.lines().collect();
    let status: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(status["sessions"][0]["kind"], "keyring");
    assert_eq!(lines[1], before.trim());
    assert_ne!(lines[2], lines[1]);
    assert_eq!(lines[3], lines[2]);
    assert!(!user.file("qwen", "default").exists());
    for token in [lines[1], lines[2]] {
        let plain = holders(&home(&user), token);
        assert_eq!(plain, Vec::<PathBuf>::new());
    }
}
