//! The checks of a provider pass if it is right, and name what is wrong.

use llm_auth_core::provider::{
    BodyFormat, Call, Client, CodeFlow, DeviceFlow, Flow, LoopbackHost, OAuthConfig, Operation,
    Poll, Response, TokenResponse,
};
use llm_auth_core::{
    ClientCredentials, Error, ErrorKind, OAuthToken, ProviderSpec, Result, SecureUrl,
};
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

/// A provider with one thing wrong.
#[derive(Clone, Debug)]
enum Wrong {
    /// This parameter is empty in the requests of one operation.
    Request(Operation, &'static str),
    /// The refresh tokens of responses are dropped.
    NoRefreshToken,
    /// A failure of the network ends a sign-in.
    Impatience,
    /// A code of the server for a denial is taken for another.
    Denial,
    /// The API of each session is at whatever host it names.
    Api,
    /// A response without a refresh token is an error.
    Omission,
}

impl ProviderSpec for Wrong {
    fn config(&self) -> OAuthConfig {
        let mut config = vendor();
        config.flows.truncate(1);
        if let Self::Request(operation, name) = self {
            let rules = config.rules(*operation);
            rules.add.insert((*name).into(), String::new());
        }
        if let Self::Denial = self {
            let codes = &mut config.error_codes;
            codes.insert("access_denied".into(), "invalid_request".into());
        }
        config
    }

    fn poll(&self, call: &Call<'_>, response: &Response) -> Result<Poll> {
        match (self, call.poll(response)) {
            (Self::Impatience, Err(error)) => Err(Error::new(ErrorKind::Protocol, error.message())),
            (_, read) => read,
        }
    }

    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        let mut token = call.token(response)?;
        match self {
            Self::NoRefreshToken => token.refresh = None,
            Self::Omission if token.refresh.is_none() => {
                return Err(Error::new(ErrorKind::Protocol, "no refresh token"));
            }
            _ => {}
        }
        Ok(token)
    }

    fn named_api(&self, session: &OAuthToken) -> Option<SecureUrl> {
        SecureUrl::new(session.resource_url.as_deref()?).ok()
    }

    fn serves_api(&self, _api: &SecureUrl, _config: &OAuthConfig) -> bool {
        matches!(self, Self::Api)
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_provider_is_named() {
    let device = "sign-in (Device flow)";
    for (wrong, check, why) in [
        (
            Wrong::Request(Operation::Refresh, "client_id"),
            "refresh",
            "the server objects: refresh: client_id is required",
        ),
        (
            Wrong::Request(Operation::Revocation, "token"),
            "revocation",
            "the server objects: revocation: token is required",
        ),
        (
            Wrong::Request(Operation::Poll, "device_code"),
            device,
            "the server objects: poll: device_code is required",
        ),
        (
            Wrong::NoRefreshToken,
            device,
            "the session has no refresh token, although the server issued one",
        ),
        (
            Wrong::Impatience,
            "trouble at polls",
            "a sign-in whose polls fail four times failed",
        ),
        (
            Wrong::Denial,
            "denial (Device flow)",
            "the error is Protocol, not Denied",
        ),
        (
            Wrong::Api,
            "recipients",
            "the API base is at a host that only the session names",
        ),
        (
            Wrong::Omission,
            "kept refresh token",
            "the refresh failed: vendor: no refresh token",
        ),
    ] {
        let found = failures(wrong).await;
        let line = format!("{check}: {why}");
        let is_found = found.iter().any(|found| found.starts_with(&line));
        assert!(is_found, "{line} is not in {found:#?}");
    }
}

#[test]
fn failures_are_printed_as_a_test_should_print_them() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
    is_error::<Failures>();
}

#[tokio::test]
async fn a_provider_that_issues_refresh_tokens_is_not_one_without() {
    let conformance = Conformance::of(vendor().builder()).without_refresh_tokens();
    let failures = conformance.check().await.unwrap_err();
    for line in failures.lines() {
        assert!(line.contains("the provider issues none"), "{line}");
    }
    assert_eq!(failures.lines().len(), 2);
}
