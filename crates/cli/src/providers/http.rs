//! The way to the network: proxy, certificates and timeout of the HTTP client.

use std::time::Duration;

use llm_auth_core::{Error, HttpClient, HttpClientBuilder};

use super::args::TrustArgs;
use super::reader;
use crate::error::Failure;
use crate::system::{certificates, env};

/// The client for sign-ins and `doctor`.
pub(crate) fn http_client(timeout: Option<Duration>) -> Result<HttpClient, Failure> {
    build(network(timeout)?)
}

/// The client for what is secret: it goes by no way on which the environment lets another read it.
pub(crate) fn careful_client(
    trust: &TrustArgs,
    timeout: Option<Duration>,
) -> Result<HttpClient, Failure> {
    let http = network(timeout)?;
    build(match reader::doubt(trust)? {
        Some(why) => http.refuse_secrets_by_proxy(why),
        None => http,
    })
}

/// The one way to the network: sign-in, refresh, sign-out and `doctor`.
fn network(timeout: Option<Duration>) -> Result<HttpClientBuilder, Failure> {
    certificates::check()?;
    let http = env::network(HttpClient::builder())?;
    Ok(match timeout {
        Some(timeout) => http.timeout(timeout),
        None => http,
    })
}

fn build(http: HttpClientBuilder) -> Result<HttpClient, Failure> {
    let failure = |error: Error| certificates::explained(&error).unwrap_or_else(|| error.into());
    http.build().map_err(failure)
}
