//! Hosts, client ids, scopes, units and pace of each region and dialect.

use std::time::Duration;

use llm_auth_core::{PollSchedule, Result, SecureUrl};

use crate::dialect::{Dialect, Region};

/// The differences between MiniMax's regions and clients, as data.
///
/// Start from [`new`](Self::new) and set what has changed. Changes apply to new sign-ins of every
/// region; a stored session goes only to the server that issued it.
///
/// # Examples
///
/// ```
/// use llm_auth_minimax::{Dialect, MiniMaxEndpoints, Region};
///
/// let mut endpoints = MiniMaxEndpoints::new(Region::Cn, Dialect::Mmx);
/// endpoints.client_id = "my-own-client".into();
/// assert_eq!(endpoints.token.host(), "account.minimaxi.com");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MiniMaxEndpoints {
    /// The region of these endpoints; it decides which `resource_url` is trusted.
    pub region: Region,
    /// The client these endpoints are for.
    pub dialect: Dialect,
    /// The device authorization endpoint: `/oauth2/device/code` at `account.minimax.io`, in
    /// China at `account.minimaxi.com` (OpenClaw, mmx-cli) or `account.minimax.cn`
    /// (MiniMax Code).
    pub device_authorization: SecureUrl,
    /// The token endpoint, for polls and refreshes: `/oauth2/token` at the same host.
    pub token: SecureUrl,
    /// The revocation endpoint: `/oauth2/revoke` in MiniMax Code, none in the others.
    pub revocation: Option<SecureUrl>,
    /// The API base of a session without an acceptable one of its own:
    /// `https://api.minimax.io/anthropic` (OpenClaw), in China `api.minimaxi.com` (OpenClaw) or
    /// `api.minimax.cn` (mmx-cli); `https://agent.minimax.io/mavis/api/v1/llm/v1` (MiniMax Code).
    pub api_base: SecureUrl,
    /// The public client id, for which there is no secret.
    pub client_id: String,
    /// The scope, separated by spaces.
    pub scope: String,
    /// The audience, sent with the code request and with refreshes (MiniMax Code).
    pub audience: Option<String>,
    /// A scope that a sign-in must grant, if the response names the granted scope: `agent.default`
    /// (MiniMax Code).
    pub required_scope: Option<String>,
    /// The `response_type` of the code request: `code` (OpenClaw; mmx-cli does without).
    pub response_type: Option<String>,
    /// Whether a `state` is sent and must come back (OpenClaw, mmx-cli).
    pub sends_state: bool,
    /// The `grant_type` of a poll.
    pub poll_grant_type: String,
    /// The name of the code parameter in a poll.
    pub poll_parameter: PollParameter,
    /// The pace of the polls. If the response names no interval: 2 s (OpenClaw), 3 s (mmx-cli), 5 s
    /// (RFC 8628, for MiniMax Code). A named interval is in milliseconds next to `expired_in` and
    /// in seconds next to `expires_in`.
    pub schedule: PollSchedule,
}

/// The name of the code parameter in a poll.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PollParameter {
    /// `device_code`, or `user_code` when the server gave none (MiniMax Code).
    DeviceCode,
    /// `user_code` (OpenClaw, mmx-cli).
    UserCode,
}

impl MiniMaxEndpoints {
    /// The endpoints of one region and client, as they were in autumn 2026.
    #[must_use]
    pub fn new(region: Region, dialect: Dialect) -> Self {
        match dialect {
            Dialect::MiniMaxCode => Self::mcode(region),
            Dialect::Mmx => Self::mmx(region),
            Dialect::OpenClaw => Self::openclaw(region),
        }
    }

    /// The same paths at another scheme, host and port, such as a proxy or a simulated vendor. The
    /// API base moves too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if `base` is neither `https` nor
    /// loopback, or has a path.
    pub fn with_base(&self, base: &str) -> Result<Self> {
        let revocation = self.revocation.as_ref();
        Ok(Self {
            device_authorization: self.device_authorization.with_base(base)?,
            token: self.token.with_base(base)?,
            revocation: revocation.map(|url| url.with_base(base)).transpose()?,
            api_base: self.api_base.with_base(base)?,
            ..self.clone()
        })
    }

    /// openclaw 2026.9.6.
    fn openclaw(region: Region) -> Self {
        let (account, api) = match region {
            Region::Cn => ("account.minimaxi.com", "api.minimaxi.com"),
            Region::Global => ("account.minimax.io", "api.minimax.io"),
        };
        Self {
            region,
            dialect: Dialect::OpenClaw,
            device_authorization: known(account, "/oauth2/device/code"),
            token: known(account, "/oauth2/token"),
            revocation: None,
            api_base: known(api, "/anthropic"),
            client_id: "78257093-7e40-4613-99e0-527b14b39113".into(),
            scope: "group_id profile model.completion".into(),
            audience: None,
            required_scope: None,
            response_type: Some("code".into()),
            sends_state: true,
            poll_grant_type: "urn:ietf:params:oauth:grant-type:user_code".into(),
            poll_parameter: PollParameter::UserCode,
            schedule: PollSchedule::new().default_interval(Duration::from_secs(2)),
        }
    }

