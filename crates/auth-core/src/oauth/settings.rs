//! What the user of a provider sets, as given.

use std::time::Duration;

use super::config::{Client, ClientCredentials, DeviceFlow, Flow, FlowKind, OAuthConfig};
use super::endpoints::EndpointOverrides;
use crate::device::PollSchedule;
use crate::grant::Operation;
use crate::origin::TrustedHost;

/// The settings of a builder. They apply to every configuration that is used.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) overrides: EndpointOverrides,
    pub(super) client: Option<ClientCredentials>,
    pub(super) scope: Option<String>,
    pub(super) flow: Option<FlowKind>,
    pub(super) schedule: Option<PollSchedule>,
    pub(super) timeout: Option<Duration>,
    pub(super) login_hint: Option<String>,
    pub(super) trusted: Vec<TrustedHost>,
}

impl Settings {
    /// A provider's own configuration with these settings in place of its values.
    pub(super) fn applied_to(&self, mut config: OAuthConfig) -> OAuthConfig {
        self.overrides.apply(&mut config.endpoints);
        if let Some(client) = &self.client {
            config.client = Client::Known(client.clone());
        }
        if let Some(scope) = &self.scope {
            config.scope.clone_from(scope);
        }
        if let Some(kind) = self.flow {
            config.flows.retain(|flow| flow.kind() == kind);
        }
        for flow in &mut config.flows {
            if let Flow::Device(DeviceFlow { schedule, .. }) = flow {
                *schedule = self.schedule.unwrap_or(*schedule);
                if let Some(timeout) = self.timeout {
                    *schedule = schedule.timeout(timeout);
                }
            }
        }
        if let Some(hint) = &self.login_hint {
            let rules = config.rules(Operation::Authorization);
            rules.add.insert("login_hint".into(), hint.clone());
        }
        config
    }

    /// How long the code flow waits for the browser.
    #[cfg(feature = "loopback")]
    pub(super) fn browser_timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(300))
    }
}
