//! A server that only the environment names gets no session.

use serde_json::json;

use super::{PASSWORD, places, run, write_secret};
use crate::support::command::trusted_settings;
use crate::support::done::Done;
use crate::support::user::User;

fn by_variable(user: &User, store: &str, args: &[&str]) -> Done {
    let done = Done::of(user.command(args).env("LLM_AUTH_STORE", store));
    done.assert_no_secret(&[PASSWORD]);
    done
}

#[test]
fn a_server_that_only_a_variable_names_gets_nothing_until_the_users_settings_name_it() {
    for place in places() {
        let user = User::new();
        let (url, kit) = (place.url(), user.kit.base_url().to_owned());
        for store in [&url, &place.file(&user)] {
            for verb in [&["login", "qwen"][..], &["status"], &["token", "qwen"]] {
                let done = by_variable(&user, store, verb);
                done.assert_failed(1, "which your own settings do not");
                assert!(done.err.contains("trusted_stores"), "{done:?}");
            }
        }
        let settings = trusted_settings(user.directory.path()).join("settings.json");
        let trust = |stores: serde_json::Value| {
            let settings_of_user = json!({"trusted_endpoints": [kit], "trusted_stores": stores});
            std::fs::write(&settings, settings_of_user.to_string()).unwrap();
        };
        // Another database of the same server is another store.
        trust(json!([place
            .shown()
            .replace(&place.database.to_string(), "0")]));
        let other = place.url().replace("127.0.0.1", "localhost");
        by_variable(&user, &other, &["login", "qwen"])
            .assert_failed(1, "which your own settings do not");
        trust(json!([place.shown()]));
        let done = by_variable(&user, &url, &["login", "qwen"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        trust(json!("all"));
        by_variable(&user, &url, &["status"]).assert_failed(1, "`trusted_stores`");
    }
}

#[test]
fn settings_that_a_variable_brings_name_no_server() {
    for place in places() {
        let user = User::new();
        let home = user.directory.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let settings = json!({ "store": place.url() }).to_string();
        std::fs::write(home.join("settings.json"), settings).unwrap();
        for verb in [&["login", "qwen"][..], &["token", "qwen"], &["status"]] {
            run(&user, verb).assert_failed(1, "which your own settings do not");
        }
        // A flag of the call is the user's word.
        let home = ["status", "--home", home.to_str().unwrap()];
        assert_eq!(run(&user, &home).code, Some(0));
    }
}

#[test]
fn a_file_with_a_url_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let user = User::new();
    let file = user.directory.path().join("url");
    write_secret(&file, "redis://:made-up-password@127.0.0.1:1");
    let store = format!("@{}", file.display());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    run(&user, &["status", "--store", &store]).assert_failed(1, "other users can read it");
    write_secret(&file, "made-up-password");
    run(&user, &["status", "--store", &store]).assert_failed(1, "names no store on a server");
}
