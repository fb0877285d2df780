//! `POST /v1beta/models/MODEL:generateContent` and its siblings of Google.

use serde_json::{Value, json};

use super::fields::{Conversation, Fields, Invalid};
use super::reply::{FAILURE, Reply, Source};
use crate::http::{Call, EventStream, Framing, Response};

pub(super) fn content(call: &Call<'_>, from: Source) -> Result<Response, Invalid> {
    let reply = Reply::to(&conversation(call)?, from);
    let body = chunk(call, &reply.text, Some(&reply));
    Ok(Response::json(200, &body))
}

/// With `alt=sse` server-sent events, otherwise one JSON array.
pub(super) fn stream(call: &Call<'_>, from: Source) -> Result<Response, Invalid> {
    let reply = Reply::to(&conversation(call)?, from);
    let pieces = reply.pieces(from.pieces);
    let framing = if is_events(call) {
        Framing::Data
    } else {
        Framing::Array
    };
    Ok(Response::events(EventStream {
        provider: from.provider,
        framing,
        opening: Vec::new(),
        pieces: pieces
            .iter()
            .map(|piece| chunk(call, piece, None))
            .collect(),
        closing: vec![chunk(call, "", Some(&reply))],
        failure: vec![error_body(503, "UNAVAILABLE", FAILURE)],
        interruption: None,
    }))
}

pub(super) fn count_tokens(call: &Call<'_>) -> Result<Response, Invalid> {
    let tokens = conversation(call)?.words;
    Ok(Response::json(200, &json!({"totalTokens": tokens})))
}

fn conversation(call: &Call<'_>) -> Result<Conversation, Invalid> {
    let fields = Fields::of(call)?;
    Conversation::read("contents", fields.list("contents")?, "parts", |_| true)
}

/// A part of the reply; the last one has the usage.
fn chunk(call: &Call<'_>, text: &str, whole: Option<&Reply>) -> Value {
    let mut candidate = json!({
        "content": {"role": "model", "parts": [{"text": text}]},
        "index": 0,
    });
    if whole.is_some() {
        candidate["finishReason"] = json!("STOP");
    }
    let mut chunk = json!({
        "candidates": [candidate],
        "modelVersion": model(call),
        "responseId": "testkit",
    });
    if let Some(reply) = whole {
        chunk["usageMetadata"] = json!({
            "promptTokenCount": reply.input_tokens,
            "candidatesTokenCount": reply.output_tokens,
            "totalTokenCount": reply.input_tokens + reply.output_tokens,
        });
    }
    chunk
}

/// `/v1beta/models/MODEL:METHOD`.
fn model<'a>(call: &Call<'a>) -> &'a str {
    let last = call.request.path.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

fn is_events(call: &Call<'_>) -> bool {
    call.form.get("alt") == Some("sse")
}

pub(super) fn invalid(invalid: &Invalid, call: &Call<'_>) -> Response {
    let text = match invalid {
        Invalid::NotJson => "Invalid JSON payload received.".to_owned(),
        Invalid::Missing(field) => {
            format!("* GenerateContentRequest.{field}: {field} is not specified\n")
        }
        Invalid::WrongType { field, expected } => {
            format!("Invalid value at '{field}': expected {expected}")
        }
    };
    let mut body = error_body(400, "INVALID_ARGUMENT", &text);
    if let Some(field) = invalid.field() {
        body["error"]["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": field, "description": text}],
        }]);
    }
    rejection(call, 400, body)
}

pub(super) fn unauthenticated(call: &Call<'_>) -> Response {
    let text = "Request had invalid authentication credentials. Expected OAuth 2 access token, \
                login cookie or other valid authentication credential.";
    error(call, 401, "UNAUTHENTICATED", text)
}

/// An error of Google's APIs.
pub(in super::super) fn error(call: &Call<'_>, status: u16, name: &str, message: &str) -> Response {
    rejection(call, status, error_body(status, name, message))
}

/// A stream in the form of an array has its error in an array as well.
fn rejection(call: &Call<'_>, status: u16, body: Value) -> Response {
    let streams = call.request.path.ends_with(":streamGenerateContent");
    let body = if streams && !is_events(call) {
        json!([body])
    } else {
        body
    };
    Response::json(status, &body)
}

fn error_body(status: u16, name: &str, message: &str) -> Value {
    json!({"error": {"code": status, "message": message, "status": name}})
}
