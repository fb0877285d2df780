//! What a proxy counts, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The counters of one session, or of the requests that reach none.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    responses: Mutex<BTreeMap<u16, u64>>,
    refusals: AtomicU64,
    refreshes: AtomicU64,
    retries: AtomicU64,
    open: Arc<AtomicU64>,
}

/// A response that is being read; dropped at its end.
#[derive(Debug)]
pub(crate) struct OpenStream(Arc<AtomicU64>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counters {
    pub(crate) fn response(&self, status: u16) {
        let mut responses = self
            .responses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *responses.entry(status).or_default() += 1;
    }

    /// The API refused a token.
    pub(crate) fn refusal(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// A new token was seen.
    pub(crate) fn refresh(&self) {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) -> OpenStream {
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenStream(Arc::clone(&self.open))
    }
}

/// A name, its kind, what it counts, and where the number is.
type Number = (
    &'static str,
    &'static str,
    &'static str,
    fn(&Counters) -> u64,
);

const NUMBERS: [Number; 4] = [
    (
        "llm_auth_proxy_refusals_total",
        "counter",
        "Access tokens that the API refused.",
        |counters| counters.refusals.load(Ordering::Relaxed),
    ),
    (
        "llm_auth_proxy_refreshes_total",
        "counter",
        "Access tokens after the first, by a refresh of this or another process.",
        |counters| counters.refreshes.load(Ordering::Relaxed),
    ),
    (
        "llm_auth_proxy_retries_total",
        "counter",
        "Requests that were sent once more after a refusal.",
        |counters| counters.retries.load(Ordering::Relaxed),
    ),
    (
        "llm_auth_proxy_open_streams",
        "gauge",
        "Responses that are being read.",
        |counters| counters.open.load(Ordering::Relaxed),
    ),
];

/// The text for the counters of these sessions, the names of which are plain.
pub(crate) fn text<'a>(sessions: impl Iterator<Item = (&'a str, &'a Counters)> + Clone) -> String {
    let mut text = String::new();
    let head = |text: &mut String, name: &str, kind: &str, help: &str| {
        let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    };
    let name = "llm_auth_proxy_responses_total";
    let help = "Responses to clients, the proxy's own ones too.";
    head(&mut text, name, "counter", help);
    for (session, counters) in sessions.clone() {
        let responses = counters
            .responses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (status, count) in responses.iter() {
            let labels = format!("session=\"{session}\",status=\"{status}\"");
            let _infallible = writeln!(text, "{name}{{{labels}}} {count}");
        }
    }
    for (name, kind, help, number) in NUMBERS {
        head(&mut text, name, kind, help);
        for (session, counters) in sessions.clone() {
            let count = number(counters);
            let _infallible = writeln!(text, "{name}{{session=\"{session}\"}} {count}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_open_until_it_is_dropped() {
        let counters = Counters::default();
        counters.response(200);
        counters.response(200);
        let open = counters.open();
        let shown_of = |counters: &Counters| text([("qwen", counters)].into_iter());
        let shown = shown_of(&counters);
        for line in [
            "llm_auth_proxy_responses_total{session=\"qwen\",status=\"200\"} 2\n",
            "# TYPE llm_auth_proxy_open_streams gauge\n",
            "llm_auth_proxy_open_streams{session=\"qwen\"} 1\n",
            "llm_auth_proxy_retries_total{session=\"qwen\"} 0\n",
        ] {
            assert!(shown.contains(line), "{line} is not in {shown}");
        }
        drop(open);
        assert!(shown_of(&counters).contains("open_streams{session=\"qwen\"} 0\n"));
    }
}
