//! For authors of providers: what a [`ProviderSpec`](crate::ProviderSpec) is made of.
//!
//! A provider is an [`OAuthConfig`] and the methods of `ProviderSpec` in which its server differs
//! from the RFCs: those read a [`Response`], and return a [`TokenResponse`], a [`Poll`] or an
//! [`ErrorResponse`]. A provider that is not OAuth 2.0 implements
//! [`AuthProvider`](crate::AuthProvider) instead, with the same parts.
//!
//! A program that only signs in with an existing provider needs none of it.

#[cfg(feature = "loopback")]
#[cfg_attr(docsrs, doc(cfg(feature = "loopback")))]
pub use crate::callback::{CallbackResponse, IssuerRule, LoopbackListener, StateRule};
pub use crate::device::{DeviceAuthorization, poll_for_token};
pub use crate::grant::{
    DEFAULT_LIFETIME, ErrorResponse, Operation, Poll, TokenResponse, error_for, reasonless_error,
};
pub use crate::http::form::{BodyFormat, Form};
pub use crate::http::json_object::JsonObject;
pub use crate::http::response::Response;
pub use crate::loopback_redirect::{LoopbackHost, LoopbackRedirect};
#[cfg(feature = "loopback")]
#[cfg_attr(docsrs, doc(cfg(feature = "loopback")))]
pub use crate::oauth::CodeSignIn;
pub use crate::oauth::{
    Call, CallbackOutcome, Client, ClientAuth, CodeFlow, DeviceFlow, Endpoints, Flow, IdTokenRules,
    OAuthConfig, RequestRules, SignInStart, check_api_header,
};
pub use crate::origin::Recipients;
pub use crate::pkce::Pkce;
pub use crate::random::{random_state, request_id};
pub use crate::sanitize::is_header_value;
