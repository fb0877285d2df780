#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod credentials;

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_mcp::*;

pub use self::client::SessionClient;
pub use self::credentials::SessionStore;

// The example of the page on MCP, which belongs to the repository and not to the package.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/cli/mcp.md")]
struct PageOnMcp;
