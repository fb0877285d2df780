//! Google's JSON, and its way into core types.

use llm_auth_core::{
    Answer, ApiAnswer, ApiVerdict, Error, ErrorKind, Fields, Refusal, Result, Step, TokenAnswer,
    read_answer, refusal_error,
};

/// The longest e-mail address (RFC 5321 section 4.5.3.1: 64 and 255 characters and the sign).
const IDENTITY: usize = 320;

/// Who an access token belongs to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct UserInfo {
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether Google has verified that the address belongs to this person.
    pub email_verified: bool,
    /// Google's own, stable name of the account.
    pub id: Option<String>,
}

/// The answer to an exchange or a renewal.
pub(crate) fn read_token(step: Step, answer: &Answer) -> Result<TokenAnswer> {
    let fields = read(step, answer)?;
    if step == Step::Refresh {
        return TokenAnswer::read_renewal(&fields);
    }
    let token = TokenAnswer::read(&fields)?;
    if step == Step::Exchange && token.refresh.is_none() {
        return Err(Error::new(
            ErrorKind::Protocol,
            "Google gave no refresh token, so the session would end within the hour: take the program's access away at myaccount.google.com/permissions and sign in again",
        ));
    }
    Ok(token)
}

pub(crate) fn read_userinfo(answer: &Answer) -> Result<UserInfo> {
    let fields = read(Step::UserInfo, answer)?;
    let text = |name| fields.shown(name, IDENTITY);
    Ok(UserInfo {
        email: text("email"),
        email_verified: fields.is_true("verified_email") || fields.is_true("email_verified"),
        id: text("id").or_else(|| text("sub")),
    })
}

pub(crate) fn read_revocation(answer: &Answer) -> Result<()> {
    if answer.is_success() {
        return Ok(());
    }
    read(Step::Revocation, answer).map(|_confirmed| ())
}

/// The verdict of the tokeninfo endpoint, which answers 400 `invalid_token` for a dead one.
pub(crate) fn judge_tokeninfo(answer: &Answer) -> Result<ApiVerdict> {
    let refusal = answer.json().ok().as_ref().and_then(Refusal::read);
    match refusal {
        Some(refusal) if refusal.code() == "invalid_token" => Ok(ApiVerdict::RefreshNeeded),
        _ => read(Step::UserInfo, answer).map(|_good| ApiVerdict::Fine),
    }
}

/// Terms-of-service blocks come as 403 (google-gemini/gemini-cli#25648, #25795).
pub(crate) fn judge_api_answer(answer: &ApiAnswer<'_>) -> ApiVerdict {
    let message = answer.member(&["error", "message"]).unwrap_or_default();
    match answer.status {
        403 if message.contains("Terms of Service") => ApiVerdict::PolicyDenied,
        _ => answer.verdict_by_status(),
    }
}

fn read(step: Step, answer: &Answer) -> Result<Fields> {
    read_answer(step, answer).map_err(|error| client_trouble(step, answer).unwrap_or(error))
}

/// Google says `invalid_request` where the client is not right: "client_secret is missing."
/// (sudoprivacy/sudocode#36), "Could not determine client ID from request." (zeroclaw PR 1434).
fn client_trouble(step: Step, answer: &Answer) -> Option<Error> {
    let refusal = Refusal::read(&answer.json().ok()?)?;
    let description = refusal.description()?;
    let about_client =
        description.contains("client_secret") || description.contains("client ID from request");
    (refusal.code() == "invalid_request" && about_client).then(|| {
        let error = refusal_error(step, answer, &refusal);
        answer.error(ErrorKind::Config, error.message())
    })
}
