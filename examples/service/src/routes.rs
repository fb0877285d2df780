//! The pages by address, and what holds for all of them.

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::time::timeout;

use crate::app::App;
use crate::pages::Problem;
use crate::sign_in::{code, device};
use crate::{chat, overview};

/// A message to the model is the longest thing that is sent here.
const LONGEST_BODY: usize = 64 * 1024;

/// Until a response begins. A refresh may take two requests of 20 s; a stream may last longer.
const LIMIT: Duration = Duration::from_secs(60);

const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        CONTENT_SECURITY_POLICY,
        // Without `form-action`, which browsers apply to the redirect to the vendor too.
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
             frame-ancestors 'none'",
        ),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Browsers ignore it unless it comes by HTTPS.
    (
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000"),
    ),
];

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(overview::overview))
        .route("/chat.js", get(script))
        .route("/sign-in/code", post(code::begin))
        .route("/callback", get(code::callback))
        .route("/sign-in/device", post(device::begin))
        .route("/sign-in/device/{name}", get(device::page))
        .route("/sign-out", post(overview::sign_out))
        .route("/chat", post(chat::chat))
        .fallback(async || device::UNKNOWN)
        .route_layer(from_fn(around))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(app)
}

async fn script() -> Response {
    let kind = "text/javascript; charset=utf-8";
    ([(CONTENT_TYPE, kind)], include_str!("chat.js")).into_response()
}

/// The limit, the headers and the metrics of each request. The log has none: an address may hold a
/// code.
async fn around(path: MatchedPath, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    // A client that hangs up must not end a sign-in whose code is spent: the work is a task.
    let work = tokio::spawn(next.run(request));
    let mut response = match timeout(LIMIT, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panicked)) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The service has a problem. Try again later.",
        )
        .into_response(),
        Err(_elapsed) => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "The vendor takes too long. Try again in a moment.",
        )
        .into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    let route = path.as_str().to_owned();
    let status = response.status().as_str().to_owned();
    metrics::counter!("service_requests_total", "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("service_request_seconds", "route" => route).record(begun.elapsed());
    response
}
