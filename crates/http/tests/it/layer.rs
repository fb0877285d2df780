//! The layer over reqwest, and over a client of the crate http.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use llm_auth_core::{AuthManager, Error, ErrorKind};
use llm_auth_http::SessionLayer;
use llm_auth_testkit::{Fault, Operation, ScriptedResponse, ScriptedServer, Testkit};
use serde_json::json;
use tokio::time::timeout;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::support::{LIMIT, PATH, Vendor, bearer, credentials, http, kit, standard};

async fn call<S: Service<R>, R>(service: &mut S, request: R) -> Result<S::Response, S::Error> {
    poll_fn(|context| service.poll_ready(context)).await?;
    service.call(request).await
}

/// A client whose requests and responses are those of the crate http, and which panics if it is
/// called before it is ready.
#[derive(Debug)]
struct Plain {
    client: reqwest::Client,
    is_ready: bool,
}

impl Clone for Plain {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            is_ready: false,
        }
    }
}

type Reply = http::Response<reqwest::Body>;

impl Service<http::Request<String>> for Plain {
    type Response = Reply;
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, reqwest::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), reqwest::Error>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<String>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.is_ready),
            "called before it is ready"
        );
        let client = self.client.clone();
        let request = request.map(reqwest::Body::from).try_into().unwrap();
        Box::pin(async move { client.execute(request).await.map(Into::into) })
    }
}

fn plain() -> Plain {
    Plain {
        client: http().build().unwrap(),
        is_ready: false,
    }
}

fn chat(kit: &Testkit, stream: bool) -> http::Request<String> {
    let body = json!({
        "model": "m",
        "stream": stream,
        "messages": [{"role": "user", "content": "hello"}],
    });
    http::Request::post(kit.standard().chat_url())
        .header("content-type", "application/json")
        .body(body.to_string())
        .unwrap()
}

async fn killed() -> (Testkit, AuthManager) {
    let kit = kit().await;
    let manager = standard(&kit).await;
    kit.standard().expire_access_tokens();
    (kit, manager)
}

#[tokio::test]
async fn a_killed_token_costs_one_refresh_over_reqwest() {
    let (kit, manager) = killed().await;
    let mut service = SessionLayer::new(manager).layer(http().build().unwrap());
    for _ in 0..3 {
        let request: reqwest::Request = chat(&kit, false).try_into().unwrap();
        let response: reqwest::Response = call(&mut service, request).await.unwrap();
        assert!(response.text().await.unwrap().contains("heard: hello"));
    }
    let seen = kit.standard().counters();
    assert_eq!(
        (seen.chats_ok, seen.chats_refused, seen.refreshes),
        (3, 1, 1)
    );
}

#[tokio::test]
async fn a_killed_token_costs_one_refresh_over_any_client_and_streams_pass_piece_by_piece() {
    let (kit, manager) = killed().await;
    let mut service = SessionLayer::new(manager).layer(plain());
    kit.standard().fault(Operation::Chat, Fault::hold_stream(1));
    let response = timeout(LIMIT, call(&mut service, chat(&kit, true))).await;
    let mut response = response.unwrap().unwrap();
    let mut read = String::new();
    while !read.contains("The sim") {
        let frame = timeout(LIMIT, response.frame()).await.unwrap();
        let frame = frame.unwrap().unwrap();
        read.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    kit.standard().wait_for(|seen| seen.streams_held == 1).await;
    kit.standard().release_streams();
    let rest = response.collect().await.unwrap().to_bytes();
    assert!(rest.ends_with(b"data: [DONE]\n\n"), "{rest:?}");
    let seen = kit.standard().counters();
    assert_eq!(
        (seen.chats_ok, seen.chats_refused, seen.refreshes),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_refusal_for_ever_is_returned_after_two_requests() {
    let server = ScriptedServer::json([(401, r#"{"made": "up"}"#)])
        .await
        .unwrap();
    let vendor = Vendor::at(&server);
    let layer = SessionLayer::new(vendor.manager().await);
    let mut service = layer.layer(plain());
    let url = format!("{}{PATH}", server.base_url());
    let request = http::Request::get(&url).body(String::new()).unwrap();
    let response = call(&mut service, request.clone()).await.unwrap();
    assert_eq!(response.status(), 401);
    let body = response.collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"{"made": "up"}"#);
    assert_eq!(credentials(&server), [bearer(1), bearer(2)]);
    // Another service of the layer knows that too.
    let response = call(&mut layer.layer(plain()), request).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(credentials(&server)[2..], [bearer(2)]);
    assert_eq!(vendor.refreshes(), 1);
}

#[tokio::test]
async fn a_request_that_cannot_be_repeated_gets_the_refusal_and_the_next_is_good() {
    let (kit, manager) = killed().await;
    let mut service = SessionLayer::repeating(manager, |_| None).layer(plain());
    for status in [401, 200] {
        let response = call(&mut service, chat(&kit, false)).await.unwrap();
        assert_eq!(response.status(), status);
    }
    assert_eq!(kit.standard().counters().refreshes, 1);
}

#[tokio::test]
async fn a_refusal_of_the_server_behind_a_redirect_is_not_about_the_session() {
    let other = ScriptedServer::json([(401, "{}")]).await.unwrap();
    let moved = ScriptedResponse::json(307, "{}").header("location", other.base_url());
    let server = ScriptedServer::start([moved]).await.unwrap();
    let vendor = Vendor::at(&server);
    let layer = SessionLayer::new(vendor.manager().await);
    let url = format!("{}{PATH}", server.base_url()).parse().unwrap();
    let request = reqwest::Request::new(reqwest::Method::GET, url);
    let mut service = layer.layer(http().build().unwrap());
    let response = call(&mut service, request).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(credentials(&other), [None]);
    assert_eq!(vendor.refreshes(), 0);
}

#[tokio::test]
async fn a_request_elsewhere_is_an_error_of_the_session_or_passes_as_it_is() {
    let server = ScriptedServer::json([(200, "{}")]).await.unwrap();
    let other = ScriptedServer::json([(200, "{}")]).await.unwrap();
    let layer = SessionLayer::new(Vendor::at(&server).manager().await);
    for uri in [other.base_url(), "/v1/models"] {
        let request = http::Request::get(uri).body(String::new()).unwrap();
        let error = call(&mut layer.layer(plain()), request).await.unwrap_err();
        let error = error.downcast_ref::<Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("was not sent"), "{error}");
    }
    assert_eq!(other.requests().len(), 0);
    let mut service = layer.pass_other_origins().layer(plain());
    let request = http::Request::get(other.base_url()).body(String::new());
    call(&mut service, request.unwrap()).await.unwrap();
    assert_eq!(credentials(&other), [None]);
}
