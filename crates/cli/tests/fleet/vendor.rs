//! The strict vendor, and its client.

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::provider::{Client, DeviceFlow, Flow, OAuthConfig};
use llm_auth_core::{Clock, HttpClient, OAuthProvider, PollSchedule, ProviderSpec as _, SecureUrl};
use llm_auth_testkit::{Approval, Testkit};

/// How long its access tokens live. A manager refreshes them when half of that is over, and hands
/// them out until the last minute if a holder may sleep.
pub(crate) const LIFETIME: Duration = Duration::from_secs(200);

/// How long a request may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// Between two polls of a sign-in.
const BLINK: Duration = Duration::from_millis(1);

/// A second use of a refresh token ends its session there.
pub(crate) fn start() -> Testkit {
    Testkit::builder()
        .approval(Approval::Auto)
        .interval(Duration::ZERO)
        .access_lifetime(LIFETIME)
        .start_blocking()
        .unwrap()
}

pub(crate) fn account(number: usize) -> String {
    format!("account-{number}")
}

/// By which the vendor's wire knows a host.
pub(crate) fn user_agent(host: usize, life: usize) -> String {
    format!("host-{host}-{life}")
}

pub(crate) fn provider(
    base: &str,
    user_agent: &str,
    clock: Arc<dyn Clock>,
) -> OAuthProvider<OAuthConfig> {
    let at = |path: &str| SecureUrl::new(&format!("{base}/standard/{path}")).unwrap();
    let mut config = OAuthConfig::new("standard", at("token"));
    config.endpoints.device_authorization = Some(at("device/code"));
    config.endpoints.revocation = Some(at("revoke"));
    config.client = Client::known("testkit-client");
    config.flows = vec![Flow::Device(DeviceFlow::default())];
    let http = HttpClient::builder()
        .user_agent(user_agent)
        .timeout(TIMEOUT)
        .clock(Arc::clone(&clock));
    config
        .builder()
        .schedule(PollSchedule::new().default_interval(BLINK).minimum(BLINK))
        .clock(clock)
        .http(http.build().unwrap())
        .build()
}
