//! `POST /v1beta/models/MODEL:generateContent`, `:streamGenerateContent` and `:countTokens`.

use llm_auth_testkit::Testkit;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{automatic, request, send};
use crate::event_stream::stream;
use crate::standard_provider::access_token;

const REPLY: &str = "The simulated standard heard: two words";

fn path(version: &str, method: &str) -> String {
    format!("/standard/{version}/models/acme-1:{method}")
}

fn body() -> Value {
    json!({"contents": [
        {"role": "model", "parts": [{"text": "first"}]},
        {"parts": [{"text": "two words"}]},
    ]})
}

async fn call(kit: &Testkit, path: &str, body: &Value) -> (u16, Value) {
    let token = access_token(kit).await;
    let call = request(kit, Method::POST, path).bearer_auth(token);
    send(call.json(body)).await
}

#[tokio::test]
async fn both_versions_repeat_the_user_and_count_words_as_tokens() {
    let kit = automatic().await;
    for version in ["v1", "v1beta"] {
        let (status, reply) = call(&kit, &path(version, "generateContent"), &body()).await;
        assert_eq!((status, &reply["modelVersion"]), (200, &json!("acme-1")));
        let candidate = &reply["candidates"][0];
        let content = json!({"role": "model", "parts": [{"text": REPLY}]});
        assert_eq!(candidate["content"], content);
        assert_eq!(candidate["finishReason"], "STOP");
        let usage = json!({
            "promptTokenCount": 3, "candidatesTokenCount": 6, "totalTokenCount": 9,
        });
        assert_eq!(reply["usageMetadata"], usage);
        let (status, count) = call(&kit, &path(version, "countTokens"), &body()).await;
        assert_eq!((status, count), (200, json!({"totalTokens": 3})));
    }
    assert_eq!(kit.standard().violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_stream_is_one_array_or_events_with_the_same_data() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    for version in ["v1", "v1beta"] {
        let path = path(version, "streamGenerateContent");
        let array = stream(&kit, &path, &token, &body()).await;
        let events = stream(&kit, &format!("{path}?alt=sse"), &token, &body()).await;
        assert!(array.whole && events.whole);
        assert!(array.head.contains("content-type: application/json"));
        assert!(events.head.contains("content-type: text/event-stream"));
        let elements: Vec<Value> = serde_json::from_str(&array.chunks.concat()).unwrap();
        assert_eq!(elements, events.data());
        // One chunk for each element, and one for the end of the array.
        assert_eq!((elements.len(), array.chunks.len()), (4, 5));
        let text = |chunk: &Value| {
            let text = &chunk["candidates"][0]["content"]["parts"][0]["text"];
            text.as_str().unwrap().to_owned()
        };
        assert_eq!(elements.iter().map(text).collect::<String>(), REPLY);
        for (at, chunk) in elements.iter().enumerate() {
            let last = (at == 3).then_some("STOP");
            assert_eq!(chunk["candidates"][0]["finishReason"].as_str(), last);
        }
        assert_eq!(elements[3]["usageMetadata"]["totalTokenCount"], 9);
    }
}

#[tokio::test]
async fn an_invalid_request_is_rejected_with_its_field() {
    let kit = automatic().await;
    for (body, field) in [
        (json!({}), "contents"),
        (json!({"contents": []}), "contents"),
        (json!({"contents": "x"}), "contents"),
        (json!({"contents": [{"role": "user"}]}), "contents[0].parts"),
    ] {
        let (status, reply) = call(&kit, &path("v1beta", "generateContent"), &body).await;
        let error = &reply["error"];
        assert_eq!((status, &error["code"]), (400, &json!(400)));
        assert_eq!(error["status"], "INVALID_ARGUMENT");
        assert!(error["message"].as_str().unwrap().contains(field));
        assert_eq!(error["details"][0]["fieldViolations"][0]["field"], field);
    }
    let path = path("v1beta", "streamGenerateContent");
    let (status, array) = call(&kit, &path, &json!({})).await;
    assert_eq!((status, &array[0]["error"]["code"]), (400, &json!(400)));
    let (status, object) = call(&kit, &format!("{path}?alt=sse"), &json!({})).await;
    assert_eq!((status, &object["error"]["code"]), (400, &json!(400)));
}
