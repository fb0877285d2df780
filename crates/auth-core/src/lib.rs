#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admission;
mod api_response;
mod auth_provider;
#[cfg(feature = "loopback")]
mod callback;
mod clock;
mod device;
mod echo;
mod engine;
mod error;
pub mod files;
mod grant;
pub mod http;
mod id_token;
mod json;
mod loopback_redirect;
mod manager;
mod oauth;
mod origin;
mod pkce;
mod prompt;
pub mod provider;
mod random;
mod sanitize;
mod secret;
mod secure_url;
mod session;
mod sessions;

pub mod store;
mod token;

pub use api_response::{ApiResponse, ApiStatus};
pub use async_trait::async_trait;
pub use auth_provider::{Api, AuthProvider, EndpointRole, Revocation};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use device::PollSchedule;
pub use engine::{give_up_waiting, skip_exit_wait};
pub use error::{Error, ErrorKind, Result};
pub use http::builder::HttpClientBuilder;
pub use http::client::HttpClient;
pub use manager::{
    AuthManager, AuthManagerBuilder, BlockingAuthManager, DEFAULT_CALL_LIMIT,
    DEFAULT_EARLY_REFRESH_WINDOW, DEFAULT_EXPIRY_MARGIN, Insertion, Logout, PendingLogin, Refusals,
    RefusedSession, SessionChange, SessionKeeper, SessionWatch, StoredSession,
};
pub use oauth::{
    ClientCredentials, EndpointOverrides, FlowKind, OAuthProvider, OAuthProviderBuilder,
    ProviderSpec,
};
pub use origin::TrustedHost;
pub use prompt::{LoginEvent, Silent, UserPrompt};
pub use sanitize::printable;
pub use secret::Secret;
pub use secure_url::SecureUrl;
pub use session::{DEFAULT_ACCOUNT, SessionKey};
pub use sessions::{Sessions, SessionsBuilder, SessionsStats};
pub use store::contract::TokenStore;
pub use store::file::FileTokenStore;
pub use store::memory::MemoryTokenStore;
pub use token::{OAuthToken, SessionMetadata};
