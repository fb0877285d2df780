//! Signing in to MCP servers, over real sockets.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "bridge")]
mod bridge;
mod discovery;
