//! Hosts that fail: several processes, as on several computers, share one Postgres or one Redis. Holders
//! of leases are killed, paused past their leases and cut off from the database or the vendor; the
//! database crashes, and a replica takes over. After each round, no session may be lost, and the
//! strict vendor may have seen no refresh token twice.
//!
//! `cargo xtask torture --fleet [--engine postgres|redis] [--rounds N] [--seed N] [--round N]`.
//! Everything that is chosen follows from the seed; only the computer's own pace does not.
//!
//! What N5 excuses is counted apart: the vendor has replaced a refresh token, and its response
//! reached no living process that could store it. The vendor's wire passes each response on, so it
//! is known of each whether it arrived, and what became of the host then (`ledger.rs`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal; what panics here is a broken test"
)]

#[cfg(unix)]
#[allow(dead_code, reason = "shared with the tests of llm-auth-store-postgres")]
#[path = "../../../store-postgres/tests/it/cluster.rs"]
mod cluster;
#[cfg(unix)]
#[allow(dead_code, reason = "shared with the tests of llm-auth-store-postgres")]
#[path = "../../../store-postgres/tests/it/place.rs"]
mod place;
#[cfg(unix)]
#[allow(dead_code, reason = "shared with the torture run")]
#[path = "../torture/random.rs"]
mod random;
#[cfg(unix)]
#[allow(dead_code, reason = "shared with the tests of llm-auth-store-redis")]
#[path = "../../../store-redis/tests/it/support/server.rs"]
mod redis_server;
#[cfg(unix)]
#[allow(dead_code, reason = "shared with the tests of llm-auth-store-postgres")]
#[path = "../../../store-postgres/tests/it/support.rs"]
mod support;

#[cfg(unix)]
mod arguments;
#[cfg(unix)]
mod database;
#[cfg(unix)]
mod database_wire;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod host;
#[cfg(unix)]
mod judge;
#[cfg(unix)]
mod ledger;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod runner;
#[cfg(unix)]
mod trigger;
#[cfg(unix)]
mod vendor;
#[cfg(unix)]
mod vendor_wire;
#[cfg(unix)]
mod world;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match host::Orders::own() {
        Some(orders) => runtime.block_on(host::run(orders)),
        None => runtime.block_on(runner::run()),
    }
}

#[cfg(not(unix))]
fn main() {
    eprintln!("fleet: SKIPPED, it needs the processes and signals of Unix");
}
