//! MiniMax's responses in both of their shapes, and what they mean.
//!
//! MiniMax's own shape has `status`, `base_resp` and `expired_in`, mostly with HTTP 200; MiniMax
//! Code gets the shape of RFC 8628 (`error`, `expires_in`). The content of a response decides, not
//! the client that asked.

use std::time::Duration;

use llm_auth_core::provider::{
    Call, DEFAULT_LIFETIME, ErrorResponse, JsonObject, Operation, Poll, Response, TokenResponse,
    error_for,
};
use llm_auth_core::{ApiResponse, ApiStatus, Error, ErrorKind, Result, Timestamp};

pub(crate) fn poll(call: &Call<'_>, response: &Response) -> Result<Poll> {
    let fields = response.json()?;
    if let Some(rejection) = error(response, &fields) {
        return match rejection.code() {
            "authorization_pending" | "pending" => Ok(Poll::Pending),
            "slow_down" => Ok(Poll::SlowDown(None)),
            _ => {
                let error = error_for(Operation::Poll, response, &rejection);
                let denied = error.kind() == ErrorKind::Protocol && says_no(&fields);
                Err(if denied {
                    response.error(ErrorKind::Denied, error.message())
                } else {
                    error
                })
            }
        };
    }
    match status(&fields).as_deref() {
        Some("success") => read_token(&fields, call.now).map(Poll::Ready),
        None if fields.has("access_token") => read_token(&fields, call.now).map(Poll::Ready),
        Some("slow_down") => Ok(Poll::SlowDown(None)),
        // An unknown status, or none, means "not yet", as in OpenClaw: the code's own expiry ends
        // the wait.
        _ => Ok(Poll::Pending),
    }
}

/// The response to a refresh.
///
/// The old refresh token is already spent. So a response that does not name the expiry of the new
/// access token still counts, with the default lifetime: rejecting it would lose the new refresh
/// token.
pub(crate) fn refresh(call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
    let now = call.now;
    let fields = call.read(response).map_err(|error| {
        // Not a standard code, so it is reported and not remembered.
        if error.kind() == ErrorKind::Protocol && is_no_longer_signed_in(response) {
            response.error(ErrorKind::RefreshRejected, error.message())
        } else {
            error
        }
    })?;
    if let Some(status) = status(&fields).filter(|status| status != "success") {
        let words = response.words(&status);
        return Err(response.error(
            ErrorKind::Protocol,
            format!(
                "{} returned a refresh response with the status {words}",
                response.host()
            ),
        ));
    }
    let expires_at =
        expiry(&fields, now).unwrap_or_else(|_| fields.now(now).after(DEFAULT_LIFETIME));
    granted(&fields, expires_at, now)
}

fn read_token(fields: &JsonObject, now: Timestamp) -> Result<TokenResponse> {
    granted(fields, expiry(fields, now)?, now)
}

fn granted(fields: &JsonObject, expires_at: Timestamp, now: Timestamp) -> Result<TokenResponse> {
    // A token that has expired already is stale and not an error, so any length passes here.
    let mut response = TokenResponse::read_with_lifetime(fields, DEFAULT_LIFETIME)?;
    response.expires_in = Some(expires_at.since(fields.now(now)));
    response.expires_at = Some(expires_at);
    Ok(response)
}

/// The expiry of an access token. `expired_in` has been seen in three units: below 10⁹ it is
/// seconds from now, below 10¹² Unix seconds, from there on Unix milliseconds (OpenClaw's rule;
/// openclaw#83480, hermes-agent#20374). `expires_in` is seconds from now.
fn expiry(fields: &JsonObject, now: Timestamp) -> Result<Timestamp> {
    let now = fields.now(now);
    let Some(value) = positive(fields, "expired_in")? else {
        return match fields.seconds("expires_in")? {
            Some(length) if !length.is_zero() => Ok(now.after(length)),
            _ => Err(odd(
                "the token response does not contain the lifetime of the token",
            )),
        };
    };
    let epoch = Timestamp::default();
    Ok(match value {
        0..=999_999_999 => now.after(Duration::from_secs(value)),
        1_000_000_000..=999_999_999_999 => epoch.after(Duration::from_secs(value)),
        _ => epoch.after(Duration::from_millis(value)),
    })
}

/// A positive whole number that survives JSON (at most 2⁵³ − 1); a string of digits will do.
pub(crate) fn positive(fields: &JsonObject, name: &str) -> Result<Option<u64>> {
    const SAFE: f64 = 9_007_199_254_740_991.0;
    match fields.number(name)? {
        None => Ok(None),
        Some(value) if value.fract() == 0.0 && (1.0..=SAFE).contains(&value) => {
            Ok(Some(value as u64))
        }
        Some(_) => Err(odd(&format!(
            "{name} in MiniMax's response is not a positive whole number"
        ))),
    }
}

