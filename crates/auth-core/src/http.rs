//! The one way out of this crate: form-encoded requests to credential endpoints.

mod answer;
mod client;
mod coding;
mod dns;
mod failure;
mod fields;
mod form;
#[cfg(all(test, target_os = "linux"))]
mod left_in_memory;
mod no_proxy;
mod proxy;
mod redirect;
mod retry_after;
mod tls;

pub use answer::Answer;
pub use client::{HttpClient, HttpClientBuilder};
pub use fields::Fields;
pub use form::Form;
pub use proxy::ProxyUrl;
