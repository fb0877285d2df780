//! OAuth 2.0, written once: a provider is a configuration, and what differs from the RFCs.
//!
//! This module decides what is sent and how a response is read. It does not store sessions and does
//! not decide when to refresh.

mod access_check;
mod builder;
mod check;
#[cfg(feature = "loopback")]
mod code_flow;
mod config;
mod device_flow;
mod endpoints;
mod id_token;
mod protocol;
mod provider;
mod recipients;
mod requests;
mod settings;
mod spec;
#[cfg(feature = "loopback")]
mod web;

pub use self::builder::OAuthProviderBuilder;
pub use self::config::{
    Client, ClientAuth, ClientCredentials, CodeFlow, DeviceFlow, Flow, FlowKind, IdTokenRules,
    OAuthConfig,
};
pub use self::endpoints::{EndpointOverrides, Endpoints};
pub use self::protocol::check_api_header;
pub use self::provider::OAuthProvider;
pub use self::requests::RequestRules;
pub use self::spec::{Call, CallbackOutcome, ProviderSpec, SignInStart};
#[cfg(feature = "loopback")]
pub use self::web::CodeSignIn;
