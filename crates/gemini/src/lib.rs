#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client_file;
mod endpoints;
mod provider;
mod wire;

pub use client_file::OAuthClient;
pub use endpoints::{GeminiEndpoints, SCOPE_CLOUD_PLATFORM, SCOPE_EMAIL, SCOPE_RETRIEVER};
pub use llm_auth_core::{
    AuthManager, AuthProvider, Endpoint, Error, ErrorKind, FileTokenStore, HttpClient, LoginEvent,
    MemoryTokenStore, OAuthToken, Result, Secret, SessionKey, Silent, UserPrompt,
};
pub use provider::{GeminiProvider, GeminiProviderBuilder};
pub use wire::UserInfo;
