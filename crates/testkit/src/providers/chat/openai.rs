//! `POST /v1/chat/completions` of OpenAI.

use serde_json::{Value, json};

use super::fields::{Conversation, Fields, Invalid};
use super::reply::{FAILURE, Reply, Source};
use crate::http::{Call, EventStream, Framing, Response};

const ID: &str = "chatcmpl-testkit";

pub(super) fn completion(call: &Call<'_>, from: Source) -> Result<Response, Invalid> {
    let fields = Fields::of(call)?;
    let model = fields.string("model")?;
    let conversation = Conversation::with_roles("messages", fields.list("messages")?)?;
    let reply = Reply::to(&conversation, from);
    if fields.flag("stream")? {
        let with_usage = include_usage(&fields)?;
        return Ok(Response::events(chunks(model, &reply, with_usage, from)));
    }
    let message = json!({
        "role": "assistant", "content": reply.text, "refusal": null, "annotations": [],
    });
    let choice = json!({
        "index": 0, "message": message, "logprobs": null, "finish_reason": "stop",
    });
    let body = json!({
        "id": ID,
        "object": "chat.completion",
        "created": from.created,
        "model": model,
        "choices": [choice],
        "usage": usage(&reply),
    });
    Ok(Response::json(200, &body))
}

/// `stream_options.include_usage`.
fn include_usage(fields: &Fields) -> Result<bool, Invalid> {
    let Ok(options) = fields.get("stream_options") else {
        return Ok(false);
    };
    let wrong_type = |field: &str, expected| Invalid::WrongType {
        field: field.to_owned(),
        expected,
    };
    let options = options.as_object();
    let options = options.ok_or_else(|| wrong_type("stream_options", "an object"))?;
    let flag = options
        .get("include_usage")
        .map_or(Some(false), Value::as_bool);
    flag.ok_or_else(|| wrong_type("stream_options.include_usage", "a boolean"))
}

fn chunks(model: &str, reply: &Reply, with_usage: bool, from: Source) -> EventStream {
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": ID,
            "object": "chat.completion.chunk",
            "created": from.created,
            "model": model,
            "choices": choices,
        });
        if with_usage {
            chunk["usage"] = usage;
        }
        chunk
    };
    let choice = |delta: Value, finish_reason: Value| {
        let choice = json!({
            "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason,
        });
        chunk(json!([choice]), Value::Null)
    };
    let opening = json!({"role": "assistant", "content": "", "refusal": null});
    let mut closing = vec![choice(json!({}), json!("stop"))];
    if with_usage {
        closing.push(chunk(json!([]), usage(reply)));
    }
    let pieces = reply.pieces(from.pieces).into_iter();
    EventStream {
        provider: from.provider,
        framing: Framing::DataUntilDone,
        opening: vec![choice(opening, Value::Null)],
        pieces: pieces
            .map(|piece| choice(json!({"content": piece}), Value::Null))
            .collect(),
        closing,
        failure: vec![error_body(
            "server_error",
            &Value::Null,
            &Value::Null,
            FAILURE,
        )],
        interruption: None,
    }
}

fn usage(reply: &Reply) -> Value {
    json!({
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    })
}

pub(super) fn unauthorized() -> Response {
    let text = "invalid access token or token expired";
    let code = json!("invalid_api_key");
    let body = error_body("invalid_request_error", &Value::Null, &code, text);
    Response::json(401, &body)
}

pub(super) fn invalid(invalid: &Invalid) -> Response {
    let (code, text) = match invalid {
        Invalid::NotJson => (
            Value::Null,
            "We could not parse the JSON body of your request.".to_owned(),
        ),
        Invalid::Missing(field) => (
            json!("missing_required_parameter"),
            format!("Missing required parameter: '{field}'."),
        ),
        Invalid::WrongType { field, expected } => (
            json!("invalid_type"),
            format!("Invalid type for '{field}': expected {expected}."),
        ),
    };
    let body = error_body(
        "invalid_request_error",
        &json!(invalid.field()),
        &code,
        &text,
    );
    Response::json(400, &body)
}

fn error_body(kind: &str, parameter: &Value, code: &Value, text: &str) -> Value {
    json!({"error": {"message": text, "type": kind, "param": parameter, "code": code}})
}
