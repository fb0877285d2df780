//! Real processes that share the store.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _, stdin};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use llm_auth_core::{SessionKey, TokenStore as _};
use llm_auth_store_postgres::PostgresStore;
use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::{self, Place};
use crate::support::{key, noted, session};
use crate::vendor::{Vendor, manager, provider};

/// Another process of this program, which runs [`a_process_of_another_test`].
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(place: &Place, role: &str, account: &str, server: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "processes::a_process_of_another_test"]);
        command.args(["--ignored", "--nocapture"]);
        command.env("MADE_UP_URL", place.url());
        command.env("MADE_UP_SCHEMA", &place.schema);
        command
            .env("MADE_UP_ROLE", role)
            .env("MADE_UP_ACCOUNT", account);
        command.env("MADE_UP_SERVER", server);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// The rest of the next line that begins with that word.
    fn hear(&mut self, word: &str) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            // The test harness prints on the same line.
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("the process has not said {word}");
    }

    fn go_on(&mut self) {
        self.input.write_all(b"go on\n").unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn wait_for_parent() {
    stdin().lines().next().unwrap().unwrap();
}

#[ignore = "a process of another test"]
#[tokio::test]
async fn a_process_of_another_test() {
    let Ok(url) = env::var("MADE_UP_URL") else {
        return;
    };
    let var = |name: &str| env::var(name).unwrap();
    let builder = PostgresStore::builder(&url).schema(var("MADE_UP_SCHEMA"));
    let store = builder.max_connections(2).connect().await.unwrap();
    let account = var("MADE_UP_ACCOUNT");
    if var("MADE_UP_ROLE") == "caller" {
        let manager = manager(provider(&var("MADE_UP_SERVER")), store, &account);
        println!("READY");
        wait_for_parent();
        let token = manager.token().await.unwrap();
        println!("TOKEN {}", token.access.expose());
        return;
    }
    let mut guard = store.lock(&key(&account)).await.unwrap();
    let stored = guard.load().await.unwrap().unwrap();
    guard.prepare(Some(&noted(&stored))).await.unwrap();
    println!("PREPARED");
    wait_for_parent();
    let kind = |outcome: llm_auth_core::Result<()>| match outcome {
        Ok(()) => "Ok".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    };
    let extended = kind(guard.extend().await);
    let saved = kind(guard.finish(&session(9)).await);
    println!("ENDED {extended} {saved}");
}

#[tokio::test]
async fn twenty_processes_on_one_expired_session_send_one_refresh() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let vendor = Vendor::start().await;
    vendor.sign_in(place.store(), "shared").await;
    let start = |_| Process::start(&place, "caller", "shared", vendor.kit.base_url());
    let mut processes: Vec<Process> = (0..20).map(start).collect();
    for process in &mut processes {
        process.hear("READY");
    }
    for process in &mut processes {
        process.go_on();
    }
    let mut tokens: Vec<String> = processes.iter_mut().map(|one| one.hear("TOKEN")).collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(vendor.kit.standard().is_live_access(&tokens[0]));
    assert_eq!(vendor.refreshes(), 1);
    assert_eq!(place.sql("SELECT count(holder) FROM {}.sessions"), ["0"]);
}

#[tokio::test]
async fn a_process_that_slept_through_its_lease_cannot_overwrite_its_successor() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let vendor = Vendor::start().await;
    vendor.sign_in(place.store(), "slept").await;
    let mut sleeper = Process::start(&place, "sleeper", "slept", "");
    sleeper.hear("PREPARED");
    sleeper.signal(Signal::STOP);
    place.end_leases();
    let manager = vendor.manager(place.store(), "slept");
    let token = manager.token().await.unwrap();
    sleeper.signal(Signal::CONT);
    sleeper.go_on();
    assert_eq!(sleeper.hear("ENDED"), "LeaseLost LeaseLost");
    let stored = place.store().load(&key("slept")).await.unwrap().unwrap();
    assert_eq!(stored.access, token.access);
    assert_eq!(vendor.refreshes(), 1);
}

#[tokio::test]
async fn a_process_that_is_killed_in_mid_refresh_leaves_its_note_and_a_lease_that_ends() {
    let Some(place) = cluster::shared() else {
        return;
    };
    let store = place.store();
    let key: SessionKey = key("killed");
    store
        .lock(&key)
        .await
        .unwrap()
        .finish(&session(1))
        .await
        .unwrap();
    let mut process = Process::start(&place, "sleeper", "killed", "");
    process.hear("PREPARED");
    process.signal(Signal::KILL);
    drop(process);
    let left = "SELECT lease_until > now(), lease_until <= now() + interval '30 seconds' \
                FROM {}.sessions";
    assert_eq!(place.sql(left), ["t", "t"]);
    place.end_leases();
    let mut guard = store.lock(&key).await.unwrap();
    let found = guard.load().await.unwrap().unwrap();
    assert!(found.may_be_spent() && found.has_same_tokens(&session(1)));
}
