//! The errors of a request whose response did not come, or not whole.

use std::error::Error as StdError;
use std::time::Duration;

use super::proxy::wants_a_password;
use super::tls;
use crate::error::{Error, ErrorKind};
use crate::secure_url::SecureUrl;

/// When a request failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    Building,
    /// Nothing has been sent.
    Connecting,
    TimedOut,
    Interrupted,
}

/// Why no whole response came. The cause holds no URL.
#[derive(Debug)]
pub(super) struct Cause {
    when: When,
    source: Box<dyn StdError + Send + Sync>,
}

impl Cause {
    pub(super) fn building(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            when: When::Building,
            source: source.into(),
        }
    }

    pub(super) fn connecting(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            when: When::Connecting,
            source: source.into(),
        }
    }
}

impl From<reqwest::Error> for Cause {
    fn from(source: reqwest::Error) -> Self {
        let when = if source.is_connect() {
            When::Connecting
        } else if source.is_builder() {
            When::Building
        } else if source.is_timeout() {
            When::TimedOut
        } else {
            When::Interrupted
        };
        Self {
            when,
            source: source.without_url().into(),
        }
    }
}

impl From<tokio::time::error::Elapsed> for Cause {
    fn from(source: tokio::time::error::Elapsed) -> Self {
        Self {
            when: When::TimedOut,
            source: source.into(),
        }
    }
}

impl From<hyper::Error> for Cause {
    fn from(source: hyper::Error) -> Self {
        Self {
            when: When::Interrupted,
            source: source.into(),
        }
    }
}

/// The error for a request to this host that got no whole response.
pub(super) fn no_response(host: String, timeout: Duration, cause: Cause) -> Error {
    let Cause { when, source } = cause;
    let what = match when {
        When::Building => {
            let message = format!("cannot make a request to {host}");
            return Error::new(ErrorKind::Config, message).with_boxed_source(source);
        }
        When::Connecting if tls::is_no_tls(&*source) => {
            format!("cannot connect to {host}: it does not use TLS on this port")
        }
        When::Connecting => format!("cannot connect to {host}"),
        When::TimedOut => {
            let seconds = timeout.as_secs_f64();
            format!("{host} did not respond in time ({seconds} s)")
        }
        When::Interrupted => format!("the connection to {host} was interrupted"),
    };
    let untrusted = tls::is_untrusted_issuer(&*source);
    let responded = is_no_http(&*source);
    let error = Error::new(ErrorKind::Transient, what)
        .with_boxed_source(source)
        .with_response_lost(when != When::Connecting);
    if when == When::TimedOut {
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
fn is_no_http(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
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
    cause: Cause,
) -> Error {
    if wants_a_password(&*cause.source) {
        return Error::new(
            ErrorKind::Config,
            format!(
                "the proxy {proxy} requires credentials, or rejects those in its URL (status 407): \
                 correct the URL of the proxy"
            ),
        )
        .with_refusal_by_proxy()
        .with_boxed_source(cause.source);
    }
    no_response(
        format!("{} through the proxy {proxy}", endpoint.host()),
        timeout,
        cause,
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
