//! OAuth error responses, and what they mean for each operation.

use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::http::{JsonObject, Response};

/// The operation that a response belongs to: the same code means different things.
///
/// # Examples
///
/// ```
/// use llm_auth_core::ErrorKind;
/// use llm_auth_core::provider::{ErrorResponse, Operation};
///
/// let error = ErrorResponse::new("invalid_grant", None);
/// assert_eq!(error.kind(Operation::Exchange), ErrorKind::Expired);
/// assert_eq!(error.kind(Operation::Refresh), ErrorKind::RefreshRejected);
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The redirect of the authorization endpoint (RFC 6749 section 4.1.2.1).
    Authorization,
    /// The request for a device code (RFC 8628 section 3.1).
    DeviceAuthorization,
    /// The exchange of an authorization code (RFC 6749 section 4.1.3).
    Exchange,
    /// A poll with a device code (RFC 8628 section 3.4).
    Poll,
    /// A refresh (RFC 6749 section 6).
    Refresh,
    /// A revocation (RFC 7009).
    Revocation,
    /// A request for the user's identity. It has no parameters, so a configuration has no rules for
    /// it.
    #[serde(skip_deserializing)]
    UserInfo,
}

/// The reason that a server gave, in any of the shapes seen: `{"error": "code"}` (RFC 6749 section
/// 5.2), Google's `{"error": {"status", "message"}}`, or OpenRouter's `{"error": {"code": 403,
/// "message"}}`.
///
/// # Examples
///
/// ```
/// # use llm_auth_core::SecureUrl;
/// use llm_auth_core::provider::{ErrorResponse, Response};
///
/// # let endpoint = SecureUrl::known("https://auth.example/token");
/// let body = r#"{"error": {"status": "PERMISSION_DENIED", "message": "no access"}}"#;
/// let error = ErrorResponse::read(&Response::for_test(&endpoint, 403, body).json()?).unwrap();
/// assert_eq!(error.code(), "permission_denied");
/// assert_eq!(error.description(), Some("no access"));
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErrorResponse {
    code: String,
    raw_code: String,
    description: Option<String>,
}

impl ErrorResponse {
    /// A reason that did not come in a JSON body (a redirect, a vendor's own shape).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::ErrorResponse;
    ///
    /// let error = ErrorResponse::new("INVALID_GRANT", Some("the token is revoked"));
    /// assert_eq!(error.code(), "invalid_grant");
    /// ```
    #[must_use]
    pub fn new(code: &str, description: Option<&str>) -> Self {
        Self {
            // Qwen sends INVALID_REQUEST as well as invalid_request.
            code: code.to_ascii_lowercase(),
            raw_code: code.into(),
            description: description.map(Into::into),
        }
    }

