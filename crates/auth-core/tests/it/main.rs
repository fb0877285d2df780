//! The tests of the core, as one program.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests"
)]

#[cfg(feature = "loopback")]
mod callback;
mod file_store;
mod floods;
mod foreign_code;
mod http;
mod leases;
mod manager;
#[cfg(target_os = "linux")]
mod memory;
mod oauth;
#[cfg(feature = "loopback")]
mod pasted_addresses;
#[cfg(feature = "loopback")]
mod pasting;
mod runtimes;
mod server_text;
mod sessions;
mod stored_form;
mod support;
mod tls;
mod windows;
