//! Waiting for what a simulated provider sees.

use std::time::Duration;

use llm_auth_testkit::{Counters, ProviderKit};
use tokio::time::timeout;

/// Longer than anything here takes; a bound, so that a fault is a failure and not a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the provider has seen this.
pub(crate) fn wait_for(provider: &ProviderKit, seen: impl Fn(&Counters) -> bool) -> Counters {
    let counters = seen_in_time(provider, seen);
    counters.unwrap_or_else(|| panic!("nothing came: {:?}", provider.counters()))
}

/// The counters of a provider as soon as it has seen this; a process that died never lets it.
pub(crate) fn seen_in_time(
    provider: &ProviderKit,
    seen: impl Fn(&Counters) -> bool,
) -> Option<Counters> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let waited = runtime.block_on(async { timeout(PATIENCE, provider.wait_for(seen)).await });
    waited.ok()
}
