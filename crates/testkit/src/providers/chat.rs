//! One API call per vendor, for live tokens only.

use serde_json::{Value, json};

use crate::http::response::Answer;
use crate::provider::{Endpoint, Vendor};
use crate::providers::gemini::api_error;
use crate::server::dispatch::Call;
use crate::state::State;

/// A chat completion in the vendor's shape; it repeats the last text it was sent.
pub(crate) fn answer(vendor: Vendor, call: &Call<'_>, state: &mut State) -> Answer {
    let refusal = refusal(vendor, call, state);
    let body = serde_json::from_slice::<Value>(&call.request.body).ok();
    let text = body.as_ref().and_then(|body| question(vendor, body));
    let answer = match (refusal, text) {
        (Some(refusal), _) => Err(refusal),
        (None, None) => Err(not_a_chat(vendor)),
        (None, Some(text)) => Ok(reply(vendor, &text)),
    };
    if answer.is_err() {
        state.counters.chats_refused += 1;
    } else {
        state.counters.chats_ok += 1;
    }
    answer.unwrap_or_else(|refusal| refusal)
}

/// Google's list of models, the call its documentation tries a token with.
pub(crate) fn models(call: &Call<'_>, state: &mut State) -> Answer {
    if let Some(refusal) = refusal(Vendor::Gemini, call, state) {
        state.counters.chats_refused += 1;
        return refusal;
    }
    state.counters.chats_ok += 1;
    let model = json!({"name": "models/gemini-testkit", "displayName": "Testkit"});
    Answer::json(200, &json!({"models": [model]}))
}

fn refusal(vendor: Vendor, call: &Call<'_>, state: &mut State) -> Option<Answer> {
    let key = call.request.header("x-api-key");
    let token = match vendor {
        Vendor::MiniMax => call.request.bearer().or(key),
        Vendor::Qwen | Vendor::Gemini => call.request.bearer(),
    };
    let Some(family) = token.and_then(|token| state.grants.live(token)) else {
        if token.is_none() {
            state.violation(Endpoint::Chat, "no access token");
        }
        return Some(unauthenticated(vendor));
    };
    if vendor != Vendor::Gemini {
        return None;
    }
    let wanted = "https://www.googleapis.com/auth/generative-language";
    if !family.scope.split(' ').any(|one| one.starts_with(wanted)) {
        let text = "Request had insufficient authentication scopes.";
        return Some(api_error(403, "PERMISSION_DENIED", text));
    }
    if call.request.header("x-goog-user-project").is_none() {
        state.violation(Endpoint::Chat, "no x-goog-user-project header");
        let text = "Your application is authenticating by using local credentials. \
                    The API requires a quota project.";
        return Some(api_error(403, "PERMISSION_DENIED", text));
    }
    None
}

fn unauthenticated(vendor: Vendor) -> Answer {
    match vendor {
        Vendor::Qwen => Answer::json(
            401,
            &json!({"error": {
                "code": "invalid_api_key",
                "message": "invalid access token or token expired",
                "type": "invalid_request_error",
            }}),
        ),
        Vendor::MiniMax => Answer::json(
            200,
            &json!({"base_resp": {"status_code": 1004, "status_msg": "not login"}}),
        ),
        Vendor::Gemini => api_error(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials.",
        ),
    }
}

fn not_a_chat(vendor: Vendor) -> Answer {
    let text = "the body is not a chat request";
    match vendor {
        Vendor::Gemini => api_error(400, "INVALID_ARGUMENT", text),
        Vendor::Qwen | Vendor::MiniMax => Answer::oauth_error(400, "invalid_request", text),
    }
}

/// The last text that was said, in the vendor's request shape.
fn question(vendor: Vendor, body: &Value) -> Option<String> {
    let text = match vendor {
        Vendor::Gemini => {
            let last = body.get("contents")?.as_array()?.last()?;
            last.pointer("/parts/0/text")?
        }
        Vendor::Qwen | Vendor::MiniMax => {
            let last = body.get("messages")?.as_array()?.last()?;
            let content = last.get("content")?;
            content.pointer("/0/text").unwrap_or(content)
        }
    };
    text.as_str().map(str::to_owned)
}

fn reply(vendor: Vendor, text: &str) -> Answer {
    let said = format!("The simulated {vendor} heard: {text}");
    let body = match vendor {
        Vendor::Qwen => json!({
            "id": "chatcmpl-testkit",
            "object": "chat.completion",
            "model": "testkit",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": said},
                "finish_reason": "stop",
            }],
        }),
        Vendor::MiniMax => json!({
            "id": "msg_testkit",
            "type": "message",
            "role": "assistant",
            "model": "testkit",
            "content": [{"type": "text", "text": said}],
            "stop_reason": "end_turn",
            "base_resp": {"status_code": 0, "status_msg": "success"},
        }),
        Vendor::Gemini => json!({"candidates": [{
            "content": {"role": "model", "parts": [{"text": said}]},
            "finishReason": "STOP",
        }]}),
    };
    Answer::json(200, &body)
}
