#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod device;
mod dialect;
mod endpoints;
mod provider;
mod session;
mod wire;

pub use dialect::{Dialect, Region};
pub use endpoints::{MiniMaxEndpoints, PollParameter};
// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;
pub use provider::{MiniMaxProvider, MiniMaxProviderBuilder};
