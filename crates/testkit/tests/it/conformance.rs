//! The checks of a provider pass if it is right, and name what is wrong.

use llm_auth_core::provider::{
    BodyFormat, Call, Client, CodeFlow, DeviceFlow, Flow, LoopbackHost, OAuthConfig, Operation,
    Poll, Response, TokenResponse,
};
use llm_auth_core::{ClientCredentials, OAuthToken, ProviderSpec, Result, SecureUrl};
use llm_auth_testkit::{Conformance, Failures};

/// A provider with both flows, each endpoint at another host.
pub(crate) fn vendor() -> OAuthConfig {
    let mut config = OAuthConfig::new("vendor", SecureUrl::known("https://vendor.example/token"));
    let known = |url| Some(SecureUrl::known(url));
    let endpoints = &mut config.endpoints;
    endpoints.device_authorization = known("https://vendor.example/device");
    endpoints.authorization = known("https://login.vendor.example/authorize");
    endpoints.revocation = known("https://vendor.example/revoke");
    endpoints.userinfo = known("https://id.vendor.example/me");
    endpoints.api_base = known("https://api.vendor.example/v1");
    config.client = Client::known("my-app");
    config.scope = "inference email".into();
    config.identity_scopes = vec!["email".into()];
    config.flows = vec![
        Flow::Device(DeviceFlow::default()),
        Flow::Code(CodeFlow::new("/callback/vendor")),
    ];
    config
}

async fn failures(spec: impl ProviderSpec) -> Vec<String> {
    let result = Conformance::of(spec.builder()).check().await;
    result.map_or_else(|failures| failures.lines().to_vec(), |()| Vec::new())
}

async fn conforms(spec: impl ProviderSpec) {
    assert_eq!(failures(spec).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_provider_with_both_flows_and_every_endpoint_conforms() {
    conforms(vendor()).await;
}

#[tokio::test]
async fn a_provider_that_needs_its_user_s_client_and_cannot_revoke_conforms() {
    let mut config = vendor();
    config.client = Client::Required("bring an OAuth client".into());
    config.endpoints.revocation = None;
    config.endpoints.userinfo = None;
    conforms(config).await;
}

#[tokio::test]
async fn a_provider_with_a_secret_an_audience_an_issuer_and_refresh_tokens_that_stay_conforms() {
    let mut config = vendor();
    config.client = Client::Known(ClientCredentials::new("my-app", Some("made-up".into())));
    config.rotates_refresh_tokens = false;
    let mut code = CodeFlow::new("/callback/vendor");
    code.issuer = Some("https://vendor.example".into());
    code.redirect.host = LoopbackHost::Localhost;
    let mut device = DeviceFlow::default();
    device.pkce = true;
    config.flows = vec![Flow::Code(code), Flow::Device(device)];
    for operation in [Operation::Authorization, Operation::DeviceAuthorization] {
        let rules = config.rules(operation);
        rules.add.insert("audience".into(), "inference".into());
    }
    let data = &mut config.session_data;
    data.insert("region".into(), "moon".into());
    conforms(config).await;
}

#[tokio::test]
async fn a_provider_whose_redirect_has_a_secret_path_conforms() {
    let mut config = vendor();
    let mut code = CodeFlow::new("/callback/vendor");
    code.secret_path = true;
    config.flows = vec![Flow::Code(code)];
    conforms(config).await;
}

#[tokio::test]
async fn lines_of_the_table_are_neither_lost_nor_left_out() {
    let mut config = vendor();
    config.flows.clear();
    let builder = config.clone().builder();
    let failures = Conformance::of(builder).wire_cases(3).check().await;
    let failures = failures.unwrap_err().to_string();
    assert_eq!(
        failures,
        "vendor does not conform (2):\n\
         - wire table: it has 0 lines for this provider, not 3\n\
         - sign-in: the configuration has no flow"
    );
    config.name = "qwen".into();
    let failures = Conformance::of(config.builder()).check().await.unwrap_err();
    assert_eq!(
        failures.lines()[0],
        "wire table: it has 24 lines for this provider, not 0"
    );
}

#[tokio::test]
async fn a_rule_that_the_standard_server_does_not_have_is_named() {
    let mut config = vendor();
    config.body = BodyFormat::Json;
    let all = failures(config).await;
    assert!(!all.is_empty());
    for line in all {
        assert!(line.contains("simulate this provider"), "{line}");
    }
}

/// A spec that differs from [`vendor`] in what is wrong with it.
#[derive(Clone, Debug)]
struct Wrong {
    config: OAuthConfig,
    drops_refresh_tokens: bool,
    is_impatient: bool,
}

impl Wrong {
    fn with(change: impl FnOnce(&mut OAuthConfig)) -> Self {
        let mut config = vendor();
        config.flows.truncate(1);
        change(&mut config);
        Self {
            config,
            drops_refresh_tokens: false,
            is_impatient: false,
        }
    }
}

impl ProviderSpec for Wrong {
    fn config(&self) -> OAuthConfig {
        self.config.clone()
    }

    fn poll(&self, call: &Call<'_>, response: &Response) -> Result<Poll> {
        match call.poll(response) {
            Ok(Poll::Pending) if self.is_impatient => Err(response.unreadable()),
            read => read,
        }
    }

    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        let mut token = call.token(response)?;
        if self.drops_refresh_tokens {
            token.refresh = None;
        }
        Ok(token)
    }

    fn config_for(&self, _session: &OAuthToken) -> Result<Option<OAuthConfig>> {
        Ok(None)
    }
}

/// Each failure has a line that begins so.
async fn fails(spec: Wrong, expected: &[&str]) {
    let found = failures(spec).await;
    for line in expected {
        let is_found = found.iter().any(|found| found.contains(line));
        assert!(is_found, "{line} is not in {found:#?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_provider_is_named() {
    let without = |operation, name: &'static str| {
        Wrong::with(|config| {
            let rules = config.rules(operation);
            rules.add.insert(name.into(), String::new());
        })
    };
    fails(
        without(Operation::Refresh, "client_id"),
        &["refresh: the server objects: refresh: client_id is required"],
    )
    .await;
    fails(
        without(Operation::Revocation, "token"),
        &["revocation: the server objects: revocation: token is required"],
    )
    .await;
    fails(
        without(Operation::Poll, "device_code"),
        &["sign-in (Device flow): the server objects: poll: device_code is required"],
    )
    .await;
    let mut lossy = Wrong::with(|_| ());
    lossy.drops_refresh_tokens = true;
    fails(
        lossy,
        &["sign-in (Device flow): the session has no refresh token"],
    )
    .await;
}

#[test]
fn failures_are_printed_as_a_test_should_print_them() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
    is_error::<Failures>();
}
