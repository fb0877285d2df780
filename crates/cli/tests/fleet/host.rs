//! One host: this program once more. It serves many sessions by managers on the shared store, and
//! prints each token that it hands out, as a fingerprint.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use llm_auth_core::{AuthManager, Clock, SystemClock, Timestamp, TokenStore};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinSet;

use crate::database::{self, Engine};
use crate::vendor;

const FLAG: &str = "--host";

/// What a host needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) engine: Engine,
    /// Where the database is, by the host's own wire.
    pub(crate) port: u16,
    pub(crate) vendor: String,
    pub(crate) host: usize,
    /// How many hosts had this number before.
    pub(crate) life: usize,
    pub(crate) sessions: usize,
}

impl Orders {
    pub(crate) fn words(&self) -> Vec<String> {
        vec![
            FLAG.to_owned(),
            self.engine.name().to_owned(),
            self.port.to_string(),
            self.vendor.clone(),
            self.host.to_string(),
            self.life.to_string(),
            self.sessions.to_string(),
        ]
    }

    /// Of this process; `None` in the one that starts the hosts.
    pub(crate) fn own() -> Option<Self> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [flag, engine, port, vendor, host, life, sessions] = &words[..] else {
            return None;
        };
        (flag == FLAG).then(|| Self {
            engine: Engine::named(engine).unwrap(),
            port: port.parse().unwrap(),
            vendor: vendor.clone(),
            host: host.parse().unwrap(),
            life: life.parse().unwrap(),
            sessions: sessions.parse().unwrap(),
        })
    }
}

/// The computer's clock, set ahead by the fleet so that tokens are due without a wait.
#[derive(Debug, Default)]
pub(crate) struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    fn set(&self, seconds: i64) {
        self.0.store(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let ahead = self.0.load(Ordering::SeqCst);
        Timestamp::from_unix_millis(SystemClock.now().as_unix_millis() + ahead)
    }
}

pub(crate) async fn run(orders: Orders) -> ExitCode {
    match orders.engine {
        Engine::Postgres => serve(&orders, database::postgres(orders.port)).await,
        Engine::Redis => serve(&orders, database::redis(orders.port)).await,
    }
    ExitCode::SUCCESS
}

/// Until the standard input closes.
async fn serve(orders: &Orders, store: impl TokenStore + Clone + 'static) {
    let clock = Arc::new(ShiftedClock::default());
    let name = vendor::user_agent(orders.host, orders.life);
    let managers: Vec<AuthManager> = (0..orders.sessions)
        .map(|number| {
            let provider = vendor::provider(&orders.vendor, &name, clock.clone());
            AuthManager::builder(provider)
                .store(store.clone())
                .account(vendor::account(number))
                .clock(clock.clone())
                .build()
        })
        .collect();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    println!("ready");
    while let Ok(Some(line)) = lines.next_line().await {
        let mut words = line.split(' ');
        let (Some("go"), Some(turn), Some(shift)) = (words.next(), words.next(), words.next())
        else {
            return;
        };
        clock.set(shift.parse().unwrap());
        all(orders.host, turn, &managers).await;
        println!("done {turn}");
    }
}

/// A token of each session at once, and the end of what that has begun.
async fn all(host: usize, turn: &str, managers: &[AuthManager]) {
    let mut calls = JoinSet::new();
    for step in 0..managers.len() {
        // Each host begins with another session, so that each holds some leases.
        let number = (step + host * managers.len() / 3) % managers.len();
        let (manager, turn) = (managers[number].clone(), turn.to_owned());
        calls.spawn(async move {
            // Each session is wanted twice.
            let (first, second) = tokio::join!(manager.token(), manager.token());
            for outcome in [first, second] {
                match outcome {
                    Ok(token) => println!("token {turn} {number} {}", token.access.fingerprint()),
                    Err(error) if error.needs_login() => println!("over {turn} {number} {error}"),
                    Err(error) => println!("error {turn} {number} {error}"),
                }
            }
            manager.wait_idle().await;
        });
        if step % 4 == 3 {
            tokio::task::yield_now().await;
        }
    }
    while calls.join_next().await.is_some() {}
}
