//! What differs from the RFCs in Google's responses.

use llm_auth_core::provider::{
    Call, ErrorResponse, JsonObject, Operation, Response, TokenResponse,
};
use llm_auth_core::{ApiResponse, ApiStatus, Error, ErrorKind, Result};

/// Google returns `invalid_request` if the client is wrong: "client_secret is missing."
/// (sudoprivacy/sudocode#36), "Could not determine client ID from request." (zeroclaw PR 1434).
pub(crate) fn error(call: &Call<'_>, fields: &JsonObject) -> Option<ErrorResponse> {
    let error = call.error_response(fields)?;
    let description = error.description().unwrap_or_default();
    let about_client =
        description.contains("client_secret") || description.contains("client ID from request");
    Some(match error.code() {
        "invalid_request" if about_client => error.meaning("invalid_client"),
        _ => error,
    })
}

/// The response to an exchange or a refresh.
pub(crate) fn token(call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
    let token = call.token(response)?;
    if call.operation == Operation::Exchange && token.refresh.is_none() {
        return Err(Error::new(
            ErrorKind::Protocol,
            "Google issued no refresh token, so the session would expire within the hour: remove \
             the program's access at myaccount.google.com/permissions and sign in again",
        ));
    }
    Ok(token)
}

/// Terms-of-service blocks come as 403 (google-gemini/gemini-cli#25648, #25795). Google's OAuth
/// endpoints return 400 `invalid_token` for an access token that is over.
pub(crate) fn classify_api_response(response: &ApiResponse<'_>) -> ApiStatus {
    let message = response.member(&["error", "message"]).unwrap_or_default();
    let code = response.member(&["error"]).unwrap_or_default();
    match response.status {
        400 if code == "invalid_token" => ApiStatus::RefreshNeeded,
        403 if message.contains("Terms of Service") => ApiStatus::PolicyDenied,
        _ => response.by_status(),
    }
}
