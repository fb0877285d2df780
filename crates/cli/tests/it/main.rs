//! The command as a real process against the simulated providers on real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may panic, its helpers too; a skipped test prints its name"
)]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
#[cfg(unix)]
mod advice;
mod ambiguous_responses;
mod any_server;
#[cfg(unix)]
mod browser_launch;
#[cfg(target_os = "linux")]
mod ca_certificates;
#[cfg(unix)]
mod completions;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
#[cfg(unix)]
mod exec;
#[cfg(target_os = "linux")]
mod exec_proxy;
mod exit_codes;
mod flags;
mod gochat_files;
#[cfg(unix)]
mod golden;
mod hand_out;
mod import;
#[cfg(unix)]
mod json_output;
mod keep;
mod login;
mod malformed_responses;
#[cfg(unix)]
mod manual_pages;
#[cfg(unix)]
mod mcp;
mod proxy;
#[cfg(unix)]
mod readme;
mod refused;
mod remote_login;
mod secrets;
#[cfg(unix)]
mod serve;
#[cfg(all(unix, feature = "postgres", feature = "redis"))]
mod server_stores;
mod session_files;
#[cfg(unix)]
mod setup;
#[cfg(unix)]
mod signals;
mod status_and_logout;
mod stores;
mod token;
mod untrusted_endpoints;
mod untrusted_file_contents;
#[cfg(unix)]
mod unusual_files;
mod variables;
mod vendors;
mod wire_cases;
