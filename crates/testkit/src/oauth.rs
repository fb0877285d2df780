//! The parts of an OAuth 2.0 server that all providers share.

mod authorization_code;
mod client;
mod device_code;
mod id_token;
mod pkce;
mod responses;
mod tokens;

pub(crate) use authorization_code::{
    AuthorizationRequest, Code, Consent, Redemption, is_local_redirect, is_loopback_redirect,
};
pub(crate) use client::{Client, public_client};
pub(crate) use device_code::{DEVICE_CODE, Decision, DeviceGrant, Poll};
pub(crate) use id_token::{IdTokens, keys};
pub(crate) use pkce::{challenge, challenge_if_any};
pub(crate) use responses::{device_authorization, token_response};
pub(crate) use tokens::{Family, Grants, Issued, RefreshOutcome, TokenFormat};
