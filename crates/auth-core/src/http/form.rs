//! The body of a request to a credential endpoint.

use std::fmt;

use bytes::Bytes;
use form_urlencoded::byte_serialize;
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::is_header_value;
use crate::secret::Secret;
use crate::token::NO_BEARER;

/// Form parameters, escaped when they are sent (RFC 6749 appendix B).
///
/// `Debug` does not print [`Secret`] values, and texts of the server that repeat them are not
/// shown.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Form, Secret};
///
/// let form = Form::new()
///     .text("grant_type", "refresh_token")
///     .secret("refresh_token", &Secret::from("made-up"));
/// assert!(!format!("{form:?}").contains("made-up"));
/// ```
#[derive(Clone, Default)]
pub struct Form {
    pairs: Vec<(&'static str, Value)>,
    hidden: Vec<Secret>,
}

#[derive(Clone)]
enum Value {
    Text(String),
    Secret(Secret),
}

impl Form {
    /// A form without parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a parameter; a second value replaces the first, since no parameter may occur twice (RFC
    /// 6749 section 3.2).
    #[must_use]
    pub fn text(self, name: &'static str, value: impl Into<String>) -> Self {
        self.set(name, Value::Text(value.into()))
    }

    /// Sets a secret parameter.
    #[must_use]
    pub fn secret(self, name: &'static str, value: &Secret) -> Self {
        self.set(name, Value::Secret(value.clone()))
    }

    /// Adds a secret that is not sent, but that the server may know and repeat: it is not shown
    /// either.
    #[must_use]
    pub fn hiding(mut self, secret: &Secret) -> Self {
        self.hidden.push(secret.clone());
        self
    }

    fn set(mut self, name: &'static str, value: Value) -> Self {
        self.pairs.retain(|(known, _)| *known != name);
        self.pairs.push((name, value));
        self
    }

    /// The body, in a buffer of its exact size that is wiped when its last request is gone.
    pub(super) fn body(&self) -> Bytes {
        let mut body = Zeroizing::new(Vec::with_capacity(self.pieces().map(str::len).sum()));
        for piece in self.pieces() {
            body.extend_from_slice(piece.as_bytes());
        }
        Bytes::from_owner(body)
    }

    /// `application/x-www-form-urlencoded`, piece by piece.
    fn pieces(&self) -> impl Iterator<Item = &str> {
        self.pairs
            .iter()
            .enumerate()
            .flat_map(|(at, (name, value))| {
                let value = match value {
                    Value::Text(text) => text.as_str(),
                    Value::Secret(secret) => secret.expose(),
                };
                let between = if at == 0 { "" } else { "&" };
                std::iter::once(between)
                    .chain(byte_serialize(name.as_bytes()))
                    .chain(std::iter::once("="))
                    .chain(byte_serialize(value.as_bytes()))
            })
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.pairs
            .iter()
            .filter_map(|(_, value)| match value {
                Value::Text(_) => None,
                Value::Secret(secret) => Some(secret.clone()),
            })
            .chain(self.hidden.iter().cloned())
            .collect()
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_map();
        for (name, value) in &self.pairs {
            match value {
                Value::Text(text) => out.entry(name, text),
                Value::Secret(secret) => out.entry(name, secret),
            };
        }
        out.finish()
    }
}

/// The value of an `Authorization` header, wiped when its last request is gone.
pub(super) fn bearer(access: &Secret) -> Result<HeaderValue> {
    const SCHEME: &str = "Bearer ";
    let access = access.expose();
    // A token from a file may hold anything.
    if !is_header_value(access) {
        return Err(Error::new(ErrorKind::Corrupt, NO_BEARER));
    }
    let mut value = Zeroizing::new(Vec::with_capacity(SCHEME.len() + access.len()));
    value.extend_from_slice(SCHEME.as_bytes());
    value.extend_from_slice(access.as_bytes());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value))
        .map_err(|source| Error::new(ErrorKind::Corrupt, NO_BEARER).with_source(source))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_parameter_stands_twice() {
        let form = Form::new().text("scope", "a").text("scope", "b");
        assert_eq!(&form.body()[..], b"scope=b");
    }

    #[test]
    fn values_are_escaped_as_forms_have_it() {
        let secret = Secret::from("made-up/+=&%~ <ü>*_.");
        let form = Form::new().secret("a b", &secret).text("c", "");
        assert_eq!(
            &form.body()[..],
            b"a+b=made-up%2F%2B%3D%26%25%7E+%3C%C3%BC%3E*_.&c="
        );
        assert!(Form::new().body().is_empty());
    }

    #[test]
    fn a_bearer_value_is_hidden_and_ends_no_header() {
        let value = bearer(&Secret::from("made-up")).unwrap();
        assert_eq!(value.as_bytes(), b"Bearer made-up");
        assert!(value.is_sensitive());
        let error = bearer(&Secret::from("made-up\r\nX: y")).unwrap_err();
        assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
    }
}
