//! Sessions move to a server, from one to another, and back.

use serde_json::{Value, json};

use super::trust::settings;
use super::{KEY, PASSWORD, good, places, postgres, run, with, write_secret};
use crate::support::done::Done;
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
        let migrate = [&migrate[..], &["--keep-settings"]].concat();
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
        let done = run(&user, &["migrate", "--to", &url, "--keep-settings"]);
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

#[test]
fn a_migration_back_is_remembered_whatever_the_name_of_the_database() {
    for place in places() {
        let user = User::new();
        let home = user.directory.path().join("named");
        let home = ["--home", home.to_str().unwrap()];
        good(&user, &["login", "qwen"], &home);
        good(&user, &["migrate", "--to", &place.url()], &home);
        let back = ["migrate", "--from", &place.file(&user), "--to", "files"];
        let done = good(&user, &back, &home);
        assert!(done.err.contains("now kept in plain files"), "{done:?}");
        good(&user, &["token", "qwen"], &home);
    }
}

#[test]
fn a_migration_names_what_still_leads_other_commands_to_the_old_store() {
    for place in places() {
        let user = User::new();
        let url = place.url();
        user.sign_in(&["qwen"]);
        settings(&user, &json!({"trusted_stores": [url]}), None);
        let key = user.directory.path().join("key");
        write_secret(&key, KEY);
        let to = ["migrate", "--to", &url, "--key-file", key.to_str().unwrap()];
        let mut migrate = user.command(&to);
        let done = Done::of(migrate.env("LLM_AUTH_STORE", "files"));
        assert_eq!(done.code, Some(0), "{done:?}");
        done.assert_no_secret(&[PASSWORD]);
        assert!(
            done.err.contains("LLM_AUTH_STORE still names files"),
            "{done:?}"
        );
        assert!(!done.err.contains("now kept in"), "{done:?}");
        // From a store that is not the one in use.
        std::fs::remove_file(user.directory.path().join("home/settings.json")).unwrap();
        let done = good(
            &user,
            &["migrate", "--from", &url, "--to", "encrypted"],
            &SEALED,
        );
        assert!(
            done.err
                .contains("Other commands still look for sessions in files"),
            "{done:?}"
        );
        assert!(!done.err.contains("now kept in"), "{done:?}");
    }
}

#[test]
fn a_migration_after_which_no_command_would_find_the_sessions_moves_nothing() {
    for place in places() {
        let user = User::new();
        let (url, file) = (place.url(), user.file("qwen", "default"));
        user.sign_in(&["qwen"]);
        let before = user.run(&["token", "qwen"]).out;
        let key = user.directory.path().join("key");
        write_secret(&key, KEY);
        let key = ["--key-file", key.to_str().unwrap()];
        let refused = |args: &[&str], says: &str| {
            let done = run(&user, args);
            done.assert_failed(1, says);
            for words in [
                "nothing was moved",
                "unset LLM_AUTH_HOME",
                "--keep-settings",
            ] {
                assert!(done.err.contains(words), "{done:?}");
            }
            assert!(file.exists());
        };
        let to = ["migrate", "--to", &url];
        refused(&to, "which your own settings do not");
        let by_command = [&to[..], &SEALED].concat();
        settings(&user, &json!({"trusted_stores": [url]}), None);
        refused(&by_command, "`key_command` is not run");
        refused(
            &["migrate", "--to", "encrypted", SEALED[0], SEALED[1]],
            "`key_command` is not run",
        );
        assert_eq!(user.run(&["token", "qwen"]).out, before);
        // What the user's own settings name is found afterwards.
        good(&user, &to, &key);
        assert!(!file.exists());
        assert_eq!(good(&user, &["token", "qwen"], &[]).out, before);
        good(&user, &["migrate", "--to", "files"], &[]);
        // Another key than theirs is not.
        settings(
            &user,
            &json!({"trusted_stores": [url], "key_file": key[1]}),
            None,
        );
        let other = user.directory.path().join("other");
        write_secret(&other, "another-key-of-thirty-two-bytes!");
        let with_other = [&to[..], &["--key-file", other.to_str().unwrap()]].concat();
        refused(&with_other, "names another key");
        good(&user, &to, &[]);
        assert_eq!(good(&user, &["token", "qwen"], &[]).out, before);
        good(&user, &["migrate", "--to", "files"], &[]);
        // The user may want it all the same.
        let done = good(&user, &[&to[..], &["--keep-settings"]].concat(), &[]);
        let flags = format!("use --store {} --key-file {}.", place.shown(), key[1]);
        assert!(done.err.contains(&flags), "{done:?}");
        with(&user, &["token", "qwen"], &[]).assert_failed(3, "not signed in");
        let store = ["--store", &url, key[0], key[1]];
        assert_eq!(good(&user, &["token", "qwen"], &store).out, before);
    }
}

