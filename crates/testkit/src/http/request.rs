//! A request as the client sent it.

use bytes::Bytes;
use hyper::{HeaderMap, Method};

use super::form::Form;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of an `Authorization: Bearer` header.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    pub(crate) fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    }

    /// Whether the `Host` is a loopback name: this prevents DNS rebinding.
    pub(crate) fn host_is_loopback(&self) -> bool {
        let host = self.header("host").unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
        matches!(name, "127.0.0.1" | "localhost" | "[::1]")
    }

    /// The form of a credential request, or what is wrong with the request.
    pub(crate) fn strict_form(&self) -> Result<Form, Malformed> {
        self.is_credential_request("application/x-www-form-urlencoded")?;
        Form::parse(&self.body).map_err(Malformed::Request)
    }

    /// The same of a request in JSON, whose object holds only strings.
    pub(crate) fn strict_json(&self) -> Result<Form, Malformed> {
        self.is_credential_request("application/json")?;
        Form::of_json(&self.body).map_err(Malformed::Request)
    }

    fn is_credential_request(&self, media_type: &str) -> Result<(), Malformed> {
        if self.header("user-agent").is_none_or(str::is_empty) {
            return Err(Malformed::NoUserAgent);
        }
        if self.media_type() != media_type {
            return Err(Malformed::Request(format!(
                "Content-Type is not {media_type}"
            )));
        }
        Ok(())
    }
}

/// Why a request is rejected before its parameters are read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Malformed {
    NoUserAgent,
    Request(String),
}

impl Malformed {
    pub(crate) fn description(&self) -> &str {
        match self {
            Self::NoUserAgent => "no User-Agent header",
            Self::Request(description) => description,
        }
    }
}
