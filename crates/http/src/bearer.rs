//! The header that carries an access token.

use bytes::Bytes;
use http::HeaderValue;
use llm_auth_core::{Error, ErrorKind, OAuthToken, Result};
use zeroize::Zeroizing;

const SCHEME: &[u8] = b"Bearer ";

/// The value of an `Authorization` header with an access token (RFC 6750 section 2.1).
///
/// The value is marked as sensitive: `Debug` does not show it, and HTTP/2 and HTTP/3 do not put it
/// into their tables of headers. Clones share its memory, which is wiped when the last is dropped.
///
/// # Examples
///
/// ```
/// use http::HeaderValue;
/// use llm_auth_core::OAuthToken;
/// use llm_auth_http::Bearer;
///
/// let token = OAuthToken::new("made-up".into(), None);
/// let value = HeaderValue::from(Bearer::try_from(&token)?);
/// assert_eq!(value, "Bearer made-up");
/// assert_eq!(format!("{value:?}"), "Sensitive");
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bearer(HeaderValue);

impl TryFrom<&OAuthToken> for Bearer {
    type Error = Error;

    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if the access token holds a character that no header may hold.
    fn try_from(token: &OAuthToken) -> Result<Self> {
        let access = token.bearer()?.expose().as_bytes();
        let mut text = Zeroizing::new(Vec::with_capacity(SCHEME.len() + access.len()));
        text.extend_from_slice(SCHEME);
        text.extend_from_slice(access);
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(text));
        let mut value = value.map_err(|_not_quoted| {
            let message = "the access token cannot be sent in an HTTP header: sign in again";
            Error::new(ErrorKind::Corrupt, message)
        })?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl From<Bearer> for HeaderValue {
    fn from(bearer: Bearer) -> Self {
        bearer.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_token_and_clones_share_one_sensitive_value() {
        let token = OAuthToken::new("made-up".into(), None);
        let bearer = Bearer::try_from(&token).unwrap();
        assert_eq!(format!("{bearer:?}"), "Bearer(Sensitive)");
        let (one, other) = (bearer.0.clone(), HeaderValue::from(bearer));
        assert!(one.is_sensitive() && other.is_sensitive());
        assert_eq!(one.as_bytes().as_ptr(), other.as_bytes().as_ptr());
    }

    #[test]
    fn a_token_with_a_line_break_is_no_header_and_is_not_quoted() {
        let token = OAuthToken::new("made-up\r\nx-evil: 1".into(), None);
        let error = Bearer::try_from(&token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
    }
}
