//! What an answer of a vendor's API means for the session.

use serde_json::Value;

/// An answer of an API that was called with an access token.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ApiResponse<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body, or its beginning.
    pub body: &'a [u8],
}

/// What to do about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ApiStatus {
    /// Nothing: the session is fine.
    Ok,
    /// The vendor closed the account, the plan or the model to this person: refreshing is no help.
    PolicyDenied,
    /// The quota is used up: refreshing is no help.
    Quota,
    /// Too many requests for now.
    RateLimited,
    /// The access token is not accepted: renew once and try once more.
    RefreshNeeded,
    /// The API is in trouble: try again later.
    Transient,
}

impl<'a> ApiResponse<'a> {
    /// An answer from its parts.
    #[must_use]
    pub const fn new(status: u16, body: &'a [u8]) -> Self {
        Self { status, body }
    }

    /// The verdict where nothing but the status counts (RFC 6750 section 3.1).
    #[must_use]
    pub const fn verdict_by_status(&self) -> ApiStatus {
        match self.status {
            401 => ApiStatus::RefreshNeeded,
            429 => ApiStatus::RateLimited,
            408 | 500..=599 => ApiStatus::Transient,
            _ => ApiStatus::Ok,
        }
    }

    /// A text or number deep in the JSON body, as text: `&["error", "code"]`.
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
