//! Sessions in Postgres and Redis: the same sentences for both, with real servers.

#[path = "../../../store-postgres/tests/it/cluster.rs"]
#[allow(dead_code, reason = "shared with the tests of the store")]
mod cluster;
#[path = "../../../store-postgres/tests/it/place.rs"]
#[allow(dead_code, reason = "shared with the tests of the store")]
mod place;
#[path = "../../../store-redis/tests/it/support/server.rs"]
#[allow(dead_code, reason = "shared with the tests of the store")]
mod server;
#[path = "../../../store-postgres/tests/it/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the store")]
mod support;

mod bad_servers;
mod keys;
mod messages;
mod migrations;
mod trust;

use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use self::server::RedisServer;
use crate::support::done::Done;
use crate::support::session_file::write_secret;
use crate::support::user::User;

/// The password of both servers, which no output may have.
const PASSWORD: &str = "made-up-password";

/// The key of sealed sessions.
const KEY: &str = "made-up-key-of-thirty-two-bytes!";

/// An empty place of one test on a server.
#[derive(Clone)]
struct Place {
    engine: &'static str,
    port: u16,
    database: usize,
}

/// A place in Postgres alone, if that is installed.
fn postgres() -> Option<Place> {
    let mut places = places().into_iter();
    places.find(|place| place.engine == "postgres")
}

/// A place on each of the servers that are installed.
fn places() -> Vec<Place> {
    static NUMBER: AtomicUsize = AtomicUsize::new(1);
    static REDIS: OnceLock<Option<RedisServer>> = OnceLock::new();
    let database = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut places = Vec::new();
    if let Some(cluster) = cluster::shared() {
        let place = Place {
            engine: "postgres",
            port: cluster.port,
            database,
        };
        place.psql("postgres", &format!("CREATE DATABASE test_{database}"));
        places.push(place);
    }
    // Redis has 16 databases otherwise.
    let arguments = ["--requirepass", PASSWORD, "--databases", "64"];
    let start = || RedisServer::start(&support::test_name(), &arguments);
    match REDIS.get_or_init(start) {
        Some(server) => places.push(Place {
            engine: "redis",
            port: server.port,
            database,
        }),
        // By its own name too.
        None => drop(start()),
    }
    places
}

impl Place {
    fn url(&self) -> String {
        self.url_with(PASSWORD)
    }

    fn url_with(&self, password: &str) -> String {
        let Self { port, database, .. } = self;
        match self.engine {
            "postgres" => {
                format!("postgres://postgres:{password}@127.0.0.1:{port}/test_{database}")
            }
            _ => format!("redis://:{password}@127.0.0.1:{port}/{database}"),
        }
    }

    /// The same without the password, as messages have it.
    fn shown(&self) -> String {
        self.url()
            .replace(&format!(":{PASSWORD}"), "")
            .replace("redis://@", "redis://")
    }

