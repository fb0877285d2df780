//! Servers and keys that are not right.

use super::cluster::CA;
use super::{
    KEY, PASSWORD, Place, RedisServer, good, places, postgres, run, support, with, write_secret,
};
use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn a_key_seals_the_sessions_and_a_wrong_or_missing_one_changes_nothing() {
    for place in places() {
        let user = User::new();
        user.sign_in(&["minimax"]);
        let url = place.url();
        let key = user.key_file("key", KEY);
        let wrong = user.key_file("wrong", "another-key-of-thirty-two-bytes!");
        let short = user.key_file("short", "made-up");
        let sealed = ["--store", &url, "--key-file", &key];
        good(&user, &["login", "qwen"], &sealed);
        let token = good(&user, &["token", "qwen"], &sealed);
        for store in [
            &["--store", &url, "--key-file", &wrong][..],
            &["--store", &url],
        ] {
            for verb in [
                &["token", "qwen"][..],
                &["token", "qwen", "--force-refresh"],
                &["login", "qwen"],
                &["logout", "qwen"],
            ] {
                let done = with(&user, verb, store);
                done.assert_failed(1, "key");
                assert!(!done.err.contains("LLM_AUTH_QWEN_"), "{done:?}");
            }
        }
        with(
            &user,
            &["token", "qwen"],
            &["--store", &url, "--key-file", &short],
        )
        .assert_failed(1, "7 bytes");
        assert_eq!(good(&user, &["token", "qwen"], &sealed).out, token.out);
        assert_eq!(user.run(&["token", "minimax"]).code, Some(0));
    }
}

#[test]
fn a_database_of_a_newer_schema_is_refused_and_left_as_it_is() {
    let Some(place) = postgres() else {
        return;
    };
    let user = User::new();
    user.sign_in(&["minimax"]);
    let (url, database) = (place.url(), format!("test_{}", place.database));
    let store = ["--store", &url];
    good(&user, &["login", "qwen"], &store);
    let token = good(&user, &["token", "qwen"], &store);
    place.psql(
        &database,
        "UPDATE llm_auth.version SET version = version + 1",
    );
    for verb in [
        &["token", "qwen"][..],
        &["status"],
        &["login", "qwen"],
        &["logout", "qwen"],
    ] {
        with(&user, verb, &store).assert_failed(1, "the tables have version");
    }
    let migrate = run(&user, &["migrate", "--to", &url, "--keep-settings"]);
    migrate.assert_failed(1, "the tables have version");
    assert_eq!(user.run(&["token", "minimax"]).code, Some(0));
    place.psql(
        &database,
        "UPDATE llm_auth.version SET version = version - 1",
    );
    assert_eq!(good(&user, &["token", "qwen"], &store).out, token.out);
}

#[test]
fn a_redis_that_may_lose_sessions_is_used_only_if_the_url_accepts_it() {
    let weak = ["--appendfsync", "everysec"];
    let Some(server) = RedisServer::start(&support::test_name(), &weak) else {
        return;
    };
    let user = User::new();
    let url = server.url();
    let refused = with(&user, &["login", "qwen"], &["--store", &url]);
    refused.assert_failed(1, "power cut");
    assert!(refused.err.contains("?accept=everysec"), "{refused:?}");
    let wrong = with(
        &user,
        &["status"],
        &["--store", &format!("{url}?accept=all")],
    );
    wrong.assert_failed(1, "`accept`");
    good(
        &user,
        &["login", "qwen"],
        &["--store", &format!("{url}?accept=everysec")],
    );
}

#[test]
fn a_server_that_is_away_or_rejects_the_password_is_named_and_no_plain_file_is_written() {
    let mut away: Vec<Place> = places();
    for place in &mut away {
        place.port = support::free_port();
    }
    for place in &away {
        let user = User::new();
        let url = place.url();
        for verb in [
            &["login", "qwen"][..],
            &["token", "qwen"],
            &["status"],
            &["migrate", "--to", "files", "--from", &url],
        ] {
            let store = ["--store", &url];
            let store = if verb[0] == "migrate" {
                &[][..]
            } else {
                &store[..]
            };
            let done = with(&user, verb, store);
            // A script may try again.
            done.assert_failed(4, &place.port.to_string());
            assert!(!done.err.contains("LLM_AUTH_HOME"), "{done:?}");
            assert!(done.err.contains("start the server"), "{done:?}");
            assert!(
                done.err.contains("troubleshooting.md#databases"),
                "{done:?}"
            );
        }
        assert!(!user.file("qwen", "default").exists());
    }
    if let Some(redis) = places().iter().find(|place| place.engine == "redis") {
        let url = redis.url_with("made-up-password-of-another");
        let done = with(&User::new(), &["login", "qwen"], &["--store", &url]);
        done.assert_failed(1, "rejects the user or the password");
        assert!(done.err.contains("%40"), "{done:?}");
    }
}

/// What only the authors of programs can follow.
const OF_LIBRARIES: [&str; 7] = [
    "root_certificate",
    "building the store",
    "`accept`",
    "`cluster`",
    "PostgresStore",
    "accept_fsync_off",
    "max_connections",
];

