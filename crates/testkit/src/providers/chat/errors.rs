//! Rejections, in the form of each API.

use super::fields::Invalid;
use super::{anthropic, gemini, openai};
use crate::http::{ApiStyle, Call, Response};

/// The rejection of a missing, expired or revoked token.
pub(super) fn unauthorized(style: ApiStyle, call: &Call<'_>) -> Response {
    match style {
        ApiStyle::OpenAi => openai::unauthorized(),
        ApiStyle::Anthropic => {
            anthropic::error(401, "authentication_error", "invalid bearer token")
        }
        ApiStyle::Google => gemini::unauthenticated(call),
    }
}

/// The rejection of a request that is not valid; it names the field.
pub(super) fn invalid(invalid: &Invalid, style: ApiStyle, call: &Call<'_>) -> Response {
    match style {
        ApiStyle::OpenAi => openai::invalid(invalid),
        ApiStyle::Anthropic => anthropic::invalid(invalid),
        ApiStyle::Google => gemini::invalid(invalid, call),
    }
}
