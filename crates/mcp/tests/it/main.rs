//! Signing in to MCP servers, over real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "bridge")]
mod bridge;
mod discovery;
