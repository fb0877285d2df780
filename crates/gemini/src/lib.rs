#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client_file;
mod endpoints;
mod provider;
mod wire;

pub use client_file::OAuthClient;
pub use endpoints::{GeminiEndpoints, SCOPE_CLOUD_PLATFORM, SCOPE_EMAIL, SCOPE_RETRIEVER};
// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;
pub use provider::{GeminiProvider, GeminiProviderBuilder};
pub use wire::UserInfo;
