//! What a collector of metrics receives, if the program has one.

#[cfg(feature = "metrics")]
mod facade {
    use std::time::Duration;

    use crate::error::ErrorKind;

    pub(in super::super) fn live(count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        metrics::gauge!("llm_auth_sessions").set(f64::from(count));
    }

    pub(in super::super) fn evicted(count: u64) {
        metrics::counter!("llm_auth_sessions_evicted_total").increment(count);
    }

    pub(in super::super) fn refreshed(provider: &str) {
        metrics::counter!("llm_auth_refreshes_total", "provider" => provider.to_owned())
            .increment(1);
    }

    pub(in super::super) fn failed(provider: &str, kind: ErrorKind) {
        metrics::counter!(
            "llm_auth_refresh_failures_total",
            "provider" => provider.to_owned(),
            "kind" => format!("{kind:?}")
        )
        .increment(1);
    }

    pub(in super::super) fn lag(provider: &str, millis: i64) {
        let lag = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        metrics::histogram!("llm_auth_refresh_lag_seconds", "provider" => provider.to_owned())
            .record(lag.as_secs_f64());
    }
}

#[cfg(not(feature = "metrics"))]
mod facade {
    use crate::error::ErrorKind;

    pub(in super::super) fn live(_count: usize) {}
    pub(in super::super) fn evicted(_count: u64) {}
    pub(in super::super) fn refreshed(_provider: &str) {}
    pub(in super::super) fn failed(_provider: &str, _kind: ErrorKind) {}
    pub(in super::super) fn lag(_provider: &str, _millis: i64) {}
}

pub(super) use facade::{evicted, failed, lag, live, refreshed};
