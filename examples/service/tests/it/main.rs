//! The example service as processes, with a server of Postgres and the simulated vendor.
#![cfg(unix)]
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests; one that is skipped prints its name"
)]

mod ahead;
mod client;
mod cookies;
mod fleet;
mod instance;
mod manifests;
mod postgres;
mod settings;
mod sign_in;
mod slow;
mod support;
mod trouble;
mod world;
