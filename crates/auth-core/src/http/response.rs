//! The response of a credential endpoint.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::coding::{self, Trouble};
use super::json_object::JsonObject;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::sanitize::clean;
use crate::secret::Secret;
use crate::secure_url::SecureUrl;

/// The longest server text in an error.
const WORDS: usize = 200;

/// A whole response of at most 1 MiB, with any status.
///
/// The body is zeroed on drop and never printed by `Debug`.
///
/// # Examples
///
/// ```
/// use llm_auth_core::SecureUrl;
/// use llm_auth_core::provider::Response;
///
/// let endpoint = SecureUrl::known("https://auth.example/token");
/// let response = Response::for_test(&endpoint, 400, r#"{"error": "invalid_grant"}"#);
/// assert!(!response.is_success());
/// assert_eq!(response.json()?.text("error"), Some("invalid_grant"));
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
pub struct Response {
    endpoint: SecureUrl,
    status: u16,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
    secrets: Vec<Secret>,
    /// Whether the body is form parameters and not JSON, as the server declares.
    is_form: bool,
    /// Why the body is still encoded, if it is.
    undecoded: Option<String>,
    /// The values of its `WWW-Authenticate` headers.
    challenges: Vec<String>,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn new(endpoint: SecureUrl, status: u16, secrets: Vec<Secret>) -> Self {
        Self {
            endpoint,
            status,
            retry_after: None,
            date: None,
            secrets,
            is_form: false,
            undecoded: None,
            challenges: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn with_challenges(mut self, challenges: Vec<String>) -> Self {
        self.challenges = challenges;
        self
    }

    /// The values of its `WWW-Authenticate` headers, as the server sent them (RFC 9110 section
    /// 11.6.1).
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://api.example/mcp");
    /// assert!(Response::for_test(&endpoint, 401, "").challenges().is_empty());
    /// ```
    #[must_use]
    pub fn challenges(&self) -> &[String] {
        &self.challenges
    }

    /// A response that no server sent, so that a provider's reading of it can be tested without
    /// one.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// let endpoint = SecureUrl::known("https://vendor.example/token");
    /// let response = Response::for_test(&endpoint, 200, r#"{"access_token":"made-up"}"#);
    /// assert_eq!(response.json().unwrap().text("access_token"), Some("made-up"));
    /// ```
    #[must_use]
    pub fn for_test(endpoint: &SecureUrl, status: u16, body: &str) -> Self {
        let mut response = Self::new(endpoint.clone(), status, Vec::new());
        response.push(body.as_bytes());
        response
    }

    pub(super) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    pub(super) fn with_date(mut self, date: Option<Timestamp>) -> Self {
        self.date = date;
        self
    }

    pub(super) fn with_form(mut self, is_form: bool) -> Self {
        self.is_form = is_form;
        self
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        json::append(&mut self.body, chunk);
    }

    /// Decodes the body; false if the result exceeds the limit.
    ///
    /// A body that cannot be decoded stays as it came: some servers name a coding that they do not
    /// use. [`unreadable`](Self::unreadable) names the coding if the body is not JSON either.
    pub(super) fn decode(&mut self, header: &str, limit: usize) -> bool {
        let codings = coding::listed(header);
        if codings.is_empty() {
            return true;
        }
        match coding::decoded(&self.body, &codings, limit) {
            Ok(body) => {
                self.body.zeroize();
                self.body = body;
            }
            Err(Trouble::TooLong) => return false,
            Err(Trouble::Unknown) => {
                self.undecoded = Some(format!(
                    "in the unsupported content coding \"{}\"",
                    self.words(&codings.join(", "))
                ));
            }
            Err(Trouble::Broken) => {
                self.undecoded = Some(format!(
                    "that is incomplete, or not in the declared content coding \"{}\"",
                    self.words(&codings.join(", "))
                ));
            }
        }
        true
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The HTTP status.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// assert_eq!(Response::for_test(&endpoint, 503, "").status(), 503);
    /// ```
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The server's clock when it responded (RFC 9110 section 6.6.1), to the second.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// // No server sent it.
    /// assert_eq!(Response::for_test(&endpoint, 200, "{}").date(), None);
    /// ```
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// Whether the status is 2xx.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// assert!(Response::for_test(&endpoint, 204, "").is_success());
    /// assert!(!Response::for_test(&endpoint, 400, "{}").is_success());
    /// ```
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether there is no body.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/revoke");
    /// assert!(Response::for_test(&endpoint, 200, "\n").is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trimmed().is_empty()
    }

    /// Whether the body looks like a web page.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// assert!(Response::for_test(&endpoint, 200, "<!doctype html>").is_web_page());
    /// ```
    #[must_use]
    pub fn is_web_page(&self) -> bool {
        self.trimmed().first() == Some(&b'<')
    }

    /// The body as a JSON object; a byte-order mark is tolerated. Form parameters, which GitHub
    /// returns by default, count as an object of strings.
    ///
    /// # Errors
    ///
    /// [`unreadable`](Self::unreadable).
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let response = Response::for_test(&endpoint, 200, r#"{"access_token": "made-up"}"#);
    /// assert_eq!(response.json()?.text("access_token"), Some("made-up"));
    /// assert!(Response::for_test(&endpoint, 200, "[]").json().is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn json(&self) -> Result<JsonObject> {
        if self.is_form && self.trimmed().first() != Some(&b'{') {
            return Ok(self.fields(self.parameters()));
        }
        match json::parse(self.trimmed()) {
            Ok(Value::Object(members)) => Ok(self.fields(members)),
            Ok(mut other) => {
                json::wipe(&mut other);
                Err(self.unreadable())
            }
            // The parser's message would quote the body.
            Err(_) => match json::parse_leniently(self.trimmed()) {
                // The server has done what was asked, so the content counts.
                Some(members) if self.is_success() => Ok(self.fields(members)),
                _ => Err(self.unreadable()),
            },
        }
    }

    fn parameters(&self) -> Map<String, Value> {
        let pairs = form_urlencoded::parse(self.trimmed().trim_ascii_end());
        pairs
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect()
    }

    fn fields(&self, members: Map<String, Value>) -> JsonObject {
        let mut secrets = self.secrets.clone();
        secrets.extend(granted(&members));
        JsonObject::new(members, self.date, Arc::from(secrets)).sent_by(&self.endpoint)
    }

    /// Whether the received part of the body is a whole JSON object.
    pub(super) fn is_whole_object(&self) -> bool {
        json::is_whole_object(self.trimmed())
    }

    /// The error for a response that is no JSON object.
    ///
    /// Such a response is never a verdict on a credential: with 2xx, 5xx or a web page it comes
    /// from something in between or from a failing server, and is [`ErrorKind::Transient`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ErrorKind, SecureUrl};
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let error = Response::for_test(&endpoint, 200, "<!doctype html>").unreadable();
    /// assert_eq!(error.kind(), ErrorKind::Transient);
    /// assert!(error.to_string().starts_with("auth.example returned a web page"));
    /// ```
    #[must_use]
    pub fn unreadable(&self) -> Error {
        let host = self.endpoint.host();
        let status = self.status;
        if self.is_web_page() {
            return self.error(
                ErrorKind::Transient,
                format!(
                    "{host} returned a web page instead of JSON (status {status}): a firewall, a \
                     proxy or a network sign-in page may be in between"
                ),
            );
        }
        if let Some(why) = &self.undecoded {
            let kind = match self.kind_of_status() {
                Some(kind) => kind,
                None if self.is_success() => ErrorKind::Transient,
                None => ErrorKind::Protocol,
            };
            return self
                .error(
                    kind,
                    format!("{host} sent a response {why} (status {status})"),
                )
                .with_unread_response();
        }
        let error = match self.kind_of_status() {
            Some(kind) => self.error(
                kind,
                match status {
                    429 => format!("{host} is limiting requests (HTTP 429)"),
                    _ => format!("{host} returned a server error (HTTP {status})"),
                },
            ),
            None if self.is_success() => self.error(
                ErrorKind::Transient,
                format!("{host} sent a response that is not JSON (status {status})"),
            ),
            None => self.error(
                ErrorKind::Protocol,
                format!("{host} rejected the request (status {status}) and gave no reason in JSON"),
            ),
        };
        error.with_unread_response()
    }

    /// The kind by the status alone: 429, 408 and 5xx are temporary.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ErrorKind, SecureUrl};
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let kind = |status| Response::for_test(&endpoint, status, "{}").kind_of_status();
    /// assert_eq!(kind(429), Some(ErrorKind::RateLimited));
    /// assert_eq!(kind(400), None);
    /// ```
    #[must_use]
    pub fn kind_of_status(&self) -> Option<ErrorKind> {
        match self.status {
            429 => Some(ErrorKind::RateLimited),
            408 | 500..=599 => Some(ErrorKind::Transient),
            _ => None,
        }
    }

    /// An error about this response, with its status and `Retry-After`.
    ///
    /// If the server may have done what was asked, and only its response was lost on the way (2xx,
    /// 500, a gateway's 502 or 504), the error counts as a lost response. An
    /// [`ErrorKind::RefreshRejected`] is no [verdict](Error::is_verdict) yet:
    /// [`error_for`](crate::provider::error_for) makes one, from the server's own words.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{ErrorKind, SecureUrl};
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let response = Response::for_test(&endpoint, 502, "");
    /// let error = response.error(ErrorKind::Transient, "the gateway failed");
    /// assert_eq!(error.status(), Some(502));
    /// assert!(error.response_lost());
    /// ```
    #[must_use]
    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        let may_have_done_it =
            self.is_success() || matches!(self.status, 500..=599 if self.status != 503);
        let no_verdict = matches!(kind, ErrorKind::Protocol | ErrorKind::Transient);
        Error::new(kind, message)
            .with_status(self.status)
            .with_retry_after(self.retry_after)
            .with_response_lost(may_have_done_it && no_verdict)
            .with_verdict(false)
    }

    /// The server's own words, fit to be shown: at most 200 characters, without invisible ones or
    /// ones that control a terminal. Words that repeat a secret of the request or the response, in
    /// any encoding or part, are not shown.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let response = Response::for_test(&endpoint, 400, r#"{"error": "invalid_request"}"#);
    /// assert_eq!(response.words("no such\u{1b}[31m client"), "no such[31m client");
    /// ```
    #[must_use]
    // See decision 0035.
    pub fn words(&self, text: &str) -> String {
        match self.json() {
            Ok(fields) => clean(text, WORDS, fields.secrets()),
            Err(_) => clean(text, WORDS, &self.secrets),
        }
    }

    /// Host and port of the endpoint.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Response;
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// assert_eq!(Response::for_test(&endpoint, 200, "{}").host(), "auth.example");
    /// ```
    #[must_use]
    pub fn host(&self) -> String {
        self.endpoint.host()
    }

    fn trimmed(&self) -> &[u8] {
        self.body
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.body)
            .trim_ascii_start()
    }
}

/// The members of a response that are credentials.
const CREDENTIALS: [&str; 7] = [
    "access_token",
    "api_key",
    "client_secret",
    "device_code",
    "id_token",
    "key",
    "refresh_token",
];

fn granted(members: &Map<String, Value>) -> impl Iterator<Item = Secret> + '_ {
    CREDENTIALS
        .iter()
        .filter_map(|name| members.get(*name)?.as_str())
        .map(Secret::from)
}

impl Drop for Response {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("endpoint", &self.endpoint)
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish()
    }
}
