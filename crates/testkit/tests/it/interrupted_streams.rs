//! Streams that are held, cut, or ended by an error.

use llm_auth_testkit::{Fault, Operation, Testkit};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::client::{automatic, request, send};
use crate::event_stream::stream;
use crate::standard_provider::access_token;

/// The streams of all APIs: how many chunks precede the text, and how many come in all.
struct Api {
    path: &'static str,
    body: Value,
    opening: usize,
    chunks: usize,
    /// The code of the error of a failed stream, in each of its last events.
    failure: &'static [(&'static str, &'static str)],
}

fn apis() -> [Api; 5] {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let contents = json!({"contents": [{"parts": [{"text": "hello"}]}]});
    [
        Api {
            path: "/standard/v1/chat/completions",
            body: json!({"model": "m", "stream": true, "messages": messages}),
            opening: 1,
            chunks: 6,
            failure: &[("/error/type", "server_error")],
        },
        Api {
            path: "/standard/v1/responses",
            body: json!({"model": "m", "stream": true, "input": "hello"}),
            opening: 4,
            chunks: 11,
            failure: &[
                ("/error/code", "server_error"),
                ("/response/error/code", "server_error"),
            ],
        },
        Api {
            path: "/standard/v1/messages",
            body: json!({"model": "m", "max_tokens": 9, "stream": true, "messages": messages}),
            opening: 3,
            chunks: 9,
            failure: &[("/error/type", "overloaded_error")],
        },
        Api {
            path: "/standard/v1beta/models/m:streamGenerateContent?alt=sse",
            body: contents.clone(),
            opening: 0,
            chunks: 4,
            failure: &[("/error/status", "UNAVAILABLE")],
        },
        Api {
            path: "/standard/v1/models/m:streamGenerateContent",
            body: contents,
            opening: 0,
            chunks: 5,
            failure: &[("/error/status", "UNAVAILABLE")],
        },
    ]
}

fn chat(fault: Fault, kit: &Testkit) {
    kit.standard().fault(Operation::Chat, fault);
}

async fn begin(kit: &Testkit, api: &Api, token: &str) -> Response {
    let call = request(kit, Method::POST, api.path).bearer_auth(token);
    let response = call.json(&api.body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

#[tokio::test]
async fn a_cut_stream_ends_after_its_pieces_without_the_last_chunk() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    let mut streams = 0;
    for api in apis() {
        for pieces in [0, 2, 9] {
            chat(Fault::cut_stream(pieces), &kit);
            let streamed = stream(&kit, api.path, &token, &api.body).await;
            assert!(!streamed.whole, "{}", api.path);
            assert_eq!(streamed.chunks.len(), api.opening + pieces.min(3));
            streams += 1;
        }
    }
    let seen = kit.standard().counters();
    assert_eq!((seen.streams, seen.streams_done), (streams, 0));
    assert_eq!((seen.chats_ok, seen.faults), (streams, streams));
}

#[tokio::test]
async fn a_stream_that_fails_ends_in_order_with_the_error_of_its_api() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    for api in apis() {
        for pieces in [0, 1] {
            chat(Fault::stream_error(pieces), &kit);
            let streamed = stream(&kit, api.path, &token, &api.body).await;
            assert!(streamed.whole, "{}", api.path);
            let data: Vec<Value> = if streamed.head.contains("text/event-stream") {
                streamed.data()
            } else {
                serde_json::from_str(&streamed.chunks.concat()).unwrap()
            };
            let (sent, failure) = data.split_at(api.opening + pieces);
            assert_eq!(
                (sent.len(), failure.len()),
                (api.opening + pieces, api.failure.len())
            );
            for (event, (at, code)) in failure.iter().zip(api.failure) {
                assert_eq!(event.pointer(at), Some(&json!(code)));
            }
        }
    }
    assert_eq!(kit.standard().counters().streams_done, 0);
}

#[tokio::test]
async fn a_held_stream_goes_on_when_it_is_released() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    for api in apis() {
        kit.standard().reset_counters();
        chat(Fault::hold_stream(2), &kit);
        let mut response = begin(&kit, &api, &token).await;
        let held = kit.standard().wait_for(|seen| seen.streams_held == 1).await;
        assert_eq!((held.streams, held.streams_done), (1, 0));
        let mut read = 0;
        while read < api.opening + 2 {
            response.chunk().await.unwrap().unwrap();
            read += 1;
        }
        assert_eq!(kit.standard().counters().streams_held, 1);
        kit.standard().release_streams();
        while response.chunk().await.unwrap().is_some() {
            read += 1;
        }
        assert_eq!(read, api.chunks, "{}", api.path);
        let seen = kit.standard().counters();
        assert_eq!((seen.streams_held, seen.streams_done), (0, 1));
    }
}

#[tokio::test]
async fn a_release_frees_streams_that_have_begun_and_no_later_ones() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    let [api, ..] = apis();
    kit.standard().release_streams();
    chat(Fault::hold_stream(0).times(3), &kit);
    let first = begin(&kit, &api, &token).await;
    let second = begin(&kit, &api, &token).await;
    kit.standard().wait_for(|seen| seen.streams_held == 2).await;
    kit.standard().release_streams();
    first.bytes().await.unwrap();
    second.bytes().await.unwrap();
    let third = begin(&kit, &api, &token).await;
    kit.standard().wait_for(|seen| seen.streams_held == 1).await;
    let release = request(&kit, Method::POST, "/testkit/release");
    let (status, _) = send(release.json(&json!({"vendor": "standard"}))).await;
    assert_eq!(status, 200);
    third.bytes().await.unwrap();
    assert_eq!(kit.standard().counters().streams_done, 3);
}

#[tokio::test]
async fn a_client_that_goes_away_is_held_no_longer() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    let [api, ..] = apis();
    chat(Fault::hold_stream(1), &kit);
    let response = begin(&kit, &api, &token).await;
    kit.standard().wait_for(|seen| seen.streams_held == 1).await;
    drop(response);
    let seen = kit.standard().wait_for(|seen| seen.streams_held == 0).await;
    assert_eq!((seen.streams, seen.streams_done), (1, 0));
}

#[tokio::test]
async fn a_fault_of_streams_waits_for_a_streamed_reply() {
    let kit = automatic().await;
    let token = access_token(&kit).await;
    let [api, ..] = apis();
    let fault = json!({
        "vendor": "standard", "endpoint": "chat",
        "fault": {"kind": "cut_stream", "pieces": 1},
    });
    let faults = request(&kit, Method::POST, "/testkit/faults");
    assert_eq!(send(faults.json(&fault)).await.0, 200);
    let mut whole = api.body.clone();
    whole["stream"] = json!(false);
    let call = request(&kit, Method::POST, api.path).bearer_auth(&token);
    assert_eq!(send(call.json(&whole)).await.0, 200);
    assert_eq!(kit.standard().faults_left(), 1);
    assert!(!stream(&kit, api.path, &token, &api.body).await.whole);
    assert_eq!(kit.standard().faults_left(), 0);
    assert!(stream(&kit, api.path, &token, &api.body).await.whole);
}
