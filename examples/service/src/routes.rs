//! The pages by address, and what holds for all of them.

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::time::timeout;

use crate::app::App;
use crate::pages::Problem;
use crate::sign_in::{code, device};
use crate::{chat, overview};

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
        .route_layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

async fn script() -> Response {
    let kind = "text/javascript; charset=utf-8";
    ([(CONTENT_TYPE, kind)], include_str!("chat.js")).into_response()
}

/// The limit, the headers and the metrics of each request. The log has none: an address may hold a
/// code.
async fn around(
    State(app): State<App>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let response = respond(&app, request, next).await;
    let mut response = response.unwrap_or_else(Problem::into_response);
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

async fn respond(app: &App, request: Request, next: Next) -> Result<Response, Problem> {
    let request = app.work.read(request).await?;
    let work = app.work.spawn(next.run(request))?;
    match timeout(LIMIT, work).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(_panicked)) => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The service has a problem. Try again later.",
        )),
        Err(_elapsed) => Err(Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "The vendor takes too long. Try again in a moment.",
        )),
    }
}
