//! The parts that the chat endpoints share. Each repeats the last text of the request.

use serde_json::{Value, json};

use crate::http::{Call, Response};
use crate::oauth::Family;
use crate::provider::{Operation, Provider};
use crate::state::State;

/// Describes the error of a request that is not a chat.
pub(super) const NOT_A_CHAT: &str = "the body is not a chat request";

/// The family of a live access token. A request without a token is a violation.
pub(super) fn family(token: Option<&str>, state: &mut State) -> Option<Family> {
    if token.is_none() {
        state.violation(Operation::Chat, "no access token");
    }
    state.grants.live(token?).cloned()
}

pub(super) fn body(call: &Call<'_>) -> Option<Value> {
    serde_json::from_slice(&call.request.body).ok()
}

/// The text of the last of `messages`, in the request shape of OpenAI and of Anthropic.
pub(super) fn last_message(call: &Call<'_>) -> Result<String, Response> {
    let find = || {
        let body = body(call)?;
        let content = body.get("messages")?.as_array()?.last()?.get("content")?;
        let text = content.pointer("/0/text").unwrap_or(content);
        text.as_str().map(str::to_owned)
    };
    find().ok_or_else(|| Response::oauth_error(400, "invalid_request", NOT_A_CHAT))
}

/// The reply of the model.
pub(super) fn reply(provider: Provider, text: &str) -> String {
    format!("The simulated {provider} heard: {text}")
}

/// A chat completion in the shape of OpenAI.
pub(super) fn completion(
    provider: Provider,
    call: &Call<'_>,
    state: &mut State,
) -> Result<Response, Response> {
    if family(call.request.bearer(), state).is_none() {
        let error = json!({
            "code": "invalid_api_key",
            "message": "invalid access token or token expired",
            "type": "invalid_request_error",
        });
        return Err(Response::json(401, &json!({"error": error})));
    }
    let text = last_message(call)?;
    let message = json!({"role": "assistant", "content": reply(provider, &text)});
    let body = json!({
        "id": "chatcmpl-testkit",
        "object": "chat.completion",
        "model": "testkit",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    });
    Ok(Response::json(200, &body))
}
