#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client_file;
mod endpoints;
mod provider;
mod wire;

pub use client_file::OAuthClient;
pub use endpoints::{GeminiEndpoints, SCOPE_CLOUD_PLATFORM, SCOPE_EMAIL, SCOPE_RETRIEVER};
pub use llm_auth_core::{
    ApiAnswer, ApiVerdict, AuthManager, AuthProvider, Clock, Endpoint, Error, ErrorKind,
    FileTokenStore, HttpClient, LoginEvent, MemoryTokenStore, OAuthToken, Result, Revocation,
    Secret, SessionKey, Silent, Timestamp, TokenStore, TrustedHost, UserPrompt,
};
pub use provider::{GeminiProvider, GeminiProviderBuilder};
pub use wire::UserInfo;
