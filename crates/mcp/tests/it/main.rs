//! Signing in to MCP servers, over real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]

mod discovery;
