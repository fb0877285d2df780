//! The errors of a request whose response did not come, or not whole.

use std::time::Duration;

use super::proxy::wants_a_password;
use super::tls;
use crate::error::{Error, ErrorKind};
use crate::secure_url::SecureUrl;

/// The error for a request to this host that got no whole response.
pub(super) fn no_response(host: String, timeout: Duration, source: reqwest::Error) -> Error {
    let (what, lost) = if source.is_connect() {
        let what = match tls::is_no_tls(&source) {
            true => format!("cannot connect to {host}: it does not use TLS on this port"),
            false => format!("cannot connect to {host}"),
        };
        (what, false)
    } else if source.is_builder() {
        return Error::new(
            ErrorKind::Config,
            format!("cannot make a request to {host}"),
        )
        .with_source(source.without_url());
    } else if source.is_timeout() {
        let seconds = timeout.as_secs_f64();
        (
            format!("{host} did not respond in time ({seconds} s)"),
            true,
        )
    } else {
        (format!("the connection to {host} was interrupted"), true)
    };
    let untrusted = tls::is_untrusted_issuer(&source);
    let responded = is_no_http(&source);
    let timed_out = source.is_timeout() && !source.is_connect();
    let error = Error::new(ErrorKind::Transient, what)
        .with_source(source.without_url())
        .with_response_lost(lost);
    if timed_out {
        error.with_timeout()
    } else if untrusted {
        error.with_untrusted_system()
    } else if responded {
        error.with_cut_off_response()
    } else {
        error
    }
}

/// Whether a response came that is not HTTP.
fn is_no_http(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_parse();
        }
        cause = error.source();
    }
    false
}

/// The same error with a proxy in between: it names the proxy, which may be the one that refuses.
pub(super) fn no_response_through(
    proxy: &str,
    endpoint: &SecureUrl,
    timeout: Duration,
    source: reqwest::Error,
) -> Error {
    if wants_a_password(&source) {
        return Error::new(
            ErrorKind::Config,
            format!(
                "the proxy {proxy} requires credentials, or rejects those in its URL (status 407): \
                 correct the URL of the proxy"
            ),
        )
        .with_refusal_by_proxy()
        .with_source(source.without_url());
    }
    no_response(
        format!("{} through the proxy {proxy}", endpoint.host()),
        timeout,
        source,
    )
}

pub(super) fn too_long(endpoint: &SecureUrl, status: u16) -> Error {
    Error::new(
        ErrorKind::Transient,
        format!("{} sent a response of more than 1 MiB", endpoint.host()),
    )
    .with_status(status)
    .with_response_lost(true)
    .with_cut_off_response()
}
