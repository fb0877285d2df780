//! The crate's only requests to the network: requests to credential endpoints.

mod builder;
mod client;
mod coding;
mod dns;
mod failure;
mod form;
mod json_object;
#[cfg(all(test, target_os = "linux"))]
mod left_in_memory;
mod moved;
mod no_proxy;
mod proxy;
mod response;
mod retry_after;
mod tls;

pub use builder::HttpClientBuilder;
pub use client::HttpClient;
pub use form::{BodyFormat, Form};
pub use json_object::JsonObject;
pub use proxy::ProxyUrl;
pub use response::Response;
