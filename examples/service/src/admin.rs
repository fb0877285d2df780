//! Health and metrics, on a listener of their own.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::app::App;

/// Where the program's metrics go, with buckets in seconds for the times.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    const SECONDS: [f64; 10] = [0.005, 0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
    PrometheusBuilder::new()
        .set_buckets(&SECONDS)?
        .install_recorder()
}

pub(crate) fn router(app: App, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready).with_state(app))
        .route("/metrics", get(move || async move { metrics.render() }))
}

/// Without the database there is nothing that this process could do. A vendor that is away does not
/// count: another process would not reach it either.
async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n");
    }
    match app.database.is_ready().await {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the database is away\n"),
    }
}