/// A key of encrypted files.
const SEALED: [&str; 2] = ["--key-command", "printf made-up-key-of-thirty-two-bytes!"];

#[test]
fn a_session_that_may_not_leave_this_computer_stays_and_stops_no_other() {
    for place in places() {
        let user = User::new();
        user.sign_in(&["qwen"]);
        let mut session = user.stored("qwen");
        session["metadata"]["provider"] = json!("openai");
        session["provider"] = json!("openai");
        let file = user.file("openai", "default");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        write_secret(&file, &session.to_string());
        let before = std::fs::read(&file).unwrap();
        let to = ["migrate", "--json", "--keep-settings", "--to", &place.url()];
        let done = good(&user, &to, &[]);
        let report = done.json();
        assert_eq!(
            report["moved"].as_array().map(Vec::len),
            Some(1),
            "{report}"
        );
        assert_eq!(report["kept"][0]["vendor"], "openai");
        assert!(done.err.contains("may not leave this computer"), "{done:?}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
        // It moves between stores of this computer.
        let to = ["migrate", "--to", "encrypted", "--keep-settings"];
        good(&user, &to, &SEALED);
        assert!(!file.exists());
    }
}

#[test]
fn a_session_whose_mark_stays_after_its_move_is_not_refreshed_until_the_move_has_ended() {
    let Some(place) = postgres() else {
        return;
    };
    let user = User::new();
    let (url, database) = (place.url(), format!("test_{}", place.database));
    let store = ["--store", &url];
    good(&user, &["status"], &store);
    user.sign_in(&["qwen"]);
    // The database fails once the original is gone.
    place.psql(
        &database,
        "CREATE FUNCTION llm_auth.fail() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'made up'; END$$; \
         CREATE TRIGGER fail BEFORE UPDATE ON llm_auth.sessions FOR EACH ROW \
         WHEN (position('\"copied_from\"'::bytea IN OLD.sealed) > 0 \
         AND position('\"copied_from\"'::bytea IN NEW.sealed) = 0) EXECUTE FUNCTION llm_auth.fail()",
    );
    let migrate = ["migrate", "--to", &url, "--keep-settings"];
    let done = run(&user, &migrate);
    done.assert_failed(1, "could not be moved");
    assert!(
        done.err
            .contains("not refreshed there before that is confirmed"),
        "{done:?}"
    );
    assert!(!user.file("qwen", "default").exists());
    good(&user, &["token", "qwen"], &store);
    let refresh = ["token", "qwen", "--force-refresh", "--store", &url];
    run(&user, &refresh).assert_failed(1, "a copy of the one in files");
    // The next one takes the mark off.
    place.psql(&database, "DROP TRIGGER fail ON llm_auth.sessions");
    good(&user, &migrate, &[]);
    place.psql(
        &database,
        "DO $$BEGIN ASSERT NOT EXISTS (SELECT FROM llm_auth.sessions \
         WHERE position('\"copied_from\"'::bytea IN sealed) > 0); END$$",
    );
    good(&user, &refresh[..3], &store);
}
