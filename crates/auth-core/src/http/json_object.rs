//! A tolerant reader of a JSON object from a server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::{Timestamp, offset};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::sanitize::{clean, shown};
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// The longest lifetime that counts: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The members of a JSON object, read one by one so that an invalid member spoils no other.
///
/// Unknown members are ignored (RFC 6749 section 5.1). All are wiped on drop.
///
/// # Examples
///
/// ```
/// # use llm_auth_core::SecureUrl;
/// use llm_auth_core::provider::Response;
///
/// # let endpoint = SecureUrl::known("https://auth.example/token");
/// let body = r#"{"access_token": "made-up", "expires_in": "3600", "scope": null}"#;
/// let fields = Response::for_test(&endpoint, 200, body).json()?;
/// assert_eq!(fields.text("access_token"), Some("made-up"));
/// assert_eq!(fields.number("expires_in")?, Some(3600.0));
/// assert_eq!(fields.text("scope"), None);
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct JsonObject {
    members: Map<String, Value>,
    date: Option<Timestamp>,
    secrets: Arc<[Secret]>,
    sender: Option<SecureUrl>,
}

impl JsonObject {
    pub(crate) fn new(
        members: Map<String, Value>,
        date: Option<Timestamp>,
        secrets: Arc<[Secret]>,
    ) -> Self {
        Self {
            members,
            date,
            secrets,
            sender: None,
        }
    }

    /// The secrets that must not be shown: the credentials of the request and of the response.
    pub(super) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    pub(super) fn sent_by(mut self, endpoint: &SecureUrl) -> Self {
        self.sender = Some(endpoint.clone());
        self
    }

    /// Whether the server that sent them may send a user's browser to this page.
    pub(crate) fn may_name(&self, page: &SecureUrl) -> bool {
        match &self.sender {
            Some(sender) => sender.may_name(page),
            None => !page.is_internal(),
        }
    }

