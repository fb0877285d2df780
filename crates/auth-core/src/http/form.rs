//! The body of a request to a credential endpoint.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use form_urlencoded::byte_serialize;
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::sanitize::is_bearer_token;
use crate::secret::Secret;
use crate::token::NO_BEARER;

/// How a request is encoded.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::BodyFormat;
///
/// assert_eq!(BodyFormat::default(), BodyFormat::Form);
/// ```
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, as RFC 6749 has it.
    #[default]
    Form,
    /// A JSON object of strings.
    Json,
}

/// The parameters of a request, encoded when they are sent (RFC 6749 appendix B).
///
/// `Debug` does not print [`Secret`] values, and texts of the server that repeat them are not
/// shown.
///
/// # Examples
///
/// ```
/// use llm_auth_core::Secret;
/// use llm_auth_core::provider::Form;
///
/// let form = Form::new()
///     .text("grant_type", "refresh_token")
///     .secret("refresh_token", &Secret::from("made-up"));
/// assert!(!format!("{form:?}").contains("made-up"));
/// ```
#[derive(Clone, Default)]
pub struct Form {
    pairs: Vec<(Cow<'static, str>, Value)>,
    hidden: Vec<Secret>,
    /// The credentials of the client for the `Authorization` header, in base64.
    basic: Option<Secret>,
}

#[derive(Clone)]
enum Value {
    Text(String),
    Secret(Secret),
}

impl Form {
    /// A form without parameters.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Form;
    ///
    /// assert_eq!(format!("{:?}", Form::new()), "{}");
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a parameter; a second value replaces the first, since no parameter may occur twice (RFC
    /// 6749 section 3.2).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Form;
    ///
    /// let form = Form::new().text("scope", "openid").text("scope", "openid email");
    /// assert_eq!(format!("{form:?}"), r#"{"scope": "openid email"}"#);
    /// ```
    #[must_use]
    pub fn text(self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.set(name.into(), Value::Text(value.into()))
    }

    /// Sets a secret parameter.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Form;
    ///
    /// let form = Form::new().secret("code", &"made-up".into());
    /// assert_eq!(format!("{form:?}"), r#"{"code": [redacted]}"#);
    /// ```
    #[must_use]
    pub fn secret(self, name: impl Into<Cow<'static, str>>, value: &Secret) -> Self {
        self.set(name.into(), Value::Secret(value.clone()))
    }

    /// Leaves a parameter out. A secret that was its value is [hidden](Self::hiding).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Form;
    ///
    /// let form = Form::new().text("client_id", "my-app").text("scope", "openid");
    /// assert_eq!(format!("{:?}", form.without("scope")), r#"{"client_id": "my-app"}"#);
    /// ```
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        let (left_out, kept) = self.pairs.into_iter().partition(|(known, _)| known == name);
        self.pairs = kept;
        let left_out: Vec<_> = left_out;
        for (_, value) in left_out {
            if let Value::Secret(secret) = value {
                self.hidden.push(secret);
            }
        }
        self
    }

    /// Gives a parameter another name, for a server that does not use the standard's.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Form;
    ///
    /// let form = Form::new().text("redirect_uri", "http://127.0.0.1:1/cb");
    /// let form = form.renamed("redirect_uri", "callback_url");
    /// assert_eq!(format!("{form:?}"), r#"{"callback_url": "http://127.0.0.1:1/cb"}"#);
    /// ```
    #[must_use]
    pub fn renamed(mut self, name: &str, to: impl Into<Cow<'static, str>>) -> Self {
        let Some(at) = self.pairs.iter().position(|(known, _)| known == name) else {
            return self;
        };
        let (_, value) = self.pairs.remove(at);
        self.set(to.into(), value)
    }

    /// Adds a secret that is not sent, but that the server may know and repeat: it is not shown
    /// either.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Form;
    ///
    /// // A server that knows the whole session may repeat the refresh token in an error.
    /// let form = Form::new().secret("token", &"made-up-access".into()).hiding(&"made-up-refresh".into());
    /// assert_eq!(format!("{form:?}"), r#"{"token": [redacted]}"#);
    /// ```
    #[must_use]
    pub fn hiding(mut self, secret: &Secret) -> Self {
        self.hidden.push(secret.clone());
        self
    }

