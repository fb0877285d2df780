//! Which tokens the chat APIs accept, and how they reject others.

use llm_auth_testkit::{StandardProvider, Testkit};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::client::{automatic, request, send, text};
use crate::qwen_device_flow::login as qwen_login;
use crate::standard_provider::{access_token, standard};

/// A call of each API, and where its rejection has its code.
const CALLS: [(&str, &str, &str); 6] = [
    (
        "/standard/v1/chat/completions",
        "/error/code",
        "invalid_api_key",
    ),
    ("/standard/v1/responses", "/error/code", "invalid_api_key"),
    (
        "/standard/v1/messages",
        "/error/type",
        "authentication_error",
    ),
    (
        "/standard/v1/messages/count_tokens",
        "/error/type",
        "authentication_error",
    ),
    (
        "/standard/v1/models/m:generateContent",
        "/error/status",
        "UNAUTHENTICATED",
    ),
    (
        "/standard/v1beta/models/m:streamGenerateContent",
        "/0/error/status",
        "UNAUTHENTICATED",
    ),
];

fn call(kit: &Testkit, path: &str) -> RequestBuilder {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let body = json!({
        "model": "m",
        "max_tokens": 9,
        "messages": messages,
        "input": "hello",
        "contents": [{"parts": [{"text": "hello"}]}],
    });
    request(kit, Method::POST, path).json(&body)
}

async fn models(call: RequestBuilder) -> Value {
    let (status, body) = send(call).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn each_api_rejects_missing_expired_and_revoked_tokens_in_its_form() {
    let kit = automatic().await;
    let expired = access_token(&kit).await;
    kit.standard().expire_access_tokens();
    let revoked = access_token(&kit).await;
    kit.standard().revoke_families();
    let live = access_token(&kit).await;
    for (path, at, code) in CALLS {
        let (status, body) = send(call(&kit, path).bearer_auth(&live)).await;
        assert_eq!(status, 200, "{body}");
        let rejected = [
            call(&kit, path),
            call(&kit, path).bearer_auth(&expired),
            call(&kit, path).bearer_auth(&revoked),
            call(&kit, path).bearer_auth("made-up"),
        ];
        for call in rejected {
            let (status, body) = send(call).await;
            assert_eq!(
                (status, body.pointer(at)),
                (401, Some(&json!(code))),
                "{path}"
            );
        }
    }
    let seen = kit.standard().counters();
    assert_eq!((seen.chats_ok, seen.chats_refused), (6, 24));
    // Only a request without a token is the fault of the client.
    assert_eq!(seen.violations, ["chat: no access token"; 6]);
}

#[tokio::test]
async fn a_token_is_taken_from_the_header_that_is_set_and_from_no_other() {
    let plain = automatic().await;
    let token = access_token(&plain).await;
    for name in ["x-api-key", "x-goog-api-key"] {
        let provider = StandardProvider::default().token_header(name);
        let kit = standard(provider).await;
        let own = access_token(&kit).await;
        for (path, ..) in CALLS {
            assert_eq!(send(call(&kit, path).header(name, &own)).await.0, 200);
            let both = call(&kit, path).header(name, &own).bearer_auth("made-up");
            assert_eq!(send(both).await.0, 401);
            assert_eq!(send(call(&plain, path).header(name, &token)).await.0, 401);
        }
    }
}

#[tokio::test]
async fn the_list_of_models_has_the_form_of_the_client() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    let list = |path: &str| request(&kit, Method::GET, path).bearer_auth(&token);
    let path = "/standard/v1/models";
    let openai = models(list(path)).await;
    assert_eq!(
        (&openai["object"], &openai["data"][0]["object"]),
        (&json!("list"), &json!("model"))
    );
    let anthropic = models(list(path).header("anthropic-version", "2023-06-01")).await;
    assert_eq!(anthropic["data"][0]["type"], "model");
    let google = models(list(path).header("x-goog-api-client", "x/1")).await;
    assert_eq!(google["models"][0]["name"], "models/gemini-testkit");
    assert_eq!(models(list("/standard/v1beta/models")).await, google);
}

#[tokio::test]
async fn a_path_of_two_providers_belongs_to_the_issuer_of_the_token() {
    let kit = automatic().await;
    let token = text(&qwen_login(&kit).await, "access_token");
    let list = |token: &str| request(&kit, Method::GET, "/v1/models").bearer_auth(token);
    assert_eq!(models(list(&token)).await["data"][0]["id"], "testkit");
    assert_eq!(
        (
            kit.qwen().counters().chats_ok,
            kit.gemini().counters().chats_ok
        ),
        (1, 0)
    );
    kit.qwen().expire_access_tokens();
    assert_eq!(
        send(list(&token)).await.1["error"]["code"],
        "invalid_api_key"
    );
    assert_eq!(kit.qwen().counters().chats_refused, 1);
    // No provider has issued it: the first one with the path rejects it.
    assert_eq!(
        send(list("made-up")).await.1["error"]["status"],
        "UNAUTHENTICATED"
    );
}

#[tokio::test]
async fn the_apis_are_below_the_path_that_is_set() {
    let kit = standard(StandardProvider::default().api_path("")).await;
    let token = access_token(&kit).await;
    for (path, ..) in CALLS {
        let path = path.strip_prefix("/standard").unwrap();
        assert_eq!(
            send(call(&kit, path).bearer_auth(&token)).await.0,
            200,
            "{path}"
        );
    }
    assert_eq!(kit.standard().counters().chats_ok, 6);
}
