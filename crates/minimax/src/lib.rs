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
pub use llm_auth_core::{
    ApiAnswer, ApiVerdict, AuthManager, AuthProvider, Clock, DeviceAuthorization, Endpoint, Error,
    ErrorKind, FileTokenStore, HttpClient, LoginEvent, MemoryTokenStore, OAuthToken, Pkce, Poll,
    PollSchedule, Result, Revocation, Secret, SessionKey, Silent, Timestamp, TokenAnswer,
    TokenStore, TrustedHost, UserPrompt,
};
pub use provider::{MiniMaxProvider, MiniMaxProviderBuilder};
