//! `POST /v1/responses`.

use llm_auth_testkit::Testkit;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{automatic, request, send};
use crate::event_stream::stream;
use crate::standard_provider::access_token;

const PATH: &str = "/standard/v1/responses";
const REPLY: &str = "The simulated standard heard: two words";

async fn whole(kit: &Testkit, body: &Value) -> (u16, Value) {
    let token = access_token(kit).await;
    let call = request(kit, Method::POST, PATH).bearer_auth(token);
    send(call.json(body)).await
}

#[tokio::test]
async fn a_response_repeats_a_text_or_the_last_message_of_the_user() {
    let kit = automatic().await;
    let items = json!([
        {"role": "developer", "content": "be brief"},
        {"type": "message", "role": "user",
         "content": [{"type": "input_text", "text": "two words"}]},
        {"type": "function_call_output", "call_id": "c", "output": "3"},
    ]);
    for (input, tokens) in [(json!("two words"), 2), (items, 4)] {
        let body = json!({"model": "acme-1", "instructions": "speak", "input": input});
        let (status, response) = whole(&kit, &body).await;
        assert_eq!((status, &response["object"]), (200, &json!("response")));
        assert_eq!(response["status"], "completed");
        assert_eq!(response["instructions"], "speak");
        let item = &response["output"][0];
        assert_eq!(
            (&item["type"], &item["role"]),
            (&json!("message"), &json!("assistant"))
        );
        assert_eq!(item["content"][0]["type"], "output_text");
        assert_eq!(item["content"][0]["text"], REPLY);
        let usage = &response["usage"];
        assert_eq!(
            (&usage["input_tokens"], &usage["output_tokens"]),
            (&json!(tokens), &json!(6))
        );
        assert_eq!(usage["total_tokens"], tokens + 6);
    }
    assert_eq!(kit.standard().violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_streamed_response_is_numbered_and_completes_to_the_whole_one() {
    let kit = automatic().await;
    let mut body = json!({"model": "acme-1", "input": "two words"});
    let (_, mut expected) = whole(&kit, &body).await;
    body["stream"] = json!(true);
    let streamed = stream(&kit, PATH, &access_token(&kit).await, &body).await;
    assert!(streamed.whole);
    let types = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    let events = streamed.events();
    let names: Vec<_> = events.iter().map(|e| e.name.as_deref().unwrap()).collect();
    assert_eq!(names, types);
    let data = streamed.data();
    for (at, event) in data.iter().enumerate() {
        assert_eq!(
            (&event["type"], &event["sequence_number"]),
            (&json!(types[at]), &json!(at))
        );
    }
    let deltas = data[4..7]
        .iter()
        .map(|event| event["delta"].as_str().unwrap());
    assert_eq!(deltas.collect::<String>(), REPLY);
    assert_eq!(data[7]["text"], REPLY);
    assert_eq!(data[0]["response"]["status"], "in_progress");
    assert_eq!(data[9]["item"], expected["output"][0]);
    let mut completed = data[10]["response"].clone();
    for response in [&mut completed, &mut expected] {
        assert!(response["created_at"].take().is_i64());
    }
    assert_eq!(completed, expected);
}

#[tokio::test]
async fn an_invalid_request_is_rejected_with_its_field() {
    let kit = automatic().await;
    for (body, field) in [
        (json!({"input": "x"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": []}), "input"),
        (json!({"model": "m", "input": 1}), "input"),
        (
            json!({"model": "m", "input": [{"role": "user"}]}),
            "input[0].content",
        ),
        (json!({"model": "m", "input": "x", "stream": 1}), "stream"),
    ] {
        let (status, reply) = whole(&kit, &body).await;
        assert_eq!(
            (status, &reply["error"]["param"]),
            (400, &json!(field)),
            "{body}"
        );
    }
}
