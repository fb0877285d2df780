//! The command with the real things: a browser that goes through the pages, and a terminal.
//!
//! Each keeps pictures: in the directory that `LLM_AUTH_SCREENSHOTS` names (`cargo xtask screenshots`
//! makes those of the repository), else among the files of the build.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may panic, its helpers too; a skip is said aloud"
)]

#[path = "real/cdp.rs"]
mod cdp;
#[allow(dead_code, reason = "shared with the other tests")]
#[path = "suite/common.rs"]
mod common;
#[cfg(target_os = "linux")]
#[path = "real/namespaces.rs"]
mod namespaces;
#[path = "real/pages.rs"]
mod pages;
#[path = "real/pastes.rs"]
mod pastes;
#[path = "real/pictures.rs"]
mod pictures;
#[path = "real/pty.rs"]
mod pty;
#[path = "real/skip.rs"]
mod skip;
#[path = "real/tab.rs"]
mod tab;
#[path = "real/terminals.rs"]
mod terminals;
