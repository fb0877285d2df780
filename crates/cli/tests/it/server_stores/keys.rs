//! Where the key of sealed sessions comes from, and what else a command that prints it gets.

use serde_json::{Value, json};

use super::{KEY, PASSWORD, good, places, run, with, write_secret};
use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn a_migration_from_one_database_to_another_remembers_the_key_that_seals_the_sessions() {
    for (first, second) in places().into_iter().zip(places()) {
        let user = User::new();
        let key = user.directory.path().join("key");
        write_secret(&key, KEY);
        let home = user.directory.path().join("named");
        let home = ["--home", home.to_str().unwrap()];
        good(&user, &["login", "qwen"], &home);
        let token = good(&user, &["token", "qwen"], &home);
        let to = [
            "migrate",
            "--to",
            &first.url(),
            "--key-file",
            key.to_str().unwrap(),
        ];
        good(&user, &to, &home);
        for place in [&second, &first] {
            let done = good(&user, &["migrate", "--to", &place.url()], &home);
            assert!(!done.err.contains("in clear text"), "{done:?}");
            let settings = std::fs::read(user.directory.path().join("named/settings.json"));
            let settings: Value = serde_json::from_slice(&settings.unwrap()).unwrap();
            assert_eq!(settings["key_file"], json!(key));
            assert_eq!(good(&user, &["token", "qwen"], &home).out, token.out);
            let without = ["--store", &place.url()];
            with(&user, &["token", "qwen"], &without).assert_failed(1, "key");
        }
        good(&user, &["migrate", "--to", "files"], &home);
        let done = good(&user, &["migrate", "--to", &second.url()], &home);
        assert!(done.err.contains("in clear text"), "{done:?}");
    }
}

#[test]
fn damaged_settings_do_not_send_sessions_to_a_database_without_their_key() {
    for place in places() {
        let user = User::new();
        let home = user.directory.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let store = ["--store", &place.url()];
        for damaged in ["{", "{\"store\": 7, \"key_file\": \"/made-up/key\"}"] {
            std::fs::write(home.join("settings.json"), damaged).unwrap();
            with(&user, &["login", "qwen"], &store).assert_failed(1, "settings.json");
        }
        // Half of what the user wrote, who has never used a store before.
        let half = format!("{{\"store\": \"{}\", \"key_file\": ", place.url());
        std::fs::write(home.join("settings.json"), half).unwrap();
        let named = ["--home", home.to_str().unwrap()];
        with(&user, &["login", "qwen"], &named).assert_failed(1, "settings.json");
        assert!(!user.file("qwen", "default").exists());
        std::fs::remove_file(home.join("settings.json")).unwrap();
        with(&user, &["token", "qwen"], &store).assert_failed(3, "not signed in");
    }
}

#[test]
fn the_key_of_the_settings_counts_for_a_database_that_they_trust() {
    for place in places() {
        let user = User::new();
        let key = user.directory.path().join("key");
        write_secret(&key, KEY);
        let home = user.directory.path().join("named");
        std::fs::create_dir_all(&home).unwrap();
        let settings = json!({"key_file": key, "trusted_stores": [place.url()]});
        std::fs::write(home.join("settings.json"), settings.to_string()).unwrap();
        let named = ["--home", home.to_str().unwrap(), "--store", &place.url()];
        good(&user, &["login", "qwen"], &named);
        let without = ["--store", &place.url()];
        with(&user, &["token", "qwen"], &without).assert_failed(1, "key");
        good(&user, &["token", "qwen"], &named);
    }
}

#[test]
fn no_program_that_is_started_gets_the_password_of_the_store() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let printed = user.directory.path().join("environment");
    let command = format!("env > '{}'; printf {KEY}", printed.display());
    let url = format!("postgres://ann:{PASSWORD}@db.example/d");
    let run = |store: &str, args: &[&str]| {
        let mut command = user.command(args);
        command.env("LLM_AUTH_STORE", store);
        command.env("LLM_AUTH_GEMINI_CLIENT_SECRET", "made-up-client-secret");
        let done = Done::of(&mut command);
        assert_eq!(done.code, Some(0), "{done:?}");
        done
    };
    let exec = ["exec", "qwen", "--store", "files", "--", "/usr/bin/env"];
    let by_exec = run(&url, &exec);
    by_exec.assert_no_secret(&[PASSWORD, "made-up-client-secret"]);
    assert!(run("files", &exec).out.contains("LLM_AUTH_STORE=files"));
    let by_key = ["status", "--store", "encrypted", "--key-command", &command];
    run(&url, &[&["login", "minimax"][..], &by_key[1..]].concat());
    run(&url, &by_key);
    let environment = std::fs::read_to_string(&printed).unwrap();
    assert!(environment.contains("LLM_AUTH_HOME="), "{environment}");
    for secret in [PASSWORD, "made-up-client-secret"] {
        assert!(!environment.contains(secret), "{environment}");
    }
}

#[test]
fn a_key_that_sessions_were_stored_without_is_reported_with_advice_about_the_key() {
    for place in places() {
        let user = User::new();
        let store = ["--store", &place.url()];
        good(&user, &["login", "qwen"], &store);
        let key = user.directory.path().join("key");
        write_secret(&key, KEY);
        let with_key = [&store[..], &["--key-file", key.to_str().unwrap()]].concat();
        for verb in [
            &["token", "qwen"][..],
            &["login", "qwen"],
            &["logout", "qwen"],
        ] {
            let done = with(&user, verb, &with_key);
            done.assert_failed(1, "is not");
            assert!(done.err.contains("are read without one"), "{done:?}");
            for unfit in ["Encryption::", "the client, the scope", "LLM_AUTH_QWEN"] {
                assert!(!done.err.contains(unfit), "{done:?}");
            }
        }
        run(&user, &["token", "qwen", "--store", &place.url()]);
    }
}
