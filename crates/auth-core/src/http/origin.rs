//! The scheme, host and port that a connection leads to.

use hyper::Uri;
use hyper::header::HeaderValue;
use reqwest::Url;

use super::failure::Cause;
use crate::secure_url::SecureUrl;

#[derive(Debug)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
    /// Without a path.
    pub(super) uri: Uri,
    /// For the `Host` header, with the port if it is not the scheme's own.
    pub(super) header: HeaderValue,
}

impl Origin {
    pub(super) fn of(endpoint: &SecureUrl) -> Result<Self, Cause> {
        let url = endpoint.url();
        let host = endpoint.host();
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port(),
            uri: Uri::try_from(endpoint.base()).map_err(Cause::building)?,
            header: HeaderValue::try_from(host).map_err(Cause::building)?,
        })
    }

    pub(super) fn is_of(&self, url: &Url) -> bool {
        (url.port(), url.host_str()) == (self.port, Some(&self.host)) && url.scheme() == self.scheme
    }
}
