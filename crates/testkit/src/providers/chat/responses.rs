//! `POST /v1/responses` of OpenAI.

use serde_json::{Value, json};

use super::fields::{Conversation, Fields, Invalid};
use super::reply::{FAILURE, Reply, Source};
use crate::http::{Call, EventStream, Framing, Response};

const ID: &str = "resp_testkit";
const ITEM: &str = "msg_testkit";

pub(super) fn response(call: &Call<'_>, from: Source) -> Result<Response, Invalid> {
    let fields = Fields::of(call)?;
    let model = fields.string("model")?;
    let conversation = match fields.get("input")? {
        Value::String(text) => Conversation::of_text(text),
        // Items of other types are the calls of tools and what they returned.
        _ => Conversation::read("input", fields.list("input")?, "content", |item| {
            matches!(item["type"].as_str(), None | Some("message"))
        })?,
    };
    let reply = Reply::to(&conversation, from);
    let response = Shape {
        model,
        fields: &fields,
        reply: &reply,
        created: from.created,
    };
    if fields.flag("stream")? {
        return Ok(Response::events(response.events(from)));
    }
    Ok(Response::json(200, &response.completed()))
}

/// The objects of a response.
struct Shape<'a> {
    model: &'a str,
    fields: &'a Fields,
    reply: &'a Reply,
    created: i64,
}

impl Shape<'_> {
    fn response(&self, status: &str, output: Value) -> Value {
        let given = |name: &str| self.fields.get(name).cloned().unwrap_or_default();
        json!({
            "id": ID,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "instructions": given("instructions"),
            "max_output_tokens": given("max_output_tokens"),
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": given("previous_response_id"),
            "store": false,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": null,
        })
    }

    fn completed(&self) -> Value {
        let item = item("completed", json!([part(&self.reply.text)]));
        let mut response = self.response("completed", json!([item]));
        let (input, output) = (self.reply.input_tokens, self.reply.output_tokens);
        response["usage"] = json!({
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input + output,
        });
        response
    }

    /// Unlike its documentation, the API wraps the error.
    fn failure(&self) -> Vec<Value> {
        let mut failed = self.response("failed", json!([]));
        failed["error"] = json!({"code": "server_error", "message": FAILURE});
        let error = json!({
            "type": "server_error", "code": "server_error", "message": FAILURE, "param": null,
        });
        vec![
            json!({"type": "error", "error": error}),
            json!({"type": "response.failed", "response": failed}),
        ]
    }

    fn events(&self, from: Source) -> EventStream {
        let begun = self.response("in_progress", json!([]));
        let text = &self.reply.text;
        let delta = |piece: String| {
            in_part(
                "response.output_text.delta",
                json!({"delta": piece, "logprobs": []}),
            )
        };
        let pieces = self.reply.pieces(from.pieces).into_iter();
        EventStream {
            provider: from.provider,
            framing: Framing::Numbered,
            opening: vec![
                json!({"type": "response.created", "response": begun}),
                json!({"type": "response.in_progress", "response": begun}),
                json!({
                    "type": "response.output_item.added",
                    "output_index": 0,
                    "item": item("in_progress", json!([])),
                }),
                in_part("response.content_part.added", json!({"part": part("")})),
            ],
            pieces: pieces.map(delta).collect(),
            closing: vec![
                in_part(
                    "response.output_text.done",
                    json!({"text": text, "logprobs": []}),
                ),
                in_part("response.content_part.done", json!({"part": part(text)})),
                json!({
                    "type": "response.output_item.done",
                    "output_index": 0,
                    "item": item("completed", json!([part(text)])),
                }),
                json!({"type": "response.completed", "response": self.completed()}),
            ],
            failure: self.failure(),
            interruption: None,
        }
    }
}

fn item(status: &str, content: Value) -> Value {
    json!({
        "id": ITEM, "type": "message", "status": status, "role": "assistant", "content": content,
    })
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// An event about the one part of the one item.
fn in_part(kind: &str, mut event: Value) -> Value {
    event["type"] = json!(kind);
    event["item_id"] = json!(ITEM);
    event["output_index"] = json!(0);
    event["content_index"] = json!(0);
    event
}
