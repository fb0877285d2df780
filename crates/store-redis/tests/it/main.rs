//! The store over real servers of Redis, which the tests start; `.ci/run` installs it.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic, its helpers too; a skipped test prints its name"
)]

mod accounts;
mod bad_servers;
mod cluster;
mod contract;
mod crashes;
mod failover;
mod fencing;
mod kept_aside;
mod processes;
mod rows;
mod sealing;
mod support;
mod tls;
mod waiting;
mod wire;
