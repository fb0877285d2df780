//! The chat APIs of Qwen, MiniMax and Google, each below the base that the provider names.

use llm_auth_testkit::Testkit;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::client::{automatic, request, send, text};
use crate::event_stream::stream;
use crate::{google_code_flow, minimax_device_flow, qwen_device_flow};

fn body(stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": "hello"}]);
    json!({
        "model": "m",
        "max_tokens": 9,
        "messages": messages,
        "input": "hello",
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "stream": stream,
    })
}

/// A call of Google's API needs the project.
fn call(kit: &Testkit, method: Method, path: &str, token: &str) -> RequestBuilder {
    let call = request(kit, method, path).bearer_auth(token);
    call.header("x-goog-user-project", "p")
}

/// Whole and streamed, the reply is the provider's.
async fn assert_replies(kit: &Testkit, path: &str, token: &str, name: &str) {
    let (status, reply) = send(call(kit, Method::POST, path, token).json(&body(false))).await;
    assert_eq!(status, 200, "{reply}");
    let expected = format!("The simulated {name} heard: hello");
    assert!(reply.to_string().contains(&expected), "{reply}");
    let streaming = path.replace(":generateContent", ":streamGenerateContent?alt=sse");
    let streamed = stream(kit, &streaming, token, &body(true)).await;
    let text_of = |event: &Value| {
        let places = [
            "/choices/0/delta/content",
            "/delta",
            "/delta/text",
            "/candidates/0/content/parts/0/text",
        ];
        let mut found = places.iter().filter_map(|at| event.pointer(at)?.as_str());
        found.next().unwrap_or_default().to_owned()
    };
    assert!(streamed.whole);
    assert_eq!(
        streamed.data().iter().map(text_of).collect::<String>(),
        expected
    );
}

async fn assert_lists(kit: &Testkit, path: &str, token: &str, field: &str) {
    let (status, list) = send(call(kit, Method::GET, path, token)).await;
    assert_eq!((status, list[field].as_array().unwrap().len()), (200, 1));
}

#[tokio::test]
async fn qwen_has_the_apis_of_openai() {
    let kit = automatic().await;
    let token = text(&qwen_device_flow::login(&kit).await, "access_token");
    kit.qwen().set_reply_pieces(4);
    for path in ["/v1/chat/completions", "/v1/responses"] {
        assert_replies(&kit, path, &token, "qwen").await;
    }
    assert_lists(&kit, "/v1/models", &token, "data").await;
    let seen = kit.qwen().counters();
    assert_eq!((seen.chats_ok, seen.streams, seen.streams_done), (5, 2, 2));
    assert_eq!(seen.violations, Vec::<String>::new());
}

#[tokio::test]
async fn minimax_has_the_api_of_anthropic_and_adds_its_status_to_a_whole_message() {
    let kit = automatic().await;
    let token = text(&minimax_device_flow::login(&kit).await, "access_token");
    let path = "/anthropic/v1/messages";
    assert_replies(&kit, path, &token, "minimax").await;
    let (_, message) = send(call(&kit, Method::POST, path, &token).json(&body(false))).await;
    assert_eq!(message["base_resp"]["status_code"], 0);
    let count = call(
        &kit,
        Method::POST,
        "/anthropic/v1/messages/count_tokens",
        &token,
    );
    let (_, count) = send(count.json(&body(false))).await;
    assert_eq!(count, json!({"input_tokens": 1}));
    assert_lists(&kit, "/anthropic/v1/models", &token, "data").await;
    let seen = kit.minimax().counters();
    assert_eq!((seen.chats_ok, seen.streams), (5, 1));
    assert_eq!(seen.violations, Vec::<String>::new());
}

#[tokio::test]
async fn google_has_both_versions_of_its_api() {
    let kit = automatic().await;
    let token = text(&google_code_flow::login(&kit).await, "access_token");
    for version in ["v1", "v1beta"] {
        let model = format!("/{version}/models/gemini-pro");
        let generate = format!("{model}:generateContent");
        assert_replies(&kit, &generate, &token, "gemini").await;
        let count = call(&kit, Method::POST, &format!("{model}:countTokens"), &token);
        let (_, count) = send(count.json(&body(false))).await;
        assert_eq!(count, json!({"totalTokens": 1}));
        assert_lists(&kit, &format!("/{version}/models"), &token, "models").await;
    }
    let seen = kit.gemini().counters();
    assert_eq!((seen.chats_ok, seen.streams), (8, 2));
    assert_eq!(seen.violations, Vec::<String>::new());
}

#[tokio::test]
async fn a_stream_without_the_project_is_rejected_as_an_array() {
    let kit = automatic().await;
    let token = text(&google_code_flow::login(&kit).await, "access_token");
    let path = "/v1beta/models/gemini-pro:streamGenerateContent";
    let without = request(&kit, Method::POST, path).bearer_auth(token);
    let (status, body) = send(without.json(&body(true))).await;
    assert_eq!(
        (status, &body[0]["error"]["status"]),
        (403, &json!("PERMISSION_DENIED"))
    );
}
