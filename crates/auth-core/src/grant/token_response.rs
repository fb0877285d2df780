//! A successful response of a token endpoint.

use std::time::Duration;

use crate::clock::{Timestamp, offset};
use crate::error::{Error, ErrorKind, Result};
use crate::http::JsonObject;
use crate::sanitize::{is_bearer_token, is_printable_ascii};
use crate::secret::Secret;
use crate::token::OAuthToken;

/// The lifetime of an access token if the response names none: one hour, as most servers have it.
///
/// `expires_in` is only RECOMMENDED (RFC 6749 section 5.1), so its absence means neither
/// "expired" nor "for ever".
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_auth_core::provider::DEFAULT_LIFETIME;
///
/// assert_eq!(DEFAULT_LIFETIME, Duration::from_secs(3600));
/// ```
// See decision 0010.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// The longest server texts that are kept, in characters; longer ones are cut.
const LONGEST_NOTIFICATION: usize = 1_000;
const LONGEST_SCOPE: usize = 4_000;
const LONGEST_URL: usize = 2_000;

/// The members of a token response (RFC 6749 section 5.1) that this library uses.
///
/// # Examples
///
/// ```
/// # use llm_auth_core::SecureUrl;
/// use std::time::Duration;
///
/// use llm_auth_core::provider::{Response, TokenResponse};
///
/// # let endpoint = SecureUrl::known("https://auth.example/token");
/// let body = r#"{"access_token": "made-up", "token_type": "Bearer", "expires_in": "600"}"#;
/// let response = TokenResponse::read(&Response::for_test(&endpoint, 200, body).json()?)?;
/// assert_eq!(response.access.expose(), "made-up");
/// assert_eq!(response.expires_in, Some(Duration::from_secs(600)));
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The access token.
    pub access: Secret,
    /// The refresh token, if the response has one.
    pub refresh: Option<Secret>,
    /// How long the access token lives from now; `None` if it never expires.
    pub expires_in: Option<Duration>,
    /// The exact instant at which it expires, if the server named one (MiniMax); it may be past.
    pub expires_at: Option<Timestamp>,
    /// When the server sent the response, by its own clock.
    pub server_time: Option<Timestamp>,
    /// The granted scope, if the response names it.
    pub scope: Option<String>,
    /// The ID token, if the response has one (OpenID Connect Core section 3.1.3.3). It is not
    /// checked yet, and not stored.
    pub id_token: Option<Secret>,
    /// The API host of this token (Qwen, MiniMax).
    pub resource_url: Option<String>,
    /// A message for the user (MiniMax).
    pub notification: Option<String>,
}

