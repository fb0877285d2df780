//! The proxy's own error responses, in a form that the SDKs of OpenAI and Anthropic show.

use std::time::Duration;

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use llm_auth_core::store::ServerError;
use llm_auth_core::{Error, ErrorKind, printable};
use serde_json::json;

use crate::body::ProxyBody;

/// The failures of requests that the API may have carried out, and of a session that the user has to
/// correct. The SDKs of OpenAI and Anthropic repeat a request after each failure of a server, unless a
/// header says that they should not.
const NOT_REPEATED: [&str; 3] = ["response_lost", "timeout", "session"];

/// Why a request has no response of the API.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// What a program tells failures apart by.
    pub(crate) code: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// The failure of a call to the session's own library. `sign_in` is the command to run.
    pub(crate) fn of_session(error: &Error, sign_in: &str) -> Self {
        if error.needs_login() {
            let message = format!("{error}: run `{sign_in}`, then send the request again");
            return Self::new(StatusCode::UNAUTHORIZED, "sign_in_required", message);
        }
        if error.is_transient() || is_store_away(error) {
            let message = format!("{error:#}: send the request again later");
            let failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporary", message);
            return Self {
                retry_after: error.retry_after(),
                ..failure
            };
        }
        let message = format!("{error:#}: correct that, then send the request again");
        let failure = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "session", message);
        Self {
            retry_after: error.retry_after(),
            ..failure
        }
    }

    /// The failure of a request to this host.
    pub(crate) fn of_request(error: &Error, host: &str) -> Self {
        if error.response_lost() {
            let message = format!(
                "{error}, and {host} may have carried out the request: check that before you send \
                 it again"
            );
            return Self::new(StatusCode::BAD_GATEWAY, "response_lost", message);
        }
        let message = match error.kind() {
            ErrorKind::Transient => {
                format!("{error:#}: check the network, then send the request again")
            }
            _ => format!("{error:#}"),
        };
        Self::new(StatusCode::BAD_GATEWAY, "unreachable", message)
    }

    /// The client's body did not arrive as a whole.
    pub(crate) fn broken_body() -> Self {
        Self::bad_request(
            "body",
            "the body of the request ended early or is not valid: correct the request",
        )
    }

    /// No headers came in time.
    pub(crate) fn too_late(host: &str, limit: Duration) -> Self {
        let message = format!(
            "{host} did not respond in {} s, and may have carried out the request: check that \
             before you send it again",
            limit.as_secs_f64()
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }

    /// The `type` of the error, by its status, as both SDKs name it.
    fn kind(&self) -> &'static str {
        match self.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        }
    }

    pub(crate) fn into_response(self) -> Response<ProxyBody> {
        let message = printable(&self.message);
        let error = json!({"message": message, "type": self.kind(), "code": self.code});
        let body = json!({"type": "error", "error": error}).to_string();
        let mut response = Response::new(ProxyBody::of(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if NOT_REPEATED.contains(&self.code) {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        if let Some(wait) = self.retry_after {
            // Rounded up, so that no program comes too early.
            let seconds = wait.as_millis().div_ceil(1000);
            if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
                headers.insert(RETRY_AFTER, seconds);
            }
        }
        response
    }
}

/// Whether the sessions are on a server that may be there again in a moment.
fn is_store_away(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        if let Some(server) = next.downcast_ref::<ServerError>() {
            return server.fault().is_temporary();
        }
        cause = next.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use llm_auth_core::store::ServerFault;

    use super::*;

    #[test]
    fn a_session_that_is_over_names_the_command_and_another_failure_does_not() {
        for (fault, status) in [(ServerFault::Unreachable, 503), (ServerFault::Tables, 500)] {
            let store = ServerError::new(fault, "db.example").into_error("");
            assert_eq!(Failure::of_session(&store, "x").status, status);
        }
        let over = Error::new(ErrorKind::NotSignedIn, "not signed in");
        let failure = Failure::of_session(&over, "llm-auth login qwen");
        assert_eq!(failure.status, 401);
        assert!(failure.message.contains("run `llm-auth login qwen`"));
        let passing = Error::new(ErrorKind::Transient, "cannot connect to auth.example");
        let failure = Failure::of_session(&passing, "llm-auth login qwen");
        assert_eq!(failure.status, 503);
        assert!(!failure.message.contains("llm-auth"));
    }

    #[test]
    fn an_sdk_does_not_repeat_what_the_api_may_have_done_or_what_stays_wrong() {
        let lost = Failure::too_late("api.example", Duration::from_secs(1)).into_response();
        assert_eq!(lost.headers()["x-should-retry"], "false");
        let cut = Error::new(ErrorKind::Transient, "cut").with_response_lost(true);
        let cut = Failure::of_request(&cut, "api.example").into_response();
        assert_eq!(cut.headers()["x-should-retry"], "false");
        let wrong = Error::new(ErrorKind::Config, "a wrong client");
        let wrong = Failure::of_session(&wrong, "llm-auth login qwen").into_response();
        assert_eq!(wrong.headers()["x-should-retry"], "false");
        let refused = Error::new(ErrorKind::Transient, "cannot connect");
        let refused = Failure::of_request(&refused, "api.example").into_response();
        assert!(!refused.headers().contains_key("x-should-retry"));
    }

    #[test]
    fn a_wait_is_rounded_up() {
        let failure = Failure {
            retry_after: Some(Duration::from_millis(1_001)),
            ..Failure::new(StatusCode::SERVICE_UNAVAILABLE, "temporary", "x")
        };
        let response = failure.into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
    }
}