pub(crate) fn odd(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, message)
}

/// What an API response means for the session: the codes of mmx-cli and platform.minimax.io, which
/// come with HTTP 200.
pub(crate) fn classify_api_response(response: &ApiResponse<'_>) -> ApiStatus {
    match response.member(&["base_resp", "status_code"]).as_deref() {
        Some("1000" | "1001" | "1024") => ApiStatus::Transient,
        Some("1002") => ApiStatus::RateLimited,
        Some("1004") => ApiStatus::RefreshNeeded,
        Some("1008" | "1028" | "1030") => ApiStatus::Quota,
        Some("2061") => ApiStatus::PolicyDenied,
        _ => response.by_status(),
    }
}

/// Whether the response to a poll is the user's "no": the status `error`, and either no reason or
/// one that means so.
fn says_no(fields: &JsonObject) -> bool {
    let words = words(fields).unwrap_or_default().to_ascii_lowercase();
    let mut denials = ["cancel", "declin", "denied", "deny", "refus", "reject"].iter();
    status(fields).is_some_and(|status| is_failure(&status))
        && (base_code(fields).is_none() || denials.any(|denial| words.contains(denial)))
}

/// The text in `base_resp`, otherwise in `message`: the server's own words.
fn words(fields: &JsonObject) -> Option<String> {
    let base = fields.object("base_resp");
    let words = base.as_ref().and_then(|base| base.text("status_msg"));
    words.or_else(|| fields.text("message")).map(str::to_owned)
}

/// Whether a rejected refresh means that the vendor no longer knows the session: the status `error`
/// (OpenClaw's fixtures), or a code of `base_resp` for a rejected credential (1004 "not login",
/// 2049 "invalid api key").
fn is_no_longer_signed_in(response: &Response) -> bool {
    let Ok(fields) = response.json() else {
        return false;
    };
    let of_credential = matches!(base_code(&fields), Some(1004 | 2049));
    let said_by_rfc = fields.has("error");
    !said_by_rfc && (of_credential || status(&fields).is_some_and(|status| is_failure(&status)))
}

fn is_failure(status: &str) -> bool {
    matches!(status, "error" | "fail" | "failed" | "failure")
}

/// The error number of MiniMax's own shape; `None` for success.
fn base_code(fields: &JsonObject) -> Option<u64> {
    let base = fields.object("base_resp")?;
    positive(&base, "status_code").ok().flatten()
}

/// The reason of a failure, in the words of RFC 6749 if there are any.
pub(crate) fn error(response: &Response, fields: &JsonObject) -> Option<ErrorResponse> {
    if let Some(error) = ErrorResponse::read(fields) {
        return Some(standard(error.code(), error.description()));
    }
    let status = status(fields);
    let base_code = base_code(fields);
    match status.as_deref() {
        Some(status) if is_failure(status) => {}
        Some(status) if standard(status, None).code() != status || is_final(status) => {
            return Some(standard(status, None));
        }
        _ if base_code.is_some() || !response.is_success() => {}
        _ => return None,
    }
    let words = words(fields);
    let words = words.as_deref();
    match base_code {
        Some(1001 | 1024) => return Some(standard("temporarily_unavailable", words)),
        Some(1002) => return Some(standard("rate_limit_exceeded", words)),
        Some(40_004) => return Some(standard("invalid_grant", words)),
        _ => {}
    }
    let (head, rest) = match words.and_then(|words| words.split_once(": ")) {
        Some((head, rest)) => (Some(head), Some(rest)),
        None => (words, None),
    };
    if let Some(code) = head.filter(|head| is_code(head)) {
        return Some(standard(code, rest));
    }
    let code = match base_code {
        Some(number) => format!("status code {number}"),
        None => status.unwrap_or_else(|| "request failed".into()),
    };
    Some(standard(&code, words))
}

/// MiniMax's names for what the standard calls `invalid_grant`, `access_denied` and
/// `expired_token` (hermes-agent, MiniMax Code; openclaw#82056).
fn standard(code: &str, description: Option<&str>) -> ErrorResponse {
    match code.to_ascii_lowercase().as_str() {
        "canceled" | "cancelled" | "declined" | "denied" | "refused" | "rejected" => {
            ErrorResponse::new("access_denied", description)
        }
        "expired" | "timeout" => ErrorResponse::new("expired_token", description),
        own @ ("invalid_refresh_token" | "refresh_token_reused") => {
            ErrorResponse::new("invalid_grant", Some(own))
        }
        other => ErrorResponse::new(other, description),
    }
}

fn is_final(status: &str) -> bool {
    matches!(status, "access_denied" | "expired_token")
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn status(fields: &JsonObject) -> Option<String> {
    fields.text("status").map(str::to_ascii_lowercase)
}