    /// Executes SQL and returns the values of its rows, one row a line.
    fn psql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(support::program("psql").unwrap());
        psql.args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-d",
            database,
            "-Atqc",
            sql,
        ]);
        let done = Done::of(psql.arg("-p").arg(self.port.to_string()));
        assert_eq!(done.code, Some(0), "{done:?}");
        done.out
    }

    /// A command for the database of this place in Redis.
    fn redis(&self, args: &[&str]) -> String {
        let (port, database) = (self.port.to_string(), self.database.to_string());
        let place = [
            "--no-auth-warning",
            "-a",
            PASSWORD,
            "-p",
            &port,
            "-n",
            &database,
        ];
        let done = Done::of(Command::new("redis-cli").args(place).args(args));
        assert_eq!(done.code, Some(0), "{done:?}");
        done.out
    }

    /// The session of this provider is damaged.
    fn damage(&self, provider: &str) {
        match self.engine {
            "postgres" => drop(self.psql(
                &format!("test_{}", self.database),
                &format!(
                    "UPDATE llm_auth.sessions SET sealed = 'made-up' WHERE provider = '{provider}'"
                ),
            )),
            _ => drop(self.redis(&[
                "HSET",
                &format!("llm-auth:{{{provider}/default}}"),
                "data",
                "made-up",
            ])),
        }
    }

    /// What an account of Qwen has is now in the place of another one, too.
    fn copy_session(&self, from: &str, to: &str) {
        match self.engine {
            "postgres" => drop(self.psql(
                &format!("test_{}", self.database),
                &format!(
                    "UPDATE llm_auth.sessions SET sealed = (SELECT sealed FROM llm_auth.sessions \
                     WHERE account = '{from}') WHERE account = '{to}'"
                ),
            )),
            _ => {
                let key = |account| format!("llm-auth:{{qwen/{account}}}");
                let data = self.redis(&["HGET", &key(from), "data"]);
                drop(self.redis(&["HSET", &key(to), "data", &data]));
            }
        }
    }

    /// How many copies of such a session there are.
    fn copies(&self, provider: &str) -> usize {
        let database = format!("test_{}", self.database);
        match self.engine {
            "postgres" => {
                let sql = format!(
                    "SELECT 1 FROM llm_auth.damaged WHERE sealed = 'made-up' \
                     AND provider = '{provider}'"
                );
                self.psql(&database, &sql).lines().count()
            }
            _ => {
                let key = format!("llm-auth:{{{provider}/default}}:damaged");
                let copies = self.redis(&["HVALS", &key]);
                copies.lines().filter(|value| *value == "made-up").count()
            }
        }
    }

    /// Where they are, as messages have it.
    fn shown_copies(&self, provider: &str) -> String {
        let Self { port, database, .. } = self;
        match self.engine {
            "postgres" => {
                format!("postgres://127.0.0.1:{port}/test_{database} (llm_auth.damaged)")
            }
            _ => format!(
                "the Redis server 127.0.0.1:{port} (database {database}) \
                 (llm-auth:{{{provider}/default}}:damaged)"
            ),
        }
    }

    /// A file with the URL, as `--store` takes it.
    fn file(&self, user: &User) -> String {
        let file = user.directory.path().join("url");
        write_secret(&file, &self.url());
        format!("@{}", file.display())
    }
}

/// Runs a command; its output has no password.
fn run(user: &User, args: &[&str]) -> Done {
    let done = user.run(args);
    done.assert_no_secret(&[PASSWORD]);
    done
}

fn with(user: &User, verb: &[&str], store: &[&str]) -> Done {
    run(user, &[verb, store].concat())
}

fn good(user: &User, verb: &[&str], store: &[&str]) -> Done {
    let done = with(user, verb, store);
    assert_eq!(done.code, Some(0), "{verb:?} {done:?}");
    done
}

/// The one session of `status`.
fn status(user: &User, store: &[&str]) -> Value {
    let sessions = good(user, &["status", "--json"], store).json();
    assert_eq!(sessions["sessions"].as_array().map(Vec::len), Some(1));
    sessions["sessions"][0].clone()
}

#[test]
fn a_server_signs_in_refreshes_and_signs_out_and_no_file_has_a_token() {
    for place in places() {
        let user = User::new();
        let url = place.url();
        for store in [["--store", &url], ["--store", &place.file(&user)]] {
            let signed_in = good(&user, &["login", "qwen"], &store);
            assert!(signed_in.err.contains("127.0.0.1"), "{signed_in:?}");
            let first = good(&user, &["token", "qwen"], &store);
            let second = good(&user, &["token", "qwen", "--force-refresh"], &store);
            assert_ne!(first.out, second.out);
            let session = status(&user, &store);
            assert_eq!(session["kind"], place.engine);
            let stored_in = session["store"].as_str().unwrap();
            assert!(stored_in.contains(&place.port.to_string()), "{stored_in}");
            for token in [&first, &second] {
                let grep = ["-r", token.out.trim()];
                let mut grep = Command::new("grep")
                    .args(grep)
                    .arg(user.directory.path())
                    .output();
                assert_eq!(grep.as_mut().unwrap().status.code(), Some(1));
            }
            // Plain files have nothing of it.
            assert_eq!(user.run(&["token", "qwen"]).code, Some(3));
            good(&user, &["logout", "qwen"], &store);
            let after = with(&user, &["token", "qwen"], &store);
            after.assert_failed(3, "not signed in");
        }
    }
}

