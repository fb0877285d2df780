//! Hosts, client ids, scopes and pace of each region and dialect, as they were in autumn 2026.

use std::time::Duration;

use llm_auth_core::provider::{Client, DeviceFlow, Flow, OAuthConfig, Operation};
use llm_auth_core::{OAuthToken, PollSchedule, Result, SecureUrl};

use crate::region::{Dialect, Region};

pub(crate) const REGION: &str = "region";
const DIALECT: &str = "dialect";

/// The limit for a base URL.
const LONGEST_URL: usize = 2048;

pub(crate) fn minimax(region: Region, dialect: Dialect) -> OAuthConfig {
    let mut config = match dialect {
        Dialect::MiniMaxCode => mcode(region),
        Dialect::Mmx => mmx(region),
        Dialect::OpenClaw => openclaw(region),
    };
    config.title = "MiniMax".into();
    // In `base_resp`: 1004 is a rejected token.
    config.api_errors_in_success = true;
    let data = &mut config.session_data;
    data.insert(REGION.into(), region.name().into());
    data.insert(DIALECT.into(), dialect.name().into());
    config
}

/// openclaw 2026.9.6.
fn openclaw(region: Region) -> OAuthConfig {
    let (account, api) = match region {
        Region::Cn => ("account.minimaxi.com", "api.minimaxi.com"),
        Region::Global => ("account.minimax.io", "api.minimax.io"),
    };
    let mut config = at(account, api, "/anthropic");
    config.client = Client::known("78257093-7e40-4613-99e0-527b14b39113");
    config.scope = "group_id profile model.completion".into();
    let rules = config.rules(Operation::DeviceAuthorization);
    rules.add.insert("response_type".into(), "code".into());
    let mut flow = device_flow(Duration::from_secs(2));
    flow.grant_type = "urn:ietf:params:oauth:grant-type:user_code".into();
    flow.echoes_state = true;
    config.flows = vec![Flow::Device(flow)];
    config
}

/// mmx-cli 1.0.27.
fn mmx(region: Region) -> OAuthConfig {
    let (account, api) = match region {
        Region::Cn => ("account.minimaxi.com", "api.minimax.cn"),
        Region::Global => ("account.minimax.io", "api.minimax.io"),
    };
    let mut config = at(account, api, "/anthropic");
    config.client = Client::known("659cf4c1-615c-45f6-a5f6-4bf15eb476e5");
    config.scope = "openid profile coding_plan".into();
    let mut flow = device_flow(Duration::from_secs(3));
    flow.echoes_state = true;
    config.flows = vec![Flow::Device(flow)];
    config
}

/// MiniMax Code, read through its forks tournierjc/kinetick-code and jasonkneen/minimax-code-plus.
fn mcode(region: Region) -> OAuthConfig {
    const SCOPE: &str = "agent.default";
    let (account, api) = match region {
        Region::Cn => ("account.minimax.cn", "agent.minimax.cn"),
        Region::Global => ("account.minimax.io", "agent.minimax.io"),
    };
    let mut config = at(account, api, "/mavis/api/v1/llm/v1");
    config.endpoints.revocation = Some(known(account, "/oauth2/revoke"));
    config.client = Client::known("mcode-public");
    config.scope = SCOPE.into();
    config.required_scope = Some(SCOPE.into());
    for operation in [Operation::DeviceAuthorization, Operation::Refresh] {
        let rules = config.rules(operation);
        rules.add.insert("audience".into(), "agent-backend".into());
    }
    let rules = config.rules(Operation::Refresh);
    rules.add.insert("scope".into(), SCOPE.into());
    config.flows = vec![Flow::Device(device_flow(Duration::from_secs(5)))];
    config
}

fn at(account: &str, api: &str, api_path: &str) -> OAuthConfig {
    let mut config = OAuthConfig::new("minimax", known(account, "/oauth2/token"));
    config.endpoints.device_authorization = Some(known(account, "/oauth2/device/code"));
    config.endpoints.api_base = Some(known(api, api_path));
    config.access_check = Some("/anthropic/v1/models".into());
    config
}

/// The flow with the wait between polls if the response names none. A named one is in milliseconds
/// next to `expired_in` and in seconds next to `expires_in`.
fn device_flow(interval: Duration) -> DeviceFlow {
    let mut flow = DeviceFlow::default();
    flow.pkce = true;
    flow.request_id = true;
    flow.schedule = PollSchedule::new().default_interval(interval);
    flow
}

fn known(host: &str, path: &str) -> SecureUrl {
    SecureUrl::known(&format!("https://{host}{path}"))
}

/// The region and the dialect of a session, as far as it records them. Token files of gochat record
/// nothing but the API.
pub(crate) fn of_session(session: &OAuthToken) -> Result<(Option<Region>, Option<Dialect>)> {
    let recorded = |name| session.metadata.provider_data.get(name);
    let region = match recorded(REGION) {
        Some(name) => Some(name.parse()?),
        None => session
            .resource_url
            .as_deref()
            .and_then(|url| Region::of_host(&SecureUrl::new(url).ok()?.host())),
    };
    let dialect = recorded(DIALECT).map(|name| name.parse()).transpose()?;
    Ok((region, dialect))
}

/// The API in the session, if it is a URL that may receive a bearer token.
pub(crate) fn named_api(session: &OAuthToken) -> Option<SecureUrl> {
    let named = SecureUrl::new(session.resource_url.as_deref()?).ok()?;
    let is_plain = !named.as_str().contains('?') && named.as_str().len() <= LONGEST_URL;
    is_plain.then_some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_and_dialect_has_its_own_hosts() {
        use Dialect::{MiniMaxCode, Mmx, OpenClaw};
        for (region, dialect, account, api) in [
            (
                Region::Global,
                OpenClaw,
                "account.minimax.io",
                "api.minimax.io",
            ),
            (Region::Global, Mmx, "account.minimax.io", "api.minimax.io"),
            (
                Region::Global,
                MiniMaxCode,
                "account.minimax.io",
                "agent.minimax.io",
            ),
            (
                Region::Cn,
                OpenClaw,
                "account.minimaxi.com",
                "api.minimaxi.com",
            ),
            (Region::Cn, Mmx, "account.minimaxi.com", "api.minimax.cn"),
            (
                Region::Cn,
                MiniMaxCode,
                "account.minimax.cn",
                "agent.minimax.cn",
            ),
        ] {
            let endpoints = minimax(region, dialect).endpoints;
            let hosts: Vec<_> = endpoints.iter().map(|(_, url)| url.host()).collect();
            let revokes = usize::from(dialect == MiniMaxCode);
            assert_eq!(hosts[..2], [account, account]);
            assert_eq!(hosts[2..2 + revokes], vec![account; revokes]);
            assert_eq!(hosts[2 + revokes..], [api]);
        }
    }
}
