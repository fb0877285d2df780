//! What differs from the RFCs in Qwen's responses.

use llm_auth_core::provider::{
    Call, ErrorResponse, JsonObject, Operation, Poll, Response, TokenResponse, error_for,
};
use llm_auth_core::{ApiResponse, ApiStatus, Error, ErrorKind, Result, SecureUrl};

/// The response to one poll. The code in the body decides, in any letter case; `slow_down` comes
/// with 429 as well as 400 (qwen-code, CLIProxyAPI).
pub(crate) fn poll(call: &Call<'_>, response: &Response) -> Result<Poll> {
    let fields = match response.json() {
        Ok(fields) => fields,
        Err(_) if is_dead_code(response) => return Err(dead_code(response)),
        Err(error) => return Err(error),
    };
    if response.is_success() && is_pending(&fields) {
        return Ok(Poll::Pending);
    }
    match call.poll(response) {
        Err(error) if error.kind() == ErrorKind::Protocol && is_dead_code(response) => {
            Err(dead_code(response))
        }
        read => read,
    }
}

/// The tokens of a successful poll or of a refresh.
///
/// Qwen rejects a refresh token with 400 or 401 and any body: plain text, or `invalid_request`
/// (qwen-code; CLIProxyAPI#2718). A wrong client is not the token's fault.
pub(crate) fn token(call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
    let error = match call.token(response) {
        Err(error) if call.operation == Operation::Refresh => error,
        read => return read,
    };
    let is_rejection = matches!(response.status(), 400 | 401);
    let error_response = response.json().ok().as_ref().and_then(ErrorResponse::read);
    match error_response {
        Some(error_response) if is_rejection && error.kind() == ErrorKind::Protocol => {
            let verdict = matches!(error_response.code(), "invalid_request" | "invalid_token");
            let refused = response.error(ErrorKind::RefreshRejected, error.message());
            Err(refused.with_verdict(verdict))
        }
        _ => Err(error),
    }
}

/// The limit for a base URL.
const LONGEST_URL: usize = 2048;

/// The API in a `resource_url`, with or without a scheme. `None` if it is no URL that may receive a
/// bearer token.
pub(crate) fn named_api(resource_url: &str) -> Option<SecureUrl> {
    let named = resource_url.trim();
    let with_scheme = if named.contains("://") {
        named.to_owned()
    } else {
        format!("https://{named}")
    };
    let endpoint = SecureUrl::new(&with_scheme).ok()?;
    let is_plain = !endpoint.as_str().contains('?') && endpoint.as_str().len() <= LONGEST_URL;
    is_plain.then_some(endpoint)
}

/// Whether it is one of the hosts of Qwen's API: `qwen.ai` with its subdomains, and Alibaba Cloud's
/// DashScope. Not `aliyuncs.com` as a whole, where every customer has hosts.
pub(crate) fn is_of_qwen(api: &SecureUrl) -> bool {
    const DASHSCOPE: [&str; 3] = [
        "dashscope.aliyuncs.com",
        "dashscope-intl.aliyuncs.com",
        "dashscope-us.aliyuncs.com",
    ];
    let host = api.host();
    let (name, port) = host.split_once(':').unwrap_or((&host, ""));
    let below = name.strip_suffix("qwen.ai");
    let is_qwen = below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    is_qwen || (DASHSCOPE.contains(&name) && port.is_empty())
}

/// An endpoint as an API base.
pub(crate) fn with_version(endpoint: &SecureUrl) -> String {
    let bare = endpoint.as_str().trim_end_matches('/');
    if bare.ends_with("/v1") {
        bare.to_owned()
    } else {
        format!("{bare}/v1")
    }
}

/// What an API response means for the session. An exhausted quota comes with 403
/// (`insufficient_quota`, "free allocated quota exceeded": CLIProxyAPI); any other 403 of the API
/// itself is worth one refresh, as in qwen-code.
pub(crate) fn classify_api_response(response: &ApiResponse<'_>) -> ApiStatus {
    let words = [
        &["error", "code"],
        &["error", "type"],
        &["error", "message"],
    ]
    .iter()
    .filter_map(|path| response.member(path.as_slice()))
    .collect::<Vec<_>>()
    .join(" ")
    .to_ascii_lowercase();
    let over = words.contains("insufficient_quota") || words.contains("quota exceeded");
    match response.status {
        403 | 429 if over => ApiStatus::Quota,
        403 if !words.is_empty() => ApiStatus::RefreshNeeded,
        _ => response.by_status(),
    }
}

fn is_pending(fields: &JsonObject) -> bool {
    let pending = |status: &str| status.eq_ignore_ascii_case("pending");
    ErrorResponse::read(fields).is_none() && fields.text("status").is_some_and(pending)
}

/// A 401 to a poll is about the device code, with any body (qwen-code), unless it is a page from
/// something in between.
fn is_dead_code(response: &Response) -> bool {
    response.status() == 401 && !response.is_web_page()
}

fn dead_code(response: &Response) -> Error {
    let error_response =
        ErrorResponse::new("expired_token", Some("the device code is no longer valid"));
    error_for(Operation::Poll, response, &error_response)
}
