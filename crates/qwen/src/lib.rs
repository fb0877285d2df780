#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod endpoints;
mod provider;
mod wire;

pub use endpoints::QwenEndpoints;
pub use llm_auth_core::{
    AuthManager, AuthProvider, Endpoint, Error, ErrorKind, FileTokenStore, HttpClient, LoginEvent,
    MemoryTokenStore, OAuthToken, Result, Secret, SessionKey, Silent, UserPrompt,
};
pub use provider::{QwenProvider, QwenProviderBuilder};
