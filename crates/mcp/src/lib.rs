#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod challenge;
mod discovery;
mod resource;

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_oidc::*;

pub use self::challenge::Challenge;
pub use self::discovery::{McpDiscovery, McpSignIn};
pub use self::resource::Resource;
