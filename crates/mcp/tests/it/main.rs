//! Signing in to MCP servers, over real sockets.
#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests; one that is skipped prints its name"
)]

#[cfg(feature = "bridge")]
mod bridge;
mod discovery;
