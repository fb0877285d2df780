//! Clients of rmcp with the sessions of llm-auth, over real sockets.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod client;
mod credentials;
mod leaks;
mod lifecycle;
mod mcp_server;
mod origin;
mod refusals;
mod vendor;
mod world;
