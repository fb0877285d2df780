//! The store over real servers: Postgres, and PgBouncer in front of it.
#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests; one that is skipped prints its name"
)]

mod cable;
#[allow(dead_code, reason = "shared with the fleet of llm-auth-cli")]
mod cluster;
mod connections;
mod contract;
mod crashes;
mod damage;
mod kept_aside;
mod leases;
mod place;
mod pooler;
mod processes;
mod support;
mod vendor;
mod versions;
