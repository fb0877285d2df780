//! The command with the real things: a browser that goes through the pages, and a terminal.
//!
//! Each keeps pictures: in the directory that `LLM_AUTH_SCREENSHOTS` names (`cargo xtask screenshots`
//! makes those of the repository), otherwise among the files of the build.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may panic, its helpers too; a skipped test prints its name"
)]

#[allow(dead_code, reason = "shared with the other tests")]
#[path = "../support/mod.rs"]
mod support;

#[path = "../browser/mod.rs"]
mod browser;
mod browser_pages;
mod job_control;
mod login_screen;
mod output_modes;
mod passphrases;
mod pasted_addresses;
#[cfg(target_os = "linux")]
mod pid_namespaces;
mod pty;
mod screenshots;
