//! For programs that configure the HTTP client beyond [`HttpClient`]'s defaults, or hand requests on
//! with it.
//!
//! All requests of this crate go through one `HttpClient`, and all go to credential endpoints: a
//! program calls an API with a client of its own. One that stands between an agent and an API takes
//! [`HttpClient::stream`] or [`HttpClient::forwarder`], so that a proxy or a CA applies to both.

pub(crate) mod builder;
pub(crate) mod client;
mod coding;
mod connect;
mod dns;
mod exchange;
mod failure;
pub(crate) mod form;
mod forward;
mod gate;
pub(crate) mod json_object;
#[cfg(all(test, target_os = "linux"))]
mod left_in_memory;
mod limit;
mod moved;
mod no_proxy;
mod origin;
mod pool;
mod proxy;
pub(crate) mod response;
mod retry_after;
mod stream;
mod tls;
mod wire;

pub use self::forward::{ForwardedBody, Forwarder};
pub use self::proxy::ProxyUrl;
pub use self::stream::{StreamRequest, StreamedResponse};

pub(crate) use self::client::HttpClient;
pub(crate) use self::form::{BodyFormat, Form};
pub(crate) use self::json_object::JsonObject;
pub(crate) use self::response::Response;
pub(crate) use self::tls::provider as crypto_provider;
