//! Google's JSON, converted to core types.

use llm_auth_core::{
    ApiResponse, ApiStatus, Error, ErrorKind, ErrorResponse, JsonObject, Operation, Response,
    Result, TokenResponse, error_for, read_response,
};

/// The longest e-mail address (RFC 5321 section 4.5.3.1: 64 and 255 characters and the sign).
const IDENTITY: usize = 320;

/// The owner of an access token.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct UserInfo {
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether Google has verified that the address belongs to this user.
    pub email_verified: bool,
    /// Google's own, stable name of the account.
    pub id: Option<String>,
}

/// The response to an exchange or a refresh.
pub(crate) fn read_token(step: Operation, response: &Response) -> Result<TokenResponse> {
    let fields = read(step, response)?;
    if step == Operation::Refresh {
        return TokenResponse::read_refresh(&fields);
    }
    let token = TokenResponse::read(&fields)?;
    if step == Operation::Exchange && token.refresh.is_none() {
        return Err(Error::new(
            ErrorKind::Protocol,
            "Google gave no refresh token, so the session would end within the hour: take the program's access away at myaccount.google.com/permissions and sign in again",
        ));
    }
    Ok(token)
}

pub(crate) fn read_userinfo(response: &Response) -> Result<UserInfo> {
    let fields = read(Operation::UserInfo, response)?;
    let text = |name| fields.shown(name, IDENTITY);
    Ok(UserInfo {
        email: text("email"),
        email_verified: fields.is_true("verified_email") || fields.is_true("email_verified"),
        id: text("id").or_else(|| text("sub")),
    })
}

pub(crate) fn read_revocation(response: &Response) -> Result<()> {
    if response.is_success() {
        return Ok(());
    }
    read(Operation::Revocation, response).map(|_confirmed| ())
}

/// The verdict of the tokeninfo endpoint, which returns 400 `invalid_token` for an invalid one.
pub(crate) fn classify_tokeninfo(response: &Response) -> Result<ApiStatus> {
    let error_response = response.json().ok().as_ref().and_then(ErrorResponse::read);
    match error_response {
        Some(error_response) if error_response.code() == "invalid_token" => {
            Ok(ApiStatus::RefreshNeeded)
        }
        _ => read(Operation::UserInfo, response).map(|_good| ApiStatus::Ok),
    }
}

/// Terms-of-service blocks come as 403 (google-gemini/gemini-cli#25648, #25795).
pub(crate) fn classify_api_response(response: &ApiResponse<'_>) -> ApiStatus {
    let message = response.member(&["error", "message"]).unwrap_or_default();
    match response.status {
        403 if message.contains("Terms of Service") => ApiStatus::PolicyDenied,
        _ => response.verdict_by_status(),
    }
}

fn read(step: Operation, response: &Response) -> Result<JsonObject> {
    read_response(step, response).map_err(|error| client_error(step, response).unwrap_or(error))
}

/// Google returns `invalid_request` if the client is wrong: "client_secret is missing."
/// (sudoprivacy/sudocode#36), "Could not determine client ID from request." (zeroclaw PR 1434).
fn client_error(step: Operation, response: &Response) -> Option<Error> {
    let error_response = ErrorResponse::read(&response.json().ok()?)?;
    let description = error_response.description()?;
    let about_client =
        description.contains("client_secret") || description.contains("client ID from request");
    (error_response.code() == "invalid_request" && about_client).then(|| {
        let error = error_for(step, response, &error_response);
        response.error(ErrorKind::Config, error.message())
    })
}