#[test]
fn a_session_is_there_for_another_computer_and_a_file_keeps_the_password_out_of_commands() {
    for place in places() {
        let user = User::new();
        let store = ["--store", &place.file(&user)];
        good(&user, &["login", "qwen", "--account", "work"], &store);
        let token = good(&user, &["token", "qwen"], &store);
        let elsewhere = user.directory.path().join("elsewhere");
        let other = [
            "--store",
            &place.url(),
            "--home",
            elsewhere.to_str().unwrap(),
        ];
        assert_eq!(good(&user, &["token", "qwen"], &other).out, token.out);
        // The command that a message names works with the file, and not with a bare URL.
        let named = with(&user, &["token", "minimax"], &store);
        assert!(named.err.contains("--store @"), "{named:?}");
        let named = with(&user, &["token", "minimax"], &other);
        assert!(named.err.contains(&place.shown()), "{named:?}");
    }
}

#[test]
fn twenty_processes_on_an_expired_session_of_a_server_cause_one_refresh() {
    for place in places() {
        let user = User::with_expired_session("qwen");
        let url = place.url();
        good(&user, &["migrate", "--to", &url, "--keep-settings"], &[]);
        let args = ["token", "qwen", "--store", &url];
        let processes: Vec<_> = (0..20).map(|_| user.start(&args)).collect();
        let done = processes.into_iter().map(|process| {
            let done: Done = process.wait_with_output().unwrap().into();
            assert_eq!(done.code, Some(0), "{done:?}");
            done.assert_no_secret(&[PASSWORD]);
            done.out
        });
        let mut tokens: Vec<String> = done.collect();
        tokens.dedup();
        assert_eq!(tokens.len(), 1);
        assert_eq!(user.kit.qwen().counters().refreshes, 1, "{}", place.engine);
    }
}

#[test]
fn no_command_prints_the_password_of_a_store() {
    for place in places() {
        let user = User::new();
        for url in [place.url(), place.url_with("made-up-password/?#@")] {
            let store = ["--store", &url];
            for verb in [
                &["login", "qwen"][..],
                &["login", "qwen", "--json"],
                &["login", "minimax", "-v"],
                &["status"],
                &["status", "--check"],
                &["status", "--json", "-vv"],
                &["token", "qwen", "-vv", "--force-refresh"],
                &["token", "qwen", "--json"],
                &["token", "gemini"],
                &["doctor", "qwen"],
                &["exec", "qwen", "--env", "T"],
                &["setup", "claude-code", "qwen"],
                &["import", "qwen-code"],
                &["mcp", "bridge", "qwen"],
                &["logout", "minimax"],
                &["logout", "qwen", "--json"],
            ] {
                // Some fail, and no output has it all the same.
                let verb = [verb, &store].concat();
                let verb = match verb[0] {
                    "exec" => [&verb[..], &["--", "true"]].concat(),
                    _ => verb,
                };
                let done = run(&user, &verb);
                assert!(!done.err.contains("panicked"), "{verb:?} {done:?}");
            }
            for verb in [
                &["migrate", "--to", &url][..],
                &["migrate", "--to", &url, "--keep-settings"],
                &["migrate", "--from", &url, "--to", "files", "--json"],
                &["migrate", "--to", &url.replace("://", ":///")],
                &["migrate", "--to", &format!("x{url}")],
                &["token", "qwen", "--store", &format!("x{url}")],
            ] {
                run(&user, verb);
            }
            let wrong = format!("x{url}");
            for named in [&url, &wrong, &url.replace("://", ":/")] {
                let mut variable = user.command(&["status", "-vv"]);
                let variable = Done::of(variable.env("LLM_AUTH_STORE", named));
                variable.assert_no_secret(&[PASSWORD]);
                let home = user.directory.path().join("named");
                std::fs::create_dir_all(&home).unwrap();
                for settings in [json!({"store": named}), json!({"trusted_stores": [named]})] {
                    let file = home.join("settings.json");
                    std::fs::write(file, settings.to_string()).unwrap();
                    run(&user, &["status", "-vv", "--home", home.to_str().unwrap()]);
                }
                let file = user.directory.path().join("wrong");
                write_secret(&file, named);
                run(
                    &user,
                    &["status", "--store", &format!("@{}", file.display())],
                );
            }
        }
    }
}
