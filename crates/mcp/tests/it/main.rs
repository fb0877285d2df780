//! Signing in to MCP servers, over real sockets.

mod discovery;