    /// mmx-cli 1.0.27.
    fn mmx(region: Region) -> Self {
        let api = match region {
            Region::Cn => "api.minimax.cn",
            Region::Global => "api.minimax.io",
        };
        Self {
            dialect: Dialect::Mmx,
            api_base: known(api, "/anthropic"),
            client_id: "659cf4c1-615c-45f6-a5f6-4bf15eb476e5".into(),
            scope: "openid profile coding_plan".into(),
            response_type: None,
            poll_grant_type: DEVICE_CODE_GRANT.into(),
            schedule: PollSchedule::new().default_interval(Duration::from_secs(3)),
            ..Self::openclaw(region)
        }
    }

    /// MiniMax Code, read through its forks tournierjc/kinetick-code and
    /// jasonkneen/minimax-code-plus.
    fn mcode(region: Region) -> Self {
        let (account, api) = match region {
            Region::Cn => ("account.minimax.cn", "agent.minimax.cn"),
            Region::Global => ("account.minimax.io", "agent.minimax.io"),
        };
        Self {
            region,
            dialect: Dialect::MiniMaxCode,
            device_authorization: known(account, "/oauth2/device/code"),
            token: known(account, "/oauth2/token"),
            revocation: Some(known(account, "/oauth2/revoke")),
            api_base: known(api, "/mavis/api/v1/llm/v1"),
            client_id: "mcode-public".into(),
            scope: "agent.default".into(),
            audience: Some("agent-backend".into()),
            required_scope: Some("agent.default".into()),
            response_type: None,
            sends_state: false,
            poll_grant_type: DEVICE_CODE_GRANT.into(),
            poll_parameter: PollParameter::DeviceCode,
            schedule: PollSchedule::new(),
        }
    }
}

impl Default for MiniMaxEndpoints {
    fn default() -> Self {
        Self::new(Region::default(), Dialect::default())
    }
}

/// RFC 8628 section 3.4.
const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn known(host: &'static str, path: &'static str) -> SecureUrl {
    SecureUrl::known(&format!("https://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_and_dialect_has_its_own_hosts() {
        let hosts = |region, dialect| {
            let endpoints = MiniMaxEndpoints::new(region, dialect);
            [
                endpoints.device_authorization.host(),
                endpoints.token.host(),
                endpoints.api_base.host(),
            ]
        };
        let table = [
            (
                Region::Global,
                Dialect::OpenClaw,
                "account.minimax.io",
                "api.minimax.io",
            ),
            (
                Region::Global,
                Dialect::Mmx,
                "account.minimax.io",
                "api.minimax.io",
            ),
            (
                Region::Global,
                Dialect::MiniMaxCode,
                "account.minimax.io",
                "agent.minimax.io",
            ),
            (
                Region::Cn,
                Dialect::OpenClaw,
                "account.minimaxi.com",
                "api.minimaxi.com",
            ),
            (
                Region::Cn,
                Dialect::Mmx,
                "account.minimaxi.com",
                "api.minimax.cn",
            ),
            (
                Region::Cn,
                Dialect::MiniMaxCode,
                "account.minimax.cn",
                "agent.minimax.cn",
            ),
        ];
        for (region, dialect, account, api) in table {
            assert_eq!(hosts(region, dialect), [account, account, api]);
            let endpoints = MiniMaxEndpoints::new(region, dialect);
            assert_eq!((endpoints.region, endpoints.dialect), (region, dialect));
        }
    }

    #[test]
    fn a_base_moves_every_endpoint_and_keeps_the_paths() {
        let moved = MiniMaxEndpoints::new(Region::Global, Dialect::MiniMaxCode)
            .with_base("http://127.0.0.1:4000")
            .unwrap();
        let all = [
            moved.device_authorization,
            moved.token,
            moved.revocation.unwrap(),
            moved.api_base,
        ];
        assert_eq!(
            all.map(|endpoint| endpoint.as_str().to_owned()),
            [
                "http://127.0.0.1:4000/oauth2/device/code",
                "http://127.0.0.1:4000/oauth2/token",
                "http://127.0.0.1:4000/oauth2/revoke",
                "http://127.0.0.1:4000/mavis/api/v1/llm/v1",
            ]
        );
    }
}
