//! Health and metrics, on a listener of their own.

use std::time::Duration;

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

/// Moves what was measured into the buckets. The exporter does so only when it is read, so that
/// without a reader the memory would grow with each request.
pub(crate) async fn keep_up(metrics: PrometheusHandle, pause: Duration) {
    let mut ticks = tokio::time::interval(pause);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
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

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    /// In MiB.
    fn memory() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.split("VmRSS:").nth(1).unwrap();
        let kib = resident.split_whitespace().next().unwrap();
        kib.parse::<usize>().unwrap() / 1024
    }

    #[tokio::test]
    async fn times_that_no_reader_fetches_take_no_memory() {
        let recorder = PrometheusBuilder::new().set_buckets(&[1.0]).unwrap();
        let recorder = recorder.build_recorder();
        let upkeep = tokio::spawn(keep_up(recorder.handle(), Duration::from_millis(1)));
        let before = memory();
        for _ in 0..200 {
            metrics::with_local_recorder(&recorder, || {
                let times = metrics::histogram!("made_up_seconds");
                (0..10_000).for_each(|_| times.record(0.5));
            });
            tokio::task::yield_now().await;
        }
        let grown = memory().saturating_sub(before);
        upkeep.abort();
        assert!(grown < 16, "{grown} MiB");
        assert!(
            recorder
                .handle()
                .render()
                .contains("made_up_seconds_count 2000000")
        );
    }
}