#[test]
fn a_certificate_that_is_not_trusted_names_the_variable_and_one_for_another_name_does_not() {
    let Some(place) = postgres() else {
        return;
    };
    let user = User::new();
    let ca = user.directory.path().join("ca.pem");
    std::fs::write(&ca, CA.as_bytes()).unwrap();
    let url = format!("{}?sslmode=require", place.url());
    let by_name = url.replace("127.0.0.1", "localhost");
    let login = |url: &str, ca: Option<&std::path::Path>| {
        let mut command = user.command(&["login", "qwen", "--store", url]);
        if let Some(ca) = ca {
            command.env("SSL_CERT_FILE", ca);
        }
        let done = Done::of(&mut command);
        done.assert_no_secret(&[PASSWORD]);
        for words in OF_LIBRARIES {
            assert!(!done.err.contains(words), "{words}: {done:?}");
        }
        done
    };
    let untrusted = login(&by_name, None);
    untrusted.assert_failed(1, "is not trusted");
    assert!(untrusted.err.contains("SSL_CERT_FILE"), "{untrusted:?}");
    let mismatch = login(&url, Some(&ca));
    mismatch.assert_failed(1, "is for another host name");
    assert!(!mismatch.err.contains("add the CA"), "{mismatch:?}");
    // The variable that is named is the right one.
    assert_eq!(login(&by_name, Some(&ca)).code, Some(0));
}

#[test]
fn the_advice_about_a_server_can_be_followed_with_the_command() {
    let mut said = Vec::new();
    if let Some(place) = postgres() {
        let user = User::new();
        let store = ["--store", &place.url()];
        good(&user, &["login", "qwen"], &store);
        let database = format!("test_{}", place.database);
        let read_only = format!(
            "{}?options=-c%20default_transaction_read_only%3Don",
            place.url()
        );
        let done = with(&user, &["login", "qwen"], &["--store", &read_only]);
        said.push((done, "read-only", "name the primary in the URL"));
        for (damage, what, advice) in [
            (
                "ALTER TABLE llm_auth.sessions SET UNLOGGED",
                "is unlogged",
                "at the server",
            ),
            (
                "ALTER TABLE llm_auth.sessions SET LOGGED; \
                 ALTER TABLE llm_auth.sessions DROP COLUMN fence",
                "lacks a column",
                "from a backup",
            ),
            (
                "UPDATE llm_auth.version SET version = 9",
                "the tables have version 9",
                "install the newest llm-auth",
            ),
        ] {
            place.psql(&database, damage);
            said.push((with(&user, &["token", "qwen"], &store), what, advice));
        }
    }
    if let Some(server) = RedisServer::start(&support::test_name(), &["--appendfsync", "no"]) {
        let user = User::new();
        let (url, memory) = (server.url(), format!("{}?accept=memory", server.url()));
        let done = with(&user, &["token", "qwen"], &["--store", &url]);
        said.push((done, "may lose the last saved", "?accept=everysec"));
        server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        let done = with(&user, &["token", "qwen"], &["--store", &memory]);
        assert!(!done.err.contains("?accept=e"), "{done:?}");
        said.push((done, "allkeys-lru", "noeviction"));
    }
    for (done, what, advice) in said {
        done.assert_failed(1, what);
        assert!(done.err.contains(advice), "{advice}: {done:?}");
        assert!(
            done.err.contains("troubleshooting.md#databases"),
            "{done:?}"
        );
        for words in OF_LIBRARIES {
            assert!(!done.err.contains(words), "{words}: {done:?}");
        }
    }
}

#[test]
fn a_url_whose_password_may_end_elsewhere_is_refused_and_nothing_of_it_is_shown() {
    let user = User::new();
    let tail = "made-up-tail";
    for url in [
        format!("postgres://app:pa@{tail}@127.0.0.1:1/d"),
        format!("postgres://app:p@ss/w:rd@{tail}:1/d"),
        format!("postgres://app:pa/{tail}@127.0.0.1:1/d"),
        format!("redis://:pa@{tail}@127.0.0.1:1/0"),
        format!("redis://:12#{tail}@127.0.0.1:1/0"),
        format!("redis://:12?{tail}@127.0.0.1:1/0"),
    ] {
        let file = user.directory.path().join("url");
        write_secret(&file, &url);
        for store in [url, format!("@{}", file.display())] {
            for verb in [&["token", "qwen"][..], &["login", "qwen", "--json", "-vv"]] {
                let done = with(&user, verb, &["--store", &store]);
                done.assert_failed(1, "`@` as `%40`");
                done.assert_no_secret(&[tail, "app", "12?", "12#"]);
                assert!(!done.err.contains("cannot be reached"), "{done:?}");
            }
        }
    }
}

#[test]
fn a_parameter_of_a_redis_url_that_is_misspelt_is_refused() {
    let user = User::new();
    let url = "redis://127.0.0.1:1/0?acept=made-up";
    let done = with(&user, &["token", "qwen"], &["--store", url]);
    done.assert_failed(1, "known ones are `accept` and `protocol`");
    done.assert_no_secret(&["made-up"]);
}

#[test]
fn sessions_are_not_sent_to_another_computer_in_clear_text() {
    let user = User::new();
    for url in [
        "postgres://ann:made-up-password@db.example/d?sslmode=disable",
        "postgres://ann:made-up-password@localhost/d?hostaddr=192.0.2.1&sslmode=disable",
        "redis://:made-up-password@redis.example",
        "rediss://:made-up-password@redis.example/#insecure",
    ] {
        with(&user, &["login", "qwen"], &["--store", url]).assert_failed(1, "in clear text");
    }
}
