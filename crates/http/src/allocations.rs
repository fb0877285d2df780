//! How much the session costs a request, besides the copy that is kept for a second attempt.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Extensions, HeaderName};
use llm_auth_core::provider::OAuthConfig;
use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl, async_trait};
use reqwest::{Method, Request, Response, Url};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};
use tokio::runtime::Runtime;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::client::SessionMiddleware;
use crate::layer::SessionLayer;
use crate::session::Session;

const CALLS: u64 = 100;

/// Returns a response without a network.
#[derive(Clone)]
struct Server;

#[async_trait]
impl Middleware for Server {
    async fn handle(&self, request: Request, _: &mut Extensions, _: Next<'_>) -> Result<Response> {
        assert!(request.headers()[AUTHORIZATION].is_sensitive());
        Ok(http::Response::new("").into())
    }
}

impl Service<http::Request<String>> for Server {
    type Response = http::Response<reqwest::Body>;
    type Error = Infallible;
    type Future = Ready<std::result::Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<String>) -> Self::Future {
        assert!(request.headers()[AUTHORIZATION].is_sensitive());
        ready(Ok(http::Response::new(reqwest::Body::from(""))))
    }
}

/// What any middleware does that may send a request a second time, with a header that never changes.
struct Constant(Vec<(HeaderName, HeaderValue)>);

#[async_trait]
impl Middleware for Constant {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let _copy = request.try_clone();
        for (name, value) in &self.0 {
            request.headers_mut().insert(name, value.clone());
        }
        next.run(request, extensions).await
    }
}

fn constant() -> Constant {
    let vendor = HeaderName::from_static("x-made-up");
    let mut bearer = HeaderValue::from_static("Bearer made-up");
    bearer.set_sensitive(true);
    let one = HeaderValue::from_static("1");
    Constant(vec![(vendor, one), (AUTHORIZATION, bearer)])
}

async fn manager() -> AuthManager {
    let mut config = OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
    config.endpoints.api_base = Some(SecureUrl::known("https://api.example/v1"));
    config.api_headers.insert("x-made-up".into(), "1".into());
    let manager = AuthManager::builder(config.provider()).build();
    let token = OAuthToken::new("made-up".into(), None);
    manager.insert_session(token).await.unwrap();
    manager
}

/// Allocations of one call, after the first ones.
fn per_call(runtime: &Runtime, mut call: impl AsyncFnMut()) -> u64 {
    runtime.block_on(call());
    let seen = allocation_counter::measure(|| {
        runtime.block_on(async {
            for _ in 0..CALLS {
                call().await;
            }
        });
    });
    assert_eq!(seen.count_total % CALLS, 0, "each call costs the same");
    seen.count_total / CALLS
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().unwrap()
}

fn of(middleware: impl Middleware) -> ClientWithMiddleware {
    let _there_already = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().build().unwrap();
    ClientBuilder::new(client)
        .with(middleware)
        .with(Server)
        .build()
}

#[test]
fn the_middleware_allocates_no_more_than_a_copy_of_the_request_and_a_constant_header() {
    let runtime = runtime();
    let url = Url::parse("https://api.example/v1/models").unwrap();
    let cost = |client: &ClientWithMiddleware| {
        per_call(&runtime, async || {
            let request = Request::new(Method::GET, url.clone());
            client.execute(request).await.unwrap();
        })
    };
    let session = of(SessionMiddleware(
        Session::new(runtime.block_on(manager())).into(),
    ));
    assert_eq!(cost(&session), cost(&of(constant())));
}

#[test]
fn the_layer_allocates_its_future_a_copy_of_the_request_and_no_more() {
    let runtime = runtime();
    let mut service = SessionLayer::new(runtime.block_on(manager())).layer(Server);
    let request = http::Request::get("https://api.example/v1/models").body(String::new());
    let request = request.unwrap();
    let constant = constant();
    let floor = per_call(&runtime, async || {
        let mut sent = request.clone();
        let _copy = sent.clone();
        for (name, value) in &constant.0 {
            sent.headers_mut().insert(name, value.clone());
        }
        let response = Box::pin(async { Server.call(sent).await });
        response.await.unwrap();
    });
    let cost = per_call(&runtime, async || {
        service.call(request.clone()).await.unwrap();
    });
    assert_eq!(cost, floor);
}
