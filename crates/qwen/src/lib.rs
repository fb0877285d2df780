#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod endpoints;
mod provider;
mod wire;

pub use endpoints::QwenEndpoints;
// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;
pub use provider::{QwenProvider, QwenProviderBuilder};
