//! Event streams pass piece by piece.

use llm_auth_core::{AuthManager, ProviderSpec as _};
use llm_auth_minimax::MiniMax;
use llm_auth_testkit::{Fault, Operation, ProviderKit, immediate_polls};
use reqwest::Response;
use serde_json::json;
use tokio::time::timeout;

use crate::support::{LIMIT, chat, client, json_request, kit, signed_in, standard};

/// Reads until this text has come.
async fn read_until(response: &mut Response, text: &str) {
    let mut read = String::new();
    while !read.contains(text) {
        let chunk = timeout(LIMIT, response.chunk()).await.unwrap();
        let chunk = chunk.unwrap().unwrap();
        read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

/// The server holds the stream after its first piece, so what is read until then came before the
/// second one was sent.
async fn first_piece_comes_first(kit: &ProviderKit, mut response: Response) {
    read_until(&mut response, "The sim").await;
    let seen = kit.wait_for(|seen| seen.streams_held == 1).await;
    assert_eq!((seen.streams, seen.streams_done), (1, 0));
    kit.release_streams();
    read_until(&mut response, "hello").await;
    while response.chunk().await.unwrap().is_some() {}
    let seen = kit.wait_for(|seen| seen.streams_done == 1).await;
    assert_eq!((seen.refreshes, seen.chats_refused), (1, 1));
}

#[tokio::test]
async fn the_first_event_arrives_before_the_second_is_sent_also_after_a_refresh() {
    let kit = kit().await;
    let client = client(&standard(&kit).await);
    kit.standard().expire_access_tokens();
    kit.standard().fault(Operation::Chat, Fault::hold_stream(1));
    let response = timeout(LIMIT, chat(&kit, &client, true).send()).await;
    let response = response.unwrap().unwrap();
    let media_type = response.headers()["content-type"].to_str().unwrap();
    assert!(media_type.starts_with("text/event-stream"), "{media_type}");
    first_piece_comes_first(kit.standard(), response).await;
}

#[tokio::test]
async fn a_provider_with_errors_in_successes_streams_too() {
    let kit = kit().await;
    let provider = MiniMax::default().builder().base_url(kit.base_url());
    let provider = provider.unwrap().schedule(immediate_polls()).build();
    let client = client(&signed_in(AuthManager::builder(provider).build()).await);
    kit.minimax().expire_access_tokens();
    kit.minimax().fault(Operation::Chat, Fault::hold_stream(1));
    let body = json!({
        "model": "m",
        "max_tokens": 9,
        "stream": true,
        "messages": [{"role": "user", "content": "hello"}],
    });
    let request = json_request(&client, &kit.minimax().chat_url(), &body);
    let response = request.header("anthropic-version", "2023-06-01").send();
    let response = timeout(LIMIT, response).await.unwrap().unwrap();
    first_piece_comes_first(kit.minimax(), response).await;
}