    /// When the server sent the response, by its own clock (the `Date` header).
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// // No server sent it.
    /// let fields = Response::for_test(&endpoint, 200, "{}").json()?;
    /// assert_eq!(fields.date(), None);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// The current time by the server's clock if it differs from ours by more than half a minute,
    /// otherwise by ours. Use it for instants that a server names.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::Timestamp;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let fields = Response::for_test(&endpoint, 200, "{}").json()?;
    /// let ours = Timestamp::from_unix_millis(1_000);
    /// assert_eq!(fields.now(ours), ours);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn now(&self, ours: Timestamp) -> Timestamp {
        ours.shifted(offset(self.date, ours))
    }

    /// A member that is a non-empty string.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let body = r#"{"user_code": "WDJB-MJHT", "state": "", "interval": 5}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// assert_eq!(fields.text("user_code"), Some("WDJB-MJHT"));
    /// assert_eq!(fields.text("state"), None);
    /// assert_eq!(fields.text("interval"), None);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members
            .get(name)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    /// The strings of a member that is a list; `None` if it is absent or `null`. What is no string in
    /// it is left out.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/metadata");
    /// let body = r#"{"scopes_supported": ["openid", 1, "email"]}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// assert_eq!(fields.texts("scopes_supported").unwrap(), ["openid", "email"]);
    /// assert_eq!(fields.texts("grant_types_supported"), None);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn texts(&self, name: &str) -> Option<Vec<&str>> {
        let list = self.members.get(name).filter(|value| !value.is_null())?;
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        Some(list.iter().filter_map(|text| text.as_str()).collect())
    }

    /// A member that is an endpoint; `None` if it is absent or empty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is not fit for a credential (see [`SecureUrl::new`]), or if a
    /// server of the internet names one on this computer or on a private network.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let server = SecureUrl::known("https://auth.example/metadata");
    /// let body = r#"{"token_endpoint": "https://auth.example/token", "jwks_uri": "http://auth.example"}"#;
    /// let fields = Response::for_test(&server, 200, body).json()?;
    /// assert_eq!(fields.endpoint("token_endpoint")?.unwrap().host(), "auth.example");
    /// assert!(fields.endpoint("jwks_uri").is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn endpoint(&self, name: &str) -> Result<Option<SecureUrl>> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let rejected = |why: &str| {
            let named = clean(name, 60, &[]);
            Error::new(
                ErrorKind::Protocol,
                format!("the server names a `{named}` that is not used: {why}"),
            )
        };
        let url = SecureUrl::new(text).map_err(|error| rejected(&error.to_string()))?;
        match self.may_name(&url) {
            true => Ok(Some(url)),
            false => Err(rejected(&format!(
                "{} is on this computer or on a private network",
                url.host()
            ))),
        }
    }

    /// A member that is a non-empty string, fit to be shown and stored: on one line, without
    /// invisible characters or ones that control a terminal, cut to `limit` characters. `None` for
    /// one that repeats a credential of the request or the response.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let body = r#"{"access_token": "made-up-token", "message": "Your token is made-up-token",
    ///     "plan": "free\nplan"}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// assert_eq!(fields.shown("plan", 40).as_deref(), Some("free plan"));
    /// assert_eq!(fields.shown("message", 40), None);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn shown(&self, name: &str, limit: usize) -> Option<String> {
        shown(self.text(name)?, limit, &self.secrets).filter(|text| !text.is_empty())
    }

    /// A member that is not `null`, of any type.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let fields = Response::for_test(&endpoint, 200, r#"{"id": 1, "error": null}"#).json()?;
    /// assert!(fields.has("id"));
    /// assert!(!fields.has("error"));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    /// A member that is `true`, or the text "true".
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/userinfo");
    /// let fields = Response::for_test(&endpoint, 200, r#"{"email_verified": "true"}"#).json()?;
    /// assert!(fields.is_true("email_verified"));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        let value = self.members.get(name);
        value.is_some_and(|value| value.as_bool() == Some(true) || value.as_str() == Some("true"))
    }

    /// The members of an object inside this one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let body = r#"{"status": "success", "data": {"user_code": "WDJB-MJHT"}}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// let data = fields.object("data").unwrap_or_default();
    /// assert_eq!(data.text("user_code"), Some("WDJB-MJHT"));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Self> {
        let members = self.members.get(name)?.as_object()?.clone();
        Some(Self {
            members,
            date: self.date,
            secrets: Arc::clone(&self.secrets),
            sender: self.sender.clone(),
        })
    }

    /// The objects of a list; other values in it are ignored. `None` if it is no list.
    pub(crate) fn objects(&self, name: &str) -> Option<Vec<Self>> {
        let values = self.members.get(name)?.as_array()?;
        let objects = values.iter().filter_map(Value::as_object);
        Some(
            objects
                .map(|members| Self {
                    members: members.clone(),
                    date: self.date,
                    secrets: Arc::clone(&self.secrets),
                    sender: self.sender.clone(),
                })
                .collect(),
        )
    }

    /// A number, or a string that is one ("3600"); `None` if it is absent or `null`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is something else ("3600s", a list).
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let body = r#"{"expires_in": "3600", "interval": null, "code": "5xx"}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// assert_eq!(fields.number("expires_in")?, Some(3600.0));
    /// assert_eq!(fields.number("interval")?, None);
    /// assert!(fields.number("code").is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        let number = match self.members.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        match number {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(Error::new(
                ErrorKind::Protocol,
                format!("{name} in the server's response is not a number"),
            )),
        }
    }

    /// A length in seconds, at most ten years; `None` if it is absent or `null`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is no number, or a negative one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let body = r#"{"expires_in": 3600, "interval": -5}"#;
    /// let fields = Response::for_test(&endpoint, 200, body).json()?;
    /// assert_eq!(fields.seconds("expires_in")?, Some(Duration::from_secs(3600)));
    /// assert!(fields.seconds("interval").is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn seconds(&self, name: &str) -> Result<Option<Duration>> {
        match self.number(name)? {
            None => Ok(None),
            Some(seconds) if seconds < 0.0 => Err(Error::new(
                ErrorKind::Protocol,
                format!("{name} in the server's response is negative"),
            )),
            Some(seconds) => Ok(Some(
                Duration::try_from_secs_f64(seconds).map_or(LONGEST, |length| length.min(LONGEST)),
            )),
        }
    }
}

impl Drop for JsonObject {
    fn drop(&mut self) {
        self.members.values_mut().for_each(json::wipe);
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.members.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> JsonObject {
        JsonObject::new(serde_json::from_str(json).unwrap(), None, Arc::default())
    }

    #[test]
    fn numbers_come_as_numbers_or_as_strings() {
        let fields = fields(
            r#"{"a":3600,"b":"3600","c":0.5,"d":null,"e":"3600s","f":[],"g":1e18,"h":-1,"i":"NaN"}"#,
        );
        assert_eq!(
            fields.seconds("a").unwrap(),
            Some(Duration::from_secs(3600))
        );
        assert_eq!(
            fields.seconds("b").unwrap(),
            Some(Duration::from_secs(3600))
        );
        assert_eq!(
            fields.seconds("c").unwrap(),
            Some(Duration::from_millis(500))
        );
        assert_eq!(fields.seconds("d").unwrap(), None);
        assert_eq!(fields.seconds("none").unwrap(), None);
        assert_eq!(fields.seconds("g").unwrap(), Some(LONGEST));
        for odd in ["e", "f", "h", "i"] {
            assert_eq!(fields.seconds(odd).unwrap_err().kind(), ErrorKind::Protocol);
        }
    }

    #[test]
    fn an_empty_string_is_no_text_and_debug_shows_names_only() {
        let fields = fields(r#"{"access_token":"made-up","refresh_token":""}"#);
        assert_eq!(fields.text("access_token"), Some("made-up"));
        assert_eq!(fields.text("refresh_token"), None);
        assert!(!format!("{fields:?}").contains("made-up"));
    }
}
