//! A server that only the environment names gets no session.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::{KEY, PASSWORD, good, places, run, with, write_secret};
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
        let trust = |stores: Value| {
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
        trust(json!([place.url()]));
        let done = by_variable(&user, &url, &["login", "qwen"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        trust(json!("all"));
        by_variable(&user, &url, &["status"]).assert_failed(1, "`trusted_stores`");
    }
}

/// The user's own settings, and those to which `LLM_AUTH_HOME` leads.
pub(super) fn settings(user: &User, own: &Value, of_variable: Option<&Value>) {
    let mut own = own.clone();
    own["trusted_endpoints"] = json!([user.kit.base_url()]);
    let file = trusted_settings(user.directory.path()).join("settings.json");
    std::fs::write(file, own.to_string()).unwrap();
    if let Some(settings) = of_variable {
        let home = user.directory.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("settings.json"), settings.to_string()).unwrap();
    }
}

#[test]
fn a_trusted_server_is_reached_as_the_users_settings_say_whatever_the_variable_adds() {
    for place in places() {
        let user = User::new();
        settings(&user, &json!({"trusted_stores": [place.file(&user)]}), None);
        // The user of the variable cannot sign in to the server.
        let other = place
            .url_with("made-up-password-of-another")
            .replace("postgres:made-up", "other:made-up");
        let done = by_variable(&user, &other, &["login", "qwen"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        good(&user, &["token", "qwen"], &["--store", &place.url()]);
        if place.engine == "postgres" {
            // Other tables of the same database.
            let options = format!("{}?options=-csearch_path%3Dmade_up", place.url());
            let done = by_variable(&user, &options, &["token", "qwen"]);
            assert_eq!(done.code, Some(0), "{done:?}");
        }
    }
}

#[cfg(all(target_os = "linux", feature = "postgres"))]
#[test]
fn an_address_in_the_url_of_a_variable_is_not_connected_to_in_place_of_the_trusted_host() {
    // Of another person, if it were not this computer.
    let other = TcpListener::bind("127.0.0.2:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let port = other.local_addr().unwrap().port();
    let user = User::new();
    let trusted = format!("postgres://ann@localhost:{port}/sessions");
    let led_away = format!("postgres://x@localhost:{port}/sessions?hostaddr=127.0.0.2");
    for own in [
        json!({"store": trusted}),
        json!({"trusted_stores": [trusted]}),
    ] {
        settings(&user, &own, Some(&json!({"store": led_away})));
        for done in [
            by_variable(&user, &led_away, &["status"]),
            run(&user, &["status"]),
        ] {
            done.assert_failed(1, "which your own settings do not");
            assert!(done.err.contains("hostaddr=127.0.0.2"), "{done:?}");
        }
    }
    let connected = other.accept().unwrap_err().kind();
    assert_eq!(connected, std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_relative_name_in_the_users_settings_trusts_no_file_of_a_project() {
    for place in places() {
        let user = User::new();
        settings(&user, &json!({"trusted_stores": ["@url"]}), None);
        // The project is the current directory.
        let file = place.file(&user);
        let mut status = user.command(&["status"]);
        status.current_dir(user.directory.path());
        let done = Done::of(status.env("LLM_AUTH_STORE", file));
        done.assert_failed(1, "which your own settings do not");
    }
}

#[test]
fn settings_that_a_variable_brings_do_not_take_the_users_key_away() {
    for place in places() {
        let user = User::new();
        let (url, key) = (place.url(), user.directory.path().join("key"));
        write_secret(&key, KEY);
        let key = key.to_str().unwrap();
        let own = json!({"store": url, "key_file": key});
        settings(&user, &own, Some(&json!({"store": url})));
        let done = run(&user, &["login", "qwen"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        good(&user, &["login", "minimax"], &["--store", &url]);
        for provider in ["qwen", "minimax"] {
            let elsewhere = user.directory.path().join("elsewhere");
            let home = ["--store", &url, "--home", elsewhere.to_str().unwrap()];
            with(&user, &["token", provider], &home).assert_failed(1, "key");
            let sealed = [&home[..], &["--key-file", key]].concat();
            good(&user, &["token", provider], &sealed);
        }
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
    run(&user, &["status", "--store", &store])
        .assert_failed(1, "other users can read the URL of the store");
    write_secret(&file, "made-up-password");
    run(&user, &["status", "--store", &store]).assert_failed(1, "names no store on a server");
}
