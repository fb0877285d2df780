//! The numbers that a collector receives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_core::ManualClock;
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use super::vendor::{Answer, START, Vendor};
use super::{builder, let_all_fall_due, refreshed};

/// Sums of counters, and values of histograms.
#[derive(Clone, Debug, Default)]
struct Collector(Arc<Mutex<HashMap<String, f64>>>);

struct Cell(String, Collector);

impl Cell {
    fn add(&self, value: f64) {
        *self.1.0.lock().unwrap().entry(self.0.clone()).or_default() += value;
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.add(f64::from(u32::try_from(value).unwrap()));
    }

    fn absolute(&self, _value: u64) {}
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.add(value);
    }
}

impl Collector {
    fn cell(&self, key: &Key) -> Arc<Cell> {
        let labels = key.labels().map(|label| format!(" {}", label.value()));
        let name = format!("{}{}", key.name(), labels.collect::<String>());
        Arc::new(Cell(name, self.clone()))
    }
}

impl Recorder for Collector {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.cell(key))
    }
}

#[tokio::test]
async fn a_collector_receives_refreshes_failures_by_kind_and_the_lag() {
    let collector = Collector::default();
    metrics::set_global_recorder(collector.clone()).unwrap();
    let clock = Arc::new(ManualClock::new(START));
    let vendor = Vendor::new("measured", "measured.example", &clock);
    let sessions = builder(&vendor, &clock).build().unwrap();
    let mut watches = Vec::new();
    for account in ["good", "bad"] {
        let manager = sessions.session("measured", account).unwrap();
        manager.insert_session(vendor.session()).await.unwrap();
        watches.push(manager.watch());
    }
    vendor.answer_to("bad", Answer::Refuse);
    clock.advance(Duration::from_secs(7));
    let_all_fall_due(&sessions, &clock);
    refreshed(&mut watches[0]).await;
    watches[1].changed().await.unwrap();
    let values = collector.0.lock().unwrap();
    let value = |name: &str| values.get(name).copied();
    assert_eq!(value("llm_auth_refreshes_total measured"), Some(1.0));
    let failures = "llm_auth_refresh_failures_total measured RefreshRejected";
    assert_eq!(value(failures), Some(1.0));
    // Two sessions, each 7 s late.
    assert_eq!(value("llm_auth_refresh_lag_seconds measured"), Some(14.0));
}