    /// The reason in a JSON response; `None` if it has no `error` member.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{ErrorResponse, Response};
    ///
    /// # let endpoint = SecureUrl::known("https://auth.example/token");
    /// let response = Response::for_test(&endpoint, 400, r#"{"error": "invalid_grant"}"#);
    /// let error = ErrorResponse::read(&response.json()?);
    /// assert_eq!(error, Some(ErrorResponse::new("invalid_grant", None)));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn read(fields: &JsonObject) -> Option<Self> {
        if let Some(code) = fields.text("error") {
            return Some(Self::new(code, fields.text("error_description")));
        }
        let error = fields.object("error")?;
        let word = error
            .text("status")
            .or_else(|| error.text("code"))
            .or_else(|| error.text("type"));
        // A number is a word for want of a better one.
        let number = || Some(error.number("code").ok()??.to_string());
        let code = word.map(str::to_owned).or_else(number);
        let code = code.as_deref().unwrap_or("error");
        Some(Self::new(code, error.text("message")))
    }

    /// The same response, with another code for what it means: a vendor's own code in the words of
    /// the RFCs. What is shown stays as the server wrote it.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ErrorKind;
    /// use llm_auth_core::provider::{ErrorResponse, Operation};
    ///
    /// let error = ErrorResponse::new("bad_refresh_token", None).meaning("invalid_grant");
    /// assert_eq!(error.kind(Operation::Refresh), ErrorKind::RefreshRejected);
    /// assert_eq!(error.raw_code(), "bad_refresh_token");
    /// ```
    #[must_use]
    pub fn meaning(self, code: &str) -> Self {
        Self {
            code: code.to_ascii_lowercase(),
            ..self
        }
    }

    /// The error code in lower case, as the server chose it: do not show it unsanitized.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::ErrorResponse;
    ///
    /// assert_eq!(ErrorResponse::new("INVALID_REQUEST", None).code(), "invalid_request");
    /// ```
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The error code as the server wrote it: do not show it unsanitized.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::ErrorResponse;
    ///
    /// assert_eq!(ErrorResponse::new("INVALID_REQUEST", None).raw_code(), "INVALID_REQUEST");
    /// ```
    #[must_use]
    pub fn raw_code(&self) -> &str {
        &self.raw_code
    }

    /// The description in the server's own words: do not show it unsanitized.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::ErrorResponse;
    ///
    /// let error = ErrorResponse::new("invalid_grant", Some("the token is revoked"));
    /// assert_eq!(error.description(), Some("the token is revoked"));
    /// ```
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Whether the code is one of OAuth's own for a token endpoint, and not a gateway's
    /// ("Unauthorized", "UNAUTHENTICATED").
    /// Whether this library knows what the code means.
    pub(crate) fn has_meaning(&self) -> bool {
        self.is_standard() || self.kind(Operation::Refresh) != ErrorKind::Protocol
    }

    fn is_standard(&self) -> bool {
        matches!(
            self.code.as_str(),
            "access_denied"
                | "authorization_pending"
                | "consent_required"
                | "expired_token"
                | "interaction_required"
                | "invalid_client"
                | "invalid_dpop_proof"
                | "invalid_grant"
                | "invalid_request"
                | "invalid_scope"
                | "invalid_target"
                | "invalid_token"
                | "login_required"
                | "server_error"
                | "slow_down"
                | "temporarily_unavailable"
                | "unauthorized_client"
                | "unsupported_grant_type"
                | "unsupported_response_type"
                | "unsupported_token_type"
        )
    }

    /// What the code means for an operation, by the standards.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ErrorKind;
    /// use llm_auth_core::provider::{ErrorResponse, Operation};
    ///
    /// let error = ErrorResponse::new("invalid_grant", None);
    /// assert_eq!(error.kind(Operation::Refresh), ErrorKind::RefreshRejected);
    /// assert_eq!(error.kind(Operation::Poll), ErrorKind::Expired);
    /// ```
    #[must_use]
    pub fn kind(&self, operation: Operation) -> ErrorKind {
        match (self.code.as_str(), operation) {
            ("access_denied", Operation::Authorization | Operation::Exchange | Operation::Poll) => {
                ErrorKind::Denied
            }
            // The device code or authorization code has expired, or never was one.
            ("expired_token", Operation::Poll)
            | ("invalid_grant", Operation::Exchange | Operation::Poll) => ErrorKind::Expired,
            ("invalid_grant", Operation::Refresh) => ErrorKind::RefreshRejected,
            (
                "deleted_client"
                | "invalid_client"
                | "invalid_scope"
                | "invalid_target"
                | "redirect_uri_mismatch"
                | "unauthorized_client"
                | "unsupported_grant_type"
                | "unsupported_response_type",
                _,
            ) => ErrorKind::Config,
            ("admin_policy_enforced" | "org_internal", _) => ErrorKind::PolicyDenied,
            ("rate_limit_exceeded" | "slow_down" | "too_many_requests", _) => {
                ErrorKind::RateLimited
            }
            ("server_error" | "temporarily_unavailable", _) => ErrorKind::Transient,
            _ => ErrorKind::Protocol,
        }
    }
}

