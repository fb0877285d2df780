//! The way to the network: proxy, certificates and timeout of the HTTP client.

use std::time::Duration;

use llm_auth_core::{Error, HttpClient, HttpClientBuilder};

use crate::error::Failure;
use crate::system::{certificates, env};

/// The client for sign-ins and `doctor`.
pub(crate) fn http_client(timeout: Option<Duration>) -> Result<HttpClient, Failure> {
    build(network(timeout)?)
}

/// The one way to the network: sign-in, refresh, sign-out and `doctor`.
pub(super) fn network(timeout: Option<Duration>) -> Result<HttpClientBuilder, Failure> {
    certificates::check()?;
    let http = env::network(HttpClient::builder())?;
    Ok(match timeout {
        Some(timeout) => http.timeout(timeout),
        None => http,
    })
}

pub(super) fn build(http: HttpClientBuilder) -> Result<HttpClient, Failure> {
    let failure = |error: Error| certificates::explained(&error).unwrap_or_else(|| error.into());
    http.build().map_err(failure)
}
