#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "bridge")]
mod bridge;
mod challenge;
mod discovery;
mod resource;

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_oidc::*;

#[cfg(feature = "bridge")]
#[cfg_attr(docsrs, doc(cfg(feature = "bridge")))]
pub use self::bridge::Bridge;
pub use self::challenge::Challenge;
pub use self::discovery::{McpDiscovery, McpSignIn};
pub use self::resource::Resource;