/// The error for a response that gives no reason in JSON.
///
/// With 400 or 401 it rejects a refresh, so that the user is asked to sign in again
/// ([`ErrorKind::RefreshRejected`]). It is no [verdict](Error::is_verdict): plain text, a web page
/// or an empty body may come from something in between. All other responses are
/// [`Response::unreadable`].
///
/// # Examples
///
/// ```
/// use llm_auth_core::{ErrorKind, SecureUrl};
/// use llm_auth_core::provider::{Operation, Response, reasonless_error};
///
/// let endpoint = SecureUrl::known("https://auth.example/token");
/// let response = Response::for_test(&endpoint, 401, "Unauthorized");
/// let error = reasonless_error(Operation::Refresh, &response);
/// assert_eq!(error.kind(), ErrorKind::RefreshRejected);
/// assert!(!error.is_verdict());
/// ```
#[must_use]
pub fn reasonless_error(operation: Operation, response: &Response) -> Error {
    if operation != Operation::Refresh || !is_rejection(response) {
        return response.unreadable();
    }
    let (host, status) = (response.host(), response.status());
    let why = if response.is_web_page() {
        "returned a web page instead of JSON: a firewall, a proxy or a network sign-in page may be in between"
    } else {
        "gave no reason in JSON"
    };
    response.error(
        ErrorKind::RefreshRejected,
        format!("{host} rejected the refresh token (status {status}) and {why}"),
    )
}

fn is_rejection(response: &Response) -> bool {
    matches!(response.status(), 400 | 401)
}

/// The error for an error response.
///
/// A 5xx status outweighs the code: a failing server gives no verdict on a credential. A code that
/// means [`ErrorKind::RefreshRejected`] is a [verdict](Error::is_verdict). A code that is not
/// OAuth's, with 400 or 401, rejects a refresh too, but is no verdict.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{ErrorKind, SecureUrl};
/// use llm_auth_core::provider::{ErrorResponse, Operation, Response, error_for};
///
/// let endpoint = SecureUrl::known("https://auth.example/token");
/// let response = Response::for_test(&endpoint, 400, r#"{"error": "invalid_client"}"#);
/// let reason = ErrorResponse::new("invalid_client", None);
/// let error = error_for(Operation::Refresh, &response, &reason);
/// assert_eq!(error.kind(), ErrorKind::Config);
/// ```
#[must_use]
pub fn error_for(
    operation: Operation,
    response: &Response,
    error_response: &ErrorResponse,
) -> Error {
    let foreign =
        operation == Operation::Refresh && is_rejection(response) && !error_response.is_standard();
    let kind = match (response.kind_of_status(), error_response.kind(operation)) {
        (None, ErrorKind::Protocol) if foreign => ErrorKind::RefreshRejected,
        (Some(ErrorKind::Transient), _) => ErrorKind::Transient,
        (Some(passing), ErrorKind::Protocol) => passing,
        (_, kind) => kind,
    };
    let what = match operation {
        Operation::Authorization | Operation::Exchange | Operation::Poll => "the sign-in",
        Operation::DeviceAuthorization => "the device authorization",
        Operation::Refresh => "the refresh",
        Operation::Revocation => "the revocation",
        Operation::UserInfo => "the userinfo request",
    };
    let code = response.words(&error_response.raw_code);
    let mut message = format!("{} rejected {what}: {code}", response.host());
    if let Some(description) = error_response.description() {
        let words = response.words(description);
        if !words.is_empty() && words != code {
            message.push_str(&format!(" ({words})"));
        }
    }
    response.error(kind, message).with_verdict(!foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_code_if_an_error_has_no_word_for_it() {
        let endpoint = crate::SecureUrl::known("https://vendor.example/keys");
        for (body, code) in [
            (r#"{"error":{"code":403,"message":"made up"}}"#, "403"),
            (r#"{"error":{"code":403,"type":"forbidden"}}"#, "forbidden"),
            (r#"{"error":{"code":null}}"#, "error"),
            (r#"{"error":{"code":[]}}"#, "error"),
            (r#"{"error":{}}"#, "error"),
        ] {
            let fields = Response::for_test(&endpoint, 403, body).json().unwrap();
            assert_eq!(ErrorResponse::read(&fields).unwrap().code(), code, "{body}");
        }
    }

    #[test]
    fn the_same_code_means_different_things_at_different_steps() {
        let error_response = ErrorResponse::new("INVALID_GRANT", None);
        assert_eq!(
            error_response.kind(Operation::Refresh),
            ErrorKind::RefreshRejected
        );
        assert_eq!(error_response.kind(Operation::Poll), ErrorKind::Expired);
        assert_eq!(error_response.kind(Operation::Exchange), ErrorKind::Expired);
        assert_eq!(
            error_response.kind(Operation::Revocation),
            ErrorKind::Protocol
        );
    }
}
