//! Messages about sessions on servers, which no file has.

use llm_auth_core::{SessionKey, TokenStore as _};

use super::{PASSWORD, Place, RedisServer, good, places, run, support, with};
use crate::support::done::Done;
use crate::support::user::User;

/// What is true of files alone.
const OF_FILES: [&str; 4] = [
    "Its file",
    "the file",
    "this computer",
    "which process holds",
];

fn says(done: &Done, words: &str) {
    assert!(
        done.err.contains(words) || done.out.contains(words),
        "{words}: {done:?}"
    );
    for wrong in OF_FILES {
        assert!(
            !done.err.contains(wrong) && !done.out.contains(wrong),
            "{done:?}"
        );
    }
}

#[test]
fn a_damaged_session_on_a_server_is_kept_where_the_messages_say() {
    for place in places() {
        let user = User::new();
        let store = ["--store", &place.url()];
        good(&user, &["login", "qwen"], &store);
        place.damage("qwen");
        for verb in [
            &["token", "qwen"][..],
            &["status"],
            &["doctor", "qwen", "--offline"],
        ] {
            let done = with(&user, verb, &store);
            assert!(!done.err.contains("panicked"), "{done:?}");
            says(&done, "keeps a copy of it in the database");
        }
        assert_eq!(place.copies("qwen"), 0);
        let done = good(&user, &["login", "qwen", "--json"], &store);
        says(
            &done,
            &format!("is kept in {}.", place.shown_copies("qwen")),
        );
        let kept = done.events().last().unwrap()["kept_aside"].clone();
        assert_eq!(kept, place.shown_copies("qwen"));
        assert_eq!(place.copies("qwen"), 1);
        good(&user, &["token", "qwen"], &store);
        let again = good(&user, &["login", "qwen"], &store);
        assert!(!again.err.contains("is kept in"), "{again:?}");
        for (number, local) in [&["--local"][..], &[]].into_iter().enumerate() {
            place.damage("qwen");
            let done = good(&user, &[&["logout", "qwen"], local].concat(), &store);
            says(&done, "could not be read");
            says(
                &done,
                &format!("is kept in {};", place.shown_copies("qwen")),
            );
            assert_eq!(place.copies("qwen"), number + 2);
            with(&user, &["token", "qwen"], &store).assert_failed(3, "not signed in");
            good(&user, &["login", "qwen"], &store);
        }
    }
}

#[test]
fn a_session_that_was_moved_to_another_account_gives_way_to_a_sign_in_and_a_sign_out() {
    for place in places() {
        let user = User::new();
        let store = ["--store", &place.url()];
        for account in ["one", "two"] {
            good(&user, &["login", "qwen", "--account", account], &store);
        }
        let token = good(&user, &["token", "qwen", "--account", "one"], &store);
        for verb in ["login", "logout"] {
            place.copy_session("one", "two");
            let of_two = |verb| with(&user, &[verb, "qwen", "--account", "two"], &store);
            let refused = of_two("token");
            refused.assert_failed(1, "another account");
            says(&refused, "keeps a copy of it in the database");
            let done = of_two(verb);
            assert_eq!(done.code, Some(0), "{done:?}");
            says(&done, "is kept in ");
        }
        let still = good(&user, &["token", "qwen", "--account", "one"], &store);
        assert_eq!(still.out, token.out);
    }
}

#[test]
fn a_sign_out_says_that_the_session_is_gone_from_the_server() {
    for place in places() {
        let user = User::new();
        let store = ["--store", &place.url()];
        good(&user, &["login", "qwen"], &store);
        let done = good(&user, &["logout", "qwen", "--local", "--json"], &store);
        says(&done, &format!("127.0.0.1:{}", place.port));
    }
}

#[test]
fn a_session_that_another_computer_refreshes_is_reported_as_such() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    for place in places() {
        let user = User::new();
        let store = ["--store", &place.url()];
        good(&user, &["login", "qwen"], &store);
        let held = runtime.block_on(async {
            let key = SessionKey::new("qwen", "default");
            match place.engine {
                "postgres" => {
                    let other = llm_auth_store_postgres::PostgresStore::builder(&place.url());
                    other.build().unwrap().lock(&key).await.unwrap()
                }
                _ => {
                    let other = llm_auth_store_redis::RedisStore::builder(place.url());
                    other.build().unwrap().lock(&key).await.unwrap()
                }
            }
        });
        let args = ["token", "qwen", "--force-refresh", "--timeout", "1"];
        let done = with(&user, &args, &store);
        done.assert_failed(4, "");
        says(&done, "perhaps on another computer");
        runtime.block_on(held.release());
    }
}

#[test]
fn a_server_that_does_not_list_the_accounts_is_not_taken_for_an_empty_one() {
    let secret = ["--requirepass", PASSWORD];
    let Some(server) = RedisServer::start(&support::test_name(), &secret) else {
        return;
    };
    let place = Place {
        engine: "redis",
        port: server.port,
        database: 0,
    };
    let user = User::new();
    let store = ["--store", &place.url()];
    good(&user, &["login", "qwen", "--account", "work"], &store);
    place.redis(&["ACL", "SETUSER", "default", "-scan"]);
    good(&user, &["token", "qwen", "--account", "work"], &store);
    for verb in [
        &["token", "qwen"][..],
        &["logout", "qwen"],
        &["exec", "qwen", "--env", "T"],
    ] {
        let verb = [verb, &store].concat();
        let verb = match verb[0] {
            "exec" => [&verb[..], &["--", "true"]].concat(),
            _ => verb,
        };
        run(&user, &verb).assert_failed(1, "permits this user too little");
    }
}

#[test]
fn the_variable_that_names_a_store_is_known_to_doctor() {
    let user = User::new();
    let mut doctor = user.command(&["doctor", "--offline"]);
    let done = Done::of(doctor.env("LLM_AUTH_STORE", "files"));
    assert!(!done.out.contains("not a known variable"), "{done:?}");
}
