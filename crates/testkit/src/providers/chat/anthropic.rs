//! `POST /v1/messages` and `/v1/messages/count_tokens` of Anthropic.

use serde_json::{Value, json};

use super::fields::{Conversation, Fields, Invalid};
use super::reply::{FAILURE, Reply, Source};
use crate::http::{Call, EventStream, Framing, Response};

pub(super) fn message(call: &Call<'_>, from: Source) -> Result<Response, Invalid> {
    let fields = Fields::of(call)?;
    let model = fields.string("model")?;
    fields.positive("max_tokens")?;
    let conversation = Conversation::with_roles("messages", fields.list("messages")?)?;
    let reply = Reply::to(&conversation, from);
    if fields.flag("stream")? {
        return Ok(Response::events(events(model, &reply, from)));
    }
    let content = json!([{"type": "text", "text": reply.text}]);
    let usage = usage(&reply, reply.output_tokens);
    let message = object(model, content, json!("end_turn"), usage);
    Ok(Response::json(200, &message).header("request-id", REQUEST))
}

pub(super) fn count_tokens(call: &Call<'_>) -> Result<Response, Invalid> {
    let fields = Fields::of(call)?;
    fields.string("model")?;
    let conversation = Conversation::with_roles("messages", fields.list("messages")?)?;
    Ok(Response::json(
        200,
        &json!({"input_tokens": conversation.words}),
    ))
}

fn events(model: &str, reply: &Reply, from: Source) -> EventStream {
    let begun = object(model, json!([]), Value::Null, usage(reply, 1));
    let delta = |piece| {
        json!({
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": piece},
        })
    };
    let pieces = reply.pieces(from.pieces).into_iter();
    EventStream {
        provider: from.provider,
        framing: Framing::Typed,
        opening: vec![
            json!({"type": "message_start", "message": begun}),
            json!({
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            }),
            json!({"type": "ping"}),
        ],
        pieces: pieces.map(delta).collect(),
        closing: vec![
            json!({"type": "content_block_stop", "index": 0}),
            json!({
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                "usage": {"output_tokens": reply.output_tokens},
            }),
            json!({"type": "message_stop"}),
        ],
        failure: vec![error_body("overloaded_error", FAILURE)],
        interruption: None,
    }
}

fn object(model: &str, content: Value, stop_reason: Value, usage: Value) -> Value {
    json!({
        "id": "msg_testkit",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": usage,
    })
}

fn usage(reply: &Reply, output_tokens: usize) -> Value {
    json!({
        "input_tokens": reply.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    })
}

pub(super) fn invalid(invalid: &Invalid) -> Response {
    let text = match invalid {
        Invalid::NotJson => "The request body is not valid JSON.".to_owned(),
        Invalid::Missing(field) => format!("{}: Field required", dotted(field)),
        Invalid::WrongType { field, expected } => {
            format!("{}: Input should be {expected}", dotted(field))
        }
    };
    error(400, "invalid_request_error", &text)
}

/// `messages[0].role` as Anthropic writes it: `messages.0.role`.
fn dotted(field: &str) -> String {
    field.replace('[', ".").replace(']', "")
}

pub(super) fn error(status: u16, kind: &str, text: &str) -> Response {
    Response::json(status, &error_body(kind, text)).header("request-id", REQUEST)
}

fn error_body(kind: &str, text: &str) -> Value {
    let error = json!({"type": kind, "message": text});
    json!({"type": "error", "error": error, "request_id": REQUEST})
}

const REQUEST: &str = "req_testkit";
