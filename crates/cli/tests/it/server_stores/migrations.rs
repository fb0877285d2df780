//! Sessions move to a server, from one to another, and back.

use serde_json::Value;

use super::{KEY, PASSWORD, good, places, run, with, write_secret};
use crate::support::user::User;

#[test]
fn sessions_move_between_all_kinds_of_stores_and_come_back_as_they_were() {
    let places = places();
    let user = User::new();
    user.sign_in(&["qwen"]);
    user.sign_in(&["qwen", "--account", "work"]);
    user.sign_in(&["minimax"]);
    let before = [user.stored("qwen"), user.stored("minimax")];
    let key = user.directory.path().join("key");
    write_secret(&key, KEY);
    let key = ["--key-file", key.to_str().unwrap()];
    let mut names: Vec<String> = places.iter().map(super::Place::url).collect();
    names.extend(["encrypted".into(), "files".into()]);
    let mut from = "files".to_owned();
    for to in names {
        let migrate = ["migrate", "--from", &from, "--to", &to, "--json"];
        let report = good(&user, &migrate, &key).json();
        assert_eq!(
            report["moved"].as_array().map(Vec::len),
            Some(3),
            "{report}"
        );
        if from != "files" {
            let store = ["--store", &from, key[0], key[1]];
            with(&user, &["token", "qwen"], &store).assert_failed(3, "not signed in");
        }
        assert_eq!(user.file("qwen", "default").exists(), to == "files");
        from = to;
    }
    assert_eq!([user.stored("qwen"), user.stored("minimax")], before);
}

#[test]
fn a_migration_touches_no_account_that_both_stores_have() {
    for place in places() {
        let user = User::new();
        let url = place.url();
        let store = ["--store", &url];
        user.sign_in(&["qwen"]);
        user.sign_in(&["minimax"]);
        let before = user.stored("qwen");
        good(&user, &["login", "qwen"], &store);
        let there = good(&user, &["token", "qwen"], &store);
        let done = run(&user, &["migrate", "--to", &url]);
        done.assert_failed(1, "could not be moved");
        assert!(done.err.contains("both stores have a session"), "{done:?}");
        assert_eq!(user.stored("qwen"), before);
        assert_eq!(good(&user, &["token", "qwen"], &store).out, there.out);
        good(&user, &["token", "minimax"], &store);
        // Another name of the same place is the same store.
        let same = run(
            &user,
            &["migrate", "--from", &place.file(&user), "--to", &url],
        );
        same.assert_failed(2, "already");
    }
}

#[test]
fn a_migration_is_remembered_for_the_user_whose_own_settings_these_are() {
    for place in places() {
        let user = User::new();
        let file = place.file(&user);
        let home = user.directory.path().join("named");
        let home = ["--home", home.to_str().unwrap()];
        good(&user, &["login", "qwen"], &home);
        good(&user, &["migrate", "--to", &file], &home);
        let settings = std::fs::read(user.directory.path().join("named/settings.json")).unwrap();
        let settings: Value = serde_json::from_slice(&settings).unwrap();
        assert_eq!(settings["store"], Value::from(file));
        assert!(!settings.to_string().contains(PASSWORD));
        good(&user, &["token", "qwen"], &home);
    }
}
