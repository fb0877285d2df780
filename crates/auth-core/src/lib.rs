#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api_response;
#[cfg(feature = "loopback")]
mod callback;
mod clock;
mod device;
mod echo;
mod engine;
mod error;
pub mod files;
mod grant;
mod http;
mod json;
mod loopback_redirect;
mod manager;
mod oauth;
mod origin;
mod pkce;
mod prompt;
mod provider;
mod random;
mod sanitize;
mod secret;
mod secure_url;
mod session;
mod store;
mod token;

pub use api_response::{ApiResponse, ApiStatus};
pub use async_trait::async_trait;
#[cfg(feature = "loopback")]
pub use callback::{CallbackResponse, LoopbackListener, StateRule};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use device::{DeviceAuthorization, PollSchedule, poll_for_token};
pub use engine::skip_exit_wait;
pub use error::{Error, ErrorKind, Result};
pub use grant::{
    DEFAULT_LIFETIME, ErrorResponse, Operation, Poll, TokenResponse, error_for, reasonless_error,
};
pub use http::{BodyFormat, Form, HttpClient, HttpClientBuilder, JsonObject, ProxyUrl, Response};
pub use loopback_redirect::{LoopbackHost, LoopbackRedirect};
pub use manager::{
    AuthManager, AuthManagerBuilder, BlockingAuthManager, DEFAULT_CALL_LIMIT,
    DEFAULT_EARLY_REFRESH_WINDOW, DEFAULT_EXPIRY_MARGIN, Insertion, Logout, PendingLogin,
    RefusedSession, SessionChange, SessionKeeper, SessionWatch, StoredSession,
};
pub use oauth::{
    Call, CallbackOutcome, Client, ClientCredentials, CodeFlow, DeviceFlow, EndpointOverrides,
    Endpoints, Flow, FlowKind, OAuthConfig, OAuthProvider, OAuthProviderBuilder, ProviderSpec,
    RequestRules,
};
pub use origin::{Recipients, TrustedHost};
pub use pkce::Pkce;
pub use prompt::{LoginEvent, Silent, UserPrompt};
pub use provider::{Api, AuthProvider, EndpointRole, Revocation};
pub use random::{random_state, request_id};
pub use sanitize::{is_header_value, printable};
pub use secret::Secret;
pub use secure_url::SecureUrl;
pub use session::{DEFAULT_ACCOUNT, SessionKey};
pub use store::{FileTokenStore, LockHolder, MemoryTokenStore, StoreGuard, TokenStore};
pub use token::{OAuthToken, RefreshRecord, SessionMetadata, UnknownMembers};
