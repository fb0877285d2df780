#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod clock;
mod device;
mod echo;
mod endpoint;
mod engine;
mod error;
pub mod files;
mod grant;
mod http;
mod json;
#[cfg(feature = "loopback")]
mod loopback;
mod manager;
mod origin;
mod pkce;
mod prompt;
mod provider;
mod random;
mod secret;
mod session;
mod store;
mod text;
mod token;

pub use api::{ApiAnswer, ApiVerdict};
pub use async_trait::async_trait;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use device::{DeviceAuthorization, PollSchedule, poll_until_decided};
pub use endpoint::Endpoint;
pub use engine::skip_exit_wait;
pub use error::{Error, ErrorKind, Result};
pub use grant::{
    DEFAULT_LIFETIME, Poll, Refusal, Step, TokenAnswer, read_answer, reasonless_error,
    refusal_error,
};
pub use http::{Answer, Fields, Form, HttpClient, HttpClientBuilder, ProxyUrl};
#[cfg(feature = "loopback")]
pub use loopback::{LoopbackListener, Redirect};
pub use manager::{
    AuthManager, AuthManagerBuilder, BlockingAuthManager, DEFAULT_ADVISORY_WINDOW,
    DEFAULT_CALL_LIMIT, DEFAULT_EXPIRY_MARGIN, Logout, SessionChange, SessionKeeper, SessionWatch,
};
pub use origin::{Recipients, TrustedHost};
pub use pkce::Pkce;
pub use prompt::{LoginEvent, Silent, UserPrompt};
pub use provider::{AuthProvider, Revocation};
pub use random::{random_state, request_id};
pub use secret::Secret;
pub use session::{DEFAULT_ACCOUNT, SessionKey};
pub use store::{FileTokenStore, LockHolder, MemoryTokenStore, StoreGuard, TokenStore};
pub use text::{is_header_value, printable};
pub use token::{OAuthToken, SessionNotes, TokenMark, UnknownMembers};