impl TokenResponse {
    /// Reads a standard response.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] without an access token, with one that no `Authorization` header can
    /// carry (RFC 6750 section 2.1), with a token type other than `bearer` (RFC 6749 section 7.1), or
    /// with a lifetime that is no positive number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{DEFAULT_LIFETIME, Response, TokenResponse};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let fields = Response::for_test(&endpoint, 200, r#"{"access_token": "made-up"}"#).json()?;
    /// assert_eq!(TokenResponse::read(&fields)?.expires_in, Some(DEFAULT_LIFETIME));
    /// let fields = Response::for_test(&endpoint, 200, "{}").json()?;
    /// assert!(TokenResponse::read(&fields).is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn read(fields: &JsonObject) -> Result<Self> {
        let expires_in = fields.seconds("expires_in")?;
        Self::read_with_lifetime(fields, expires_in.unwrap_or(DEFAULT_LIFETIME))
    }

    /// Reads the standard response to a refresh. The old refresh token may be spent already, so that
    /// a senseless lifetime counts as [`DEFAULT_LIFETIME`]: rejecting it would lose the new refresh
    /// token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] without an access token, or with a token type other than `bearer`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{DEFAULT_LIFETIME, Response, TokenResponse};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let body = r#"{"access_token": "made-up", "expires_in": 0}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// assert!(TokenResponse::read(&fields).is_err());
    /// assert_eq!(TokenResponse::read_refresh(&fields)?.expires_in, Some(DEFAULT_LIFETIME));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    // See decision 0010.
    pub fn read_refresh(fields: &JsonObject) -> Result<Self> {
        let named = fields.seconds("expires_in").ok().flatten();
        let expires_in = named.filter(|length| !length.is_zero());
        Self::read_with_lifetime(fields, expires_in.unwrap_or(DEFAULT_LIFETIME))
    }

    /// Reads a response whose lifetime has been worked out already (MiniMax).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::provider::{Response, TokenResponse};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let body = r#"{"access_token": "made-up", "valid_minutes": 10}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// let minutes = fields.number("valid_minutes")?.unwrap_or(60.0);
    /// let lifetime = Duration::from_secs_f64(60.0 * minutes);
    /// let response = TokenResponse::read_with_lifetime(&fields, lifetime)?;
    /// assert_eq!(response.expires_in, Some(Duration::from_secs(600)));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn read_with_lifetime(fields: &JsonObject, expires_in: Duration) -> Result<Self> {
        if let Some(kind) = fields.text("token_type")
            && !kind.eq_ignore_ascii_case("bearer")
        {
            let kind = fields.shown("token_type", 40);
            return Err(senseless(format!(
                "the token response has {}; only bearer is supported",
                kind.map_or_else(
                    || "a token type that cannot be shown".to_owned(),
                    |kind| format!("the token type {kind}")
                )
            )));
        }
        Self::read_member(fields, "access_token", Some(expires_in))
    }

    /// Reads a response that holds an API key in the member `key`, with the lifetime that the
    /// provider gives it; `None` if it never expires.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] without the key, or with a lifetime of zero.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{Response, TokenResponse};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/keys");
    /// let fields = Response::for_test(&endpoint, 200, r#"{"key": "sk-made-up"}"#).json()?;
    /// let response = TokenResponse::read_api_key(&fields, "key", None)?;
    /// assert_eq!((response.access.expose(), response.expires_in), ("sk-made-up", None));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn read_api_key(
        fields: &JsonObject,
        key: &str,
        expires_in: Option<Duration>,
    ) -> Result<Self> {
        Self::read_member(fields, key, expires_in)
    }

    fn read_member(fields: &JsonObject, name: &str, expires_in: Option<Duration>) -> Result<Self> {
        // One of blanks alone is none: no server issues it, and a header would not carry it.
        let access = fields.text(name).filter(|text| !text.trim().is_empty());
        let Some(access) = access else {
            return Err(senseless(match name {
                "access_token" => "the token response has no access token".to_owned(),
                name => format!("the token response has no `{name}`"),
            }));
        };
        if expires_in.is_some_and(|length| length.is_zero()) {
            return Err(senseless("the token response has an `expires_in` of zero"));
        }
        let refresh = fields.text("refresh_token");
        let refresh = refresh.filter(|text| !text.trim().is_empty());
        if !is_bearer_token(access) {
            return Err(senseless(
                "the token response has an access token that no Authorization header can carry (a \
                 space, a control character)",
            ));
        }
        if refresh.is_some_and(|text| !is_printable_ascii(text)) {
            return Err(senseless(
                "the token response has a refresh token with invalid characters",
            ));
        }
        let resource_url = fields.shown("resource_url", LONGEST_URL);
        Ok(Self {
            access: access.into(),
            refresh: refresh.map(Secret::from),
            expires_in,
            expires_at: None,
            server_time: fields.date(),
            scope: fields.shown("scope", LONGEST_SCOPE),
            id_token: fields.text("id_token").map(Secret::from),
            // A URL that was cut leads somewhere else.
            resource_url: resource_url.filter(|url| !url.ends_with('…')),
            notification: fields.shown("notification_message", LONGEST_NOTIFICATION),
        })
    }

    /// The session that this response begins, `now` by our clock. Its expiry is by the server's
    /// clock, and the session remembers how far the two clocks differ.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::Timestamp;
    /// use llm_auth_core::provider::{Response, TokenResponse};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let body = r#"{"access_token": "made-up", "expires_in": 1}"#;
    /// let response = TokenResponse::read(&Response::for_test(&endpoint, 200, body).json()?)?;
    /// let session = response.into_token(Timestamp::from_unix_millis(1_000));
    /// assert_eq!(session.expires_at, Some(Timestamp::from_unix_millis(2_000)));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn into_token(self, now: Timestamp) -> OAuthToken {
        let ahead = offset(self.server_time, now);
        let expires_at = self.expires_at.or_else(|| {
            let length = self.expires_in?;
            Some(now.shifted(ahead).after(length))
        });
        let mut token = OAuthToken::new(self.access, expires_at);
        token.metadata.clock_offset_ms = Some(ahead).filter(|ahead| *ahead != 0);
        token.refresh = self.refresh;
        token.scope = self.scope;
        token.resource_url = self.resource_url;
        token.notification = self.notification;
        token
    }
}

/// The server has done what was asked, but its response cannot be used.
fn senseless(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, message)
        .with_response_lost(true)
        .with_unread_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Response;
    use crate::secure_url::SecureUrl;

    #[test]
    fn a_key_that_is_missing_blank_or_no_text_is_an_error_and_an_odd_member_is_none() {
        let endpoint = SecureUrl::known("https://vendor.example/keys");
        for (body, is_good) in [
            ("{}", false),
            (r#"{"key":null}"#, false),
            (r#"{"key":""}"#, false),
            (r#"{"key":" \t "}"#, false),
            (r#"{"key":7}"#, false),
            (r#"{"key":{"value":"sk-made-up"}}"#, false),
            (r#"{"key":"sk-made-up\n"}"#, false),
            (r#"{"key":"sk made-up"}"#, false),
            (r#"{"key":" sk-made-up"}"#, false),
            (r#"{"key":"sk-made-up","user_id":7,"more":[]}"#, true),
            (r#"{"key":"sk-made-up","refresh_token":" "}"#, true),
        ] {
            let fields = Response::for_test(&endpoint, 200, body).json().unwrap();
            let read = TokenResponse::read_api_key(&fields, "key", None);
            assert_eq!(read.is_ok(), is_good, "{body}");
            match read {
                Ok(response) => assert!(response.refresh.is_none(), "{body}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Protocol, "{body}"),
            }
        }
    }

    #[test]
    fn an_api_key_may_live_for_ever_and_its_session_has_no_refresh_token() {
        let endpoint = SecureUrl::known("https://vendor.example/keys");
        let body = r#"{"key":"sk-made-up","user_id":null}"#;
        let fields = Response::for_test(&endpoint, 200, body).json().unwrap();
        let response = TokenResponse::read_api_key(&fields, "key", None).unwrap();
        let token = response.into_token(Timestamp::from_unix_millis(1_000));
        assert_eq!(token.access.expose(), "sk-made-up");
        assert_eq!((token.expires_at, token.refresh), (None, None));
        let error = TokenResponse::read_api_key(&fields, "api_key", None).unwrap_err();
        assert!(error.to_string().contains("`api_key`"), "{error}");
    }
}
