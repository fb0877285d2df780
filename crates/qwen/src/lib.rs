#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod endpoints;
mod provider;
mod wire;

pub use endpoints::QwenEndpoints;
pub use llm_auth_core::{
    ApiAnswer, ApiVerdict, AuthManager, AuthProvider, Clock, DeviceAuthorization, Endpoint, Error,
    ErrorKind, FileTokenStore, HttpClient, LoginEvent, MemoryTokenStore, OAuthToken, Pkce, Poll,
    PollSchedule, Result, Revocation, Secret, SessionKey, Silent, Timestamp, TokenAnswer,
    TokenStore, TrustedHost, UserPrompt,
};
pub use provider::{QwenProvider, QwenProviderBuilder};
