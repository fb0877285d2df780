//! `POST /v1/messages` and `/v1/messages/count_tokens`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{automatic, request, send};
use crate::event_stream::stream;
use crate::standard_provider::access_token;

const PATH: &str = "/standard/v1/messages";
const REPLY: &str = "The simulated standard heard: two words";

fn body() -> Value {
    json!({
        "model": "acme-1",
        "max_tokens": 100,
        "messages": [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "second"},
            {"role": "user", "content": [{"type": "text", "text": "two words"}]},
        ],
    })
}

#[tokio::test]
async fn a_message_repeats_the_user_and_counts_words_as_tokens() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    let call = |path: &str| {
        request(&kit, Method::POST, path)
            .bearer_auth(&token)
            .json(&body())
    };
    let (status, message) = send(call(PATH)).await;
    assert_eq!((status, &message["type"]), (200, &json!("message")));
    assert_eq!(
        (&message["role"], &message["model"]),
        (&json!("assistant"), &json!("acme-1"))
    );
    assert_eq!(message["content"], json!([{"type": "text", "text": REPLY}]));
    assert_eq!(message["stop_reason"], "end_turn");
    let usage = &message["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"]),
        (&json!(4), &json!(6))
    );
    let (status, count) = send(call("/standard/v1/messages/count_tokens")).await;
    assert_eq!((status, count), (200, json!({"input_tokens": 4})));
    assert_eq!(kit.standard().violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_streamed_message_opens_and_closes_its_block() {
    let kit = automatic().await;
    let mut body = body();
    body["stream"] = json!(true);
    let streamed = stream(&kit, PATH, &access_token(&kit).await, &body).await;
    assert!(streamed.whole);
    assert!(streamed.head.contains("content-type: text/event-stream"));
    let types = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    let events = streamed.events();
    let names: Vec<_> = events.iter().map(|e| e.name.as_deref().unwrap()).collect();
    assert_eq!(names, types);
    let data = streamed.data();
    for (event, kind) in data.iter().zip(types) {
        assert_eq!(event["type"], kind);
    }
    let begun = &data[0]["message"];
    assert_eq!(
        (&begun["content"], &begun["stop_reason"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(begun["usage"]["input_tokens"], 4);
    assert_eq!(
        data[1]["content_block"],
        json!({"type": "text", "text": ""})
    );
    let mut text = String::new();
    for event in &data[3..6] {
        assert_eq!(event["delta"]["type"], "text_delta");
        text += event["delta"]["text"].as_str().unwrap();
    }
    assert_eq!(text, REPLY);
    assert_eq!(data[7]["delta"]["stop_reason"], "end_turn");
    assert_eq!(data[7]["usage"]["output_tokens"], 6);
}

#[tokio::test]
async fn an_invalid_request_is_rejected_with_its_field() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    for (field, value, message) in [
        ("model", Value::Null, "model: Field required"),
        ("max_tokens", Value::Null, "max_tokens: Field required"),
        (
            "max_tokens",
            json!(0),
            "max_tokens: Input should be a positive integer",
        ),
        ("messages", json!([]), "messages: Field required"),
        (
            "messages",
            json!([{"content": "x"}]),
            "messages.0.role: Field required",
        ),
        (
            "messages",
            json!([{"role": "user"}]),
            "messages.0.content: Field required",
        ),
        ("stream", json!("yes"), "stream: Input should be a boolean"),
    ] {
        let mut body = body();
        body[field] = value;
        let call = request(&kit, Method::POST, PATH).bearer_auth(&token);
        let (status, reply) = send(call.json(&body)).await;
        assert_eq!((status, &reply["type"]), (400, &json!("error")));
        let expected = json!({"type": "invalid_request_error", "message": message});
        assert_eq!(reply["error"], expected);
    }
}
