//! `POST /v1/chat/completions`.

use llm_auth_testkit::Testkit;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{automatic, request, send};
use crate::event_stream::{Streamed, stream};
use crate::standard_provider::access_token;

const PATH: &str = "/standard/v1/chat/completions";
const REPLY: &str = "The simulated standard heard: two words";

fn body() -> Value {
    json!({
        "model": "acme-1",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "two words"}]},
        ],
    })
}

async fn streamed(kit: &Testkit, fields: Value) -> Streamed {
    let mut body = body();
    body["stream"] = json!(true);
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    stream(kit, PATH, &access_token(kit).await, &body).await
}

#[tokio::test]
async fn a_completion_repeats_the_user_and_counts_words_as_tokens() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    let call = request(&kit, Method::POST, PATH).bearer_auth(token);
    let (status, reply) = send(call.json(&body())).await;
    assert_eq!((status, &reply["object"]), (200, &json!("chat.completion")));
    assert_eq!(reply["model"], "acme-1");
    assert!(reply["created"].as_i64().unwrap() > 1_700_000_000);
    let choice = &reply["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["message"]["content"], REPLY);
    assert_eq!(choice["finish_reason"], "stop");
    let usage = &reply["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"]),
        (&json!(4), &json!(6))
    );
    assert_eq!(usage["total_tokens"], 10);
    let seen = kit.standard().counters();
    assert_eq!((seen.chats_ok, seen.streams), (1, 0));
    assert_eq!(seen.violations, Vec::<String>::new());
}

#[tokio::test]
async fn a_streamed_completion_ends_with_its_reason_and_done() {
    let kit = automatic().await;
    let streamed = streamed(&kit, json!({})).await;
    assert!(streamed.whole);
    assert!(streamed.head.contains("content-type: text/event-stream"));
    let events = streamed.events();
    assert!(events.iter().all(|event| event.name.is_none()));
    assert_eq!(events.last().unwrap().data, "[DONE]");
    let chunks = streamed.data();
    assert_eq!((events.len(), chunks.len()), (6, 5));
    let mut text = String::new();
    for (at, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(
            (&chunk["id"], &chunk["model"]),
            (&chunks[0]["id"], &json!("acme-1"))
        );
        assert_eq!(chunk.get("usage"), None);
        let choice = &chunk["choices"][0];
        let role = (at == 0).then_some("assistant");
        assert_eq!(choice["delta"]["role"].as_str(), role);
        let reason = (at == 4).then_some("stop");
        assert_eq!(choice["finish_reason"].as_str(), reason);
        text += choice["delta"]["content"].as_str().unwrap_or_default();
    }
    assert_eq!(text, REPLY);
    let seen = kit.standard().counters();
    assert_eq!((seen.chats_ok, seen.streams, seen.streams_done), (1, 1, 1));
}

#[tokio::test]
async fn the_usage_comes_in_a_last_chunk_without_choices_if_it_is_asked_for() {
    let kit = automatic().await;
    let options = json!({"stream_options": {"include_usage": true}});
    let mut chunks = streamed(&kit, options).await.data();
    let last = chunks.pop().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"], 10);
    assert_eq!(chunks.len(), 5);
    assert!(chunks.iter().all(|chunk| chunk["usage"] == Value::Null));
    let without = json!({"stream_options": {"include_usage": false}});
    assert_eq!(streamed(&kit, without).await.data().len(), 5);
}

#[tokio::test]
async fn the_text_comes_in_as_many_pieces_as_are_set() {
    let kit = automatic().await;
    let settings = request(&kit, Method::POST, "/testkit/settings");
    send(settings.json(&json!({"vendor": "standard", "reply_pieces": 7}))).await;
    assert_eq!(streamed(&kit, json!({})).await.data().len(), 1 + 7 + 1);
    kit.standard().set_reply_pieces(1);
    let chunks = streamed(&kit, json!({})).await.data();
    assert_eq!(chunks[1]["choices"][0]["delta"]["content"], REPLY);
}

#[tokio::test]
async fn an_invalid_request_is_rejected_with_its_field() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    let without = |name: &str| {
        let mut body = body();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = body();
        body[name] = value;
        body
    };
    let missing = "missing_required_parameter";
    for (body, field, code) in [
        (without("model"), "model", missing),
        (without("messages"), "messages", missing),
        (with("messages", json!([])), "messages", missing),
        (
            with("messages", json!([{"content": "x"}])),
            "messages[0].role",
            missing,
        ),
        (
            with("messages", json!([{"role": "user"}])),
            "messages[0].content",
            missing,
        ),
        (with("messages", json!("x")), "messages", "invalid_type"),
        (with("model", json!(1)), "model", "invalid_type"),
        (with("stream", json!("yes")), "stream", "invalid_type"),
    ] {
        let call = request(&kit, Method::POST, PATH).bearer_auth(&token);
        let (status, reply) = send(call.json(&body)).await;
        let error = &reply["error"];
        assert_eq!((status, &error["param"]), (400, &json!(field)), "{body}");
        assert_eq!(
            (&error["code"], &error["type"]),
            (&json!(code), &json!("invalid_request_error"))
        );
        assert!(error["message"].as_str().unwrap().contains(field));
    }
    let call = request(&kit, Method::POST, PATH)
        .bearer_auth(&token)
        .body("{");
    let (status, reply) = send(call).await;
    assert_eq!((status, &reply["error"]["param"]), (400, &Value::Null));
    let seen = kit.standard().counters();
    assert_eq!((seen.chats_refused, seen.violations.len()), (9, 9));
    assert_eq!(seen.violations[0], "chat: model is missing");
}