    /// Authenticates the client in the `Authorization` header instead of by parameters
    /// (`client_secret_basic`, RFC 6749 section 2.3.1). The header is sent only by
    /// [`HttpClient::post`](crate::HttpClient::post) and
    /// [`post_form`](crate::HttpClient::post_form).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::Form;
    ///
    /// let form = Form::new().client_basic("my-app", &"made-up-secret".into());
    /// assert_eq!(format!("{form:?}"), "{}");
    /// ```
    #[must_use]
    pub fn client_basic(mut self, id: &str, secret: &Secret) -> Self {
        let pieces = || {
            let id = byte_serialize(id.as_bytes()).chain(std::iter::once(":"));
            id.chain(byte_serialize(secret.expose().as_bytes()))
        };
        // Of its exact size: a buffer that grows leaves copies of the secret behind.
        let length = pieces().map(str::len).sum();
        let mut pair = Zeroizing::new(String::with_capacity(length));
        pieces().for_each(|piece| pair.push_str(piece));
        self.basic = Some(Secret::from(STANDARD.encode(pair.as_bytes())));
        self.hiding(secret)
    }

    /// The value of the `Authorization` header, if the client authenticates there.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>> {
        let basic = self.basic.as_ref().map(Secret::expose);
        basic.map(|pair| authorization("Basic ", pair)).transpose()
    }

    fn set(mut self, name: Cow<'static, str>, value: Value) -> Self {
        self.pairs.retain(|(known, _)| *known != name);
        self.pairs.push((name, value));
        self
    }

    /// The parameters as names and values, for the query of a URL.
    #[cfg(feature = "loopback")]
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.pairs.iter();
        pairs.map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    /// The body in this format, in a buffer of its exact size that is wiped when its last request
    /// is gone.
    pub(super) fn encoded(&self, format: BodyFormat) -> Result<Bytes> {
        match format {
            BodyFormat::Form => Ok(self.body()),
            BodyFormat::Json => {
                let body = json::to_compact_vec(self).map_err(|source| {
                    Error::new(ErrorKind::System, "cannot write a request as JSON")
                        .with_source(source)
                })?;
                Ok(Bytes::from_owner(body))
            }
        }
    }

    fn body(&self) -> Bytes {
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
                let between = if at == 0 { "" } else { "&" };
                std::iter::once(between)
                    .chain(byte_serialize(name.as_bytes()))
                    .chain(std::iter::once("="))
                    .chain(byte_serialize(value.as_str().as_bytes()))
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

impl Value {
    fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

/// As a JSON object of strings.
impl Serialize for Form {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let pairs = self.pairs.iter();
        to.collect_map(pairs.map(|(name, value)| (name, value.as_str())))
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
    let access = access.expose();
    // A token from a file may hold anything.
    if !is_bearer_token(access) {
        return Err(Error::new(ErrorKind::Corrupt, NO_BEARER));
    }
    authorization("Bearer ", access)
}

fn authorization(scheme: &str, credentials: &str) -> Result<HeaderValue> {
    let mut value = Zeroizing::new(Vec::with_capacity(scheme.len() + credentials.len()));
    value.extend_from_slice(scheme.as_bytes());
    value.extend_from_slice(credentials.as_bytes());
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
    fn a_json_body_is_an_object_of_strings() {
        let form = Form::new()
            .text("grant_type", "a\"b")
            .secret("code", &Secret::from("made-up/1"));
        let body = form.encoded(BodyFormat::Json).unwrap();
        assert_eq!(&body[..], br#"{"grant_type":"a\"b","code":"made-up/1"}"#);
    }

    #[test]
    fn a_parameter_that_is_left_out_stays_hidden() {
        let form = Form::new().secret("client_secret", &Secret::from("made-up"));
        let form = form.without("client_secret");
        assert!(form.body().is_empty());
        assert_eq!(form.secrets(), [Secret::from("made-up")]);
    }

    #[test]
    fn a_renamed_parameter_replaces_one_of_that_name() {
        let form = Form::new().text("b", "1").text("a", "2").renamed("a", "b");
        assert_eq!(&form.body()[..], b"b=2");
        let form = form.renamed("absent", "c");
        assert_eq!(&form.body()[..], b"b=2");
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
