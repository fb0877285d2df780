//! The chat APIs of OpenAI, Anthropic and Google. The model repeats the last text of the
//! user; a token is a word.

mod anthropic;
mod errors;
mod fields;
pub(super) mod gemini;
mod models;
mod openai;
mod reply;
mod responses;

use serde_json::json;

use crate::http::{Api, ApiStyle, Call, Response};
use crate::oauth::Family;
use crate::provider::{Operation, Provider};
use crate::state::State;

/// The family of a live access token. A request without a token is a violation.
pub(super) fn family(token: Option<&str>, state: &mut State) -> Option<Family> {
    if token.is_none() {
        state.violation(Operation::Chat, "no access token");
    }
    state.grants.live(token?).cloned()
}

/// Checks the token of a request; `Err` is the rejection in the style of the API.
pub(super) fn authorize(
    token: Option<&str>,
    style: ApiStyle,
    call: &Call<'_>,
    state: &mut State,
) -> Result<(), Response> {
    match family(token, state) {
        Some(_) => Ok(()),
        None => Err(errors::unauthorized(style, call)),
    }
}

/// The response to a request whose token was accepted; `Err` is a rejection.
pub(super) fn respond(
    provider: Provider,
    api: Api,
    call: &Call<'_>,
    state: &mut State,
) -> Result<Response, Response> {
    let from = reply::Source {
        provider,
        created: call.clock.now_ms().div_euclid(1000),
        pieces: state.settings.reply_pieces,
    };
    let result = match api {
        Api::ChatCompletions => openai::completion(call, from),
        Api::Responses => responses::response(call, from),
        Api::Messages => anthropic::message(call, from),
        Api::CountMessageTokens => anthropic::count_tokens(call),
        Api::GenerateContent => gemini::content(call, from),
        Api::StreamGenerateContent => gemini::stream(call, from),
        Api::CountContentTokens => gemini::count_tokens(call),
        Api::Models(style) => Ok(models::list(style, from.created)),
        Api::Account => Ok(Response::json(200, &json!({"name": "testkit-person"}))),
    };
    result.map_err(|invalid| {
        state.violation(Operation::Chat, &invalid.to_string());
        errors::invalid(&invalid, api.style(), call)
    })
}
