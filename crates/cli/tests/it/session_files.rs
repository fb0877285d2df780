use crate::support::session_file::{expire, read};
use crate::support::user::User;

#[test]
fn a_corrupt_file_is_named_and_unchanged_until_a_login_moves_it_aside() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.file("qwen", "default");
    for garbage in ["", "{\"access\":\"half", "[]", "\u{0}\u{1}"] {
        std::fs::write(&file, garbage).unwrap();
        let name = file.to_str().unwrap();
        user.run(&["token", "qwen"]).assert_failed(1, name);
        user.run(&["token", "qwen", "--force-refresh"])
            .assert_failed(1, name);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), garbage);
        let done = user.run(&["login", "qwen"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let reported = done
            .err
            .lines()
            .find(|line| line.contains("is kept in"))
            .unwrap();
        let aside = reported
            .split("kept in ")
            .nth(1)
            .unwrap()
            .trim_end_matches('.');
        assert_eq!(std::fs::read_to_string(aside).unwrap(), garbage);
        assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
    }
}

#[test]
fn a_store_that_cannot_be_written_is_reported_before_the_sign_in_begins() {
    let user = User::new();
    let blocked = user.directory.path().join("a-file");
    std::fs::write(&blocked, "").unwrap();
    let place = blocked.join("session.json");
    let done = user.run(&["login", "qwen", "--store", place.to_str().unwrap()]);
    done.assert_failed(1, "a-file");
    assert_eq!(user.kit.qwen().counters().device_requests, 0);
}

#[test]
fn a_file_of_another_provider_is_rejected_and_left_unchanged() {
    let user = User::new();
    let file = user.directory.path().join("one.json");
    let place = file.to_str().unwrap();
    user.sign_in(&["qwen", "--store", place]);
    let before = std::fs::read(&file).unwrap();
    for args in [
        &["token", "minimax"][..],
        &["token", "minimax", "--force-refresh"],
        &["login", "minimax"],
        &["logout", "minimax"],
    ] {
        let done = user.run(&[args, &["--store", place]].concat());
        done.assert_failed(1, "session of qwen");
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let minimax = user.kit.minimax().counters();
    assert_eq!((minimax.device_requests, minimax.refreshes), (0, 0));
}

#[test]
fn one_file_holds_a_whole_session() {
    let user = User::new();
    let file = user.directory.path().join("deep/er/one.json");
    let place = file.to_str().unwrap();
    user.sign_in(&["minimax", "--store", place]);
    expire(&file);
    let token = user.run(&["token", "minimax", "--store", place]);
    assert_eq!(token.code, Some(0), "{token:?}");
    assert_eq!(token.out.trim_end(), read(&file)["access"]);
    let status = user.run(&["status", "--json", "--store", place]).json();
    assert_eq!(status["sessions"][0]["vendor"], "minimax");
    assert_eq!(status["sessions"][0]["state"], "valid");
    assert!(!user.directory.path().join("home").exists());
}

#[cfg(unix)]
#[test]
fn files_and_directories_are_for_their_owner_alone_with_any_umask() {
    use std::os::unix::fs::PermissionsExt as _;

    let user = User::new();
    for umask in ["000", "077"] {
        let mut shell = user.shell(&format!("umask {umask}; exec \"$0\" login qwen"));
        assert!(shell.output().unwrap().status.success());
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let file = user.file("qwen", "default");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
        assert_eq!(mode(file.parent().unwrap().parent().unwrap()), 0o700);
        std::fs::remove_dir_all(user.directory.path().join("home")).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_tightened_when_it_is_used() {
    use std::os::unix::fs::PermissionsExt as _;

    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.file("qwen", "default");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn one_file_hands_no_account_the_session_of_another() {
    let user = User::new();
    let file = user.directory.path().join("one.json");
    let file = file.to_str().unwrap();
    let login = ["login", "qwen", "--store", file, "--account", "ann"];
    assert_eq!(user.run(&login).code, Some(0));
    for words in [
        &["token", "qwen", "--store", file, "--account", "bob"][..],
        &[
            "token",
            "qwen",
            "--store",
            file,
            "--account",
            "bob",
            "--json",
        ],
        &[
            "exec",
            "qwen",
            "--store",
            file,
            "--account",
            "bob",
            "--",
            "env",
        ],
        &["logout", "qwen", "--store", file, "--account", "bob"],
    ] {
        user.run(words).assert_failed(1, "the account ann");
    }
    // The file names its account, if the call does not.
    for words in [
        &["token", "qwen", "--store", file][..],
        &["token", "qwen", "--store", file, "--force-refresh"],
        &["token", "qwen", "--store", file, "--account", "ann"],
    ] {
        assert_eq!(user.run(words).code, Some(0), "{words:?}");
    }
}
