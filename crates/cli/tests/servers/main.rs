//! `llm-auth login oidc` against servers that this project did not write: oidc-provider
//! (JavaScript) and Glewlwyd (C). `.ci/run` installs both.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may panic, its helpers too; a skipped test prints its name"
)]

#[allow(dead_code, reason = "shared with the other tests")]
#[path = "../browser/mod.rs"]
mod browser;
#[allow(dead_code, reason = "shared with the other tests")]
#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod clients;
mod glewlwyd;
mod http;
mod mcp;
mod node;
mod oidc_provider;
mod person;
mod refresh;
mod registration;
mod resource;
mod sign_in;
mod sign_out;
