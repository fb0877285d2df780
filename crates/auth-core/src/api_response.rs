//! What a response of a vendor's API means for the session.

use serde_json::Value;

/// The response of an API that was called with an access token.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{ApiResponse, ApiStatus};
///
/// let response = ApiResponse::new(401, br#"{"error": {"code": "token_expired"}}"#);
/// assert_eq!(response.by_status(), ApiStatus::RefreshNeeded);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ApiResponse<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body, or its beginning.
    pub body: &'a [u8],
}

/// What to do about the session.
///
/// # Examples
///
/// ```
/// use llm_auth_core::ApiStatus;
///
/// fn advise(status: ApiStatus) -> &'static str {
///     match status {
///         ApiStatus::Ok => "go on",
///         ApiStatus::RefreshNeeded => "refresh the session and send the request again",
///         ApiStatus::RateLimited | ApiStatus::Transient => "try again later",
///         _ => "show the response to the user",
///     }
/// }
///
/// assert_eq!(advise(ApiStatus::Transient), "try again later");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ApiStatus {
    /// Nothing: the session is valid.
    Ok,
    /// The vendor closed the account, the plan or the model to this user: refreshing does not help.
    PolicyDenied,
    /// The quota is used up: refreshing does not help.
    Quota,
    /// Too many requests for now.
    RateLimited,
    /// The API rejects the access token: refresh once and retry once.
    RefreshNeeded,
    /// The API fails for now: try again later.
    Transient,
}

impl<'a> ApiResponse<'a> {
    /// A response from its parts.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ApiResponse;
    ///
    /// let response = ApiResponse::new(429, b"slow down");
    /// assert_eq!(response.status, 429);
    /// ```
    #[must_use]
    pub const fn new(status: u16, body: &'a [u8]) -> Self {
        Self { status, body }
    }

    /// The status if only the HTTP status counts (RFC 6750 section 3.1, and 402 of RFC 9110 section
    /// 15.5.3, which is sent if the credit is used up).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{ApiResponse, ApiStatus};
    ///
    /// assert_eq!(ApiResponse::new(200, b"{}").by_status(), ApiStatus::Ok);
    /// assert_eq!(ApiResponse::new(503, b"").by_status(), ApiStatus::Transient);
    /// ```
    #[must_use]
    pub const fn by_status(&self) -> ApiStatus {
        match self.status {
            401 => ApiStatus::RefreshNeeded,
            402 => ApiStatus::Quota,
            429 => ApiStatus::RateLimited,
            408 | 500..=599 => ApiStatus::Transient,
            _ => ApiStatus::Ok,
        }
    }

    /// A text or number deep in the JSON body, as text, by its path: `&["error", "code"]`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ApiResponse;
    ///
    /// let body = br#"{"error": {"code": 1113, "message": "insufficient balance"}}"#;
    /// let response = ApiResponse::new(429, body);
    /// assert_eq!(response.member(&["error", "code"]).as_deref(), Some("1113"));
    /// assert_eq!(response.member(&["error", "type"]), None);
    /// ```
    #[must_use]
    pub fn member(&self, path: &[&str]) -> Option<String> {
        let body: Value = serde_json::from_slice(self.body).ok()?;
        let found = path.iter().try_fold(&body, |at, name| at.get(name))?;
        match found {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}
