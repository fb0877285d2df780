#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod credentials;
mod failure;
mod guard;
mod handler;
mod headers;
mod key;
mod listener;
mod metrics;
mod proxy;
mod redirect;
mod refusal;
mod route;
mod server;
mod session;
#[cfg(unix)]
mod socket;
mod upload;

pub use llm_auth_core::{Error, Result};

pub use self::key::ClientKey;
pub use self::listener::Listener;
pub use self::proxy::{DEFAULT_RESPONSE_LIMIT, Proxy};
pub use self::session::ProxySession;
