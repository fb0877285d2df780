//! What every provider must do, checked in one call.

mod device;
mod failures;
mod flows;
mod import;
mod recipients;
mod refresh;
mod responses;
mod revocation;
mod sign_in;
mod standard;
mod subject;
mod unsuccessful;
mod wire;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use llm_auth_core::{OAuthProviderBuilder, ProviderSpec};
use tokio::time::timeout;

use crate::cases::WireCase;
pub use failures::Failures;
use subject::{Make, Subject};
pub(crate) use subject::{check as ensure, expect};

/// No check takes longer, unless it waits for what never comes.
const TIME_LIMIT: Duration = Duration::from_secs(60);

type Check<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// What every provider must do, checked in one call from the tests of its crate.
///
/// The other side is the simulated provider of the same name, otherwise the `standard` one, set up
/// from the provider's configuration: its endpoints' paths, client, scopes, parameters, `iss` and
/// rotation. It checks, for each flow of the provider if that makes a difference:
///
/// - each line of the table of responses ([`wire_cases`](crate::wire_cases)) is read as the table
///   demands;
/// - a whole sign-in leaves no violation at the server and polls at its pace; the session records
///   its server, client and data, and neither it nor the provider shows a secret in `Debug`; a
///   response with another `state` is ignored;
/// - an [`AuthManager`](llm_auth_core::AuthManager) refreshes it: the access token is new, the
///   refresh token rotates as the configuration says, and stays if the server omits it; a rejected
///   refresh token needs a sign-in; a refresh names the client of the session, and an error repeats
///   no secret. This does not apply to a provider [without refresh tokens](Self::without_refresh_tokens);
/// - a revocation is confirmed and the session is dead at the server, or the provider reports that
///   it is not supported;
/// - a denial and an expiry end a sign-in as such, and failures between it and the server do not;
/// - a session goes to no other server than the one that issued it, unless that is trusted;
/// - a session of another program can be imported and refreshed, or the error names what is
///   missing.
///
/// A provider whose users bring an OAuth client
/// ([`Client::Required`](llm_auth_core::provider::Client::Required)) gets one, unless the builder sets it.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::{Client, CodeFlow, DeviceFlow, Flow, OAuthConfig};
/// use llm_auth_core::{ProviderSpec as _, SecureUrl};
/// use llm_auth_testkit::{Conformance, Failures};
///
/// # fn vendor() -> OAuthConfig {
/// let mut config = OAuthConfig::new("vendor", SecureUrl::known("https://vendor.example/token"));
/// let known = |url| Some(SecureUrl::known(url));
/// config.endpoints.device_authorization = known("https://vendor.example/device");
/// config.endpoints.authorization = known("https://vendor.example/authorize");
/// config.client = Client::known("my-app");
/// config.scope = "inference".into();
/// config.flows = vec![
///     Flow::Device(DeviceFlow::default()),
///     Flow::Code(CodeFlow::new("/callback/vendor")),
/// ];
/// # config
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Failures> {
/// # let config = vendor();
/// // In a test: #[tokio::test] async fn the_provider_conforms() -> Result<(), Failures>
/// Conformance::of(config.builder()).check().await
/// # }
/// ```
#[must_use = "nothing is checked before `check`"]
pub struct Conformance<S: ?Sized> {
    make: Make<S>,
    first_client: Option<String>,
    wire_cases: usize,
    refreshes: bool,
    is_own_case: Box<dyn Fn(&WireCase) -> bool + Send + Sync>,
}

impl<S: ProviderSpec + ?Sized> Conformance<S> {
    /// Of the provider that this builder makes. Its endpoints, pace and clock are set by the checks.
    pub fn of(provider: OAuthProviderBuilder<S>) -> Self {
        Self::of_new(move || provider.clone())
    }

    /// Of a provider that keeps something of its own between sign-ins: a new one is made for each
    /// use, with nothing kept.
    pub fn of_new(make: impl Fn() -> OAuthProviderBuilder<S> + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(make),
            first_client: None,
            wire_cases: 0,
            refreshes: true,
            is_own_case: Box::new(|_| true),
        }
    }

    /// How many lines the table of responses has for this provider, so that none is lost. Default:
    /// none.
    pub fn wire_cases(mut self, count: usize) -> Self {
        self.wire_cases = count;
        self
    }

    /// Which lines of the table this configuration of the provider must read, if others are for
    /// another one. Default: all of the provider's name.
    pub fn only_cases(
        mut self,
        is_own: impl Fn(&WireCase) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.is_own_case = Box::new(is_own);
        self
    }

    /// For a provider whose server issues the client during the sign-in: the client that a first one
    /// names. The simulated server then issues clients, and only those can redeem a code.
    pub fn first_client(mut self, id: impl Into<String>) -> Self {
        self.first_client = Some(id.into());
        self
    }

    /// The provider issues no refresh tokens: its sessions are API keys, say. Nothing is refreshed
    /// then, and a session with a refresh token is a failure. Default: it issues them.
    pub fn without_refresh_tokens(mut self) -> Self {
        self.refreshes = false;
        self
    }

    /// Runs all checks.
    ///
    /// # Errors
    ///
    /// What failed, one line each.
    pub async fn check(self) -> Result<(), Failures> {
        let subject = Subject::new(self.make, self.first_client, self.refreshes);
        let mut failures = Failures::of(subject.name());
        let cases = crate::cases::wire_cases(subject.name());
        let own: Vec<_> = cases.into_iter().filter(&*self.is_own_case).collect();
        if own.len() != self.wire_cases {
            failures.add(
                "wire table",
                format!(
                    "it has {} lines for this provider, not {}",
                    own.len(),
                    self.wire_cases
                ),
            );
        }
        for (line, case) in own.iter().enumerate() {
            let name = format!("wire table, line {} of the provider", line + 1);
            let check: Check<'_> = Box::pin(wire::check(&subject, case));
            failures.record(&name, limited(check).await);
        }
        let flows = subject.flows();
        if flows.is_empty() {
            failures.add("sign-in", "the configuration has no flow".into());
            return failures.into_result();
        }
        for flow in flows {
            let checks: [(&str, Check<'_>); 3] = [
                ("sign-in", Box::pin(sign_in::check(&subject, flow))),
                ("denial", Box::pin(unsuccessful::denial(&subject, flow))),
                ("expiry", Box::pin(unsuccessful::expiry(&subject, flow))),
            ];
            for (name, check) in checks {
                let name = format!("{name} ({flow:?} flow)");
                failures.record(&name, limited(check).await);
            }
        }
        if subject.refreshes {
            let checks: [(&str, Check<'_>); 6] = [
                ("refresh", Box::pin(refresh::check(&subject))),
                ("kept refresh token", Box::pin(refresh::omission(&subject))),
                (
                    "rejected refresh token",
                    Box::pin(refresh::rejection(&subject)),
                ),
                (
                    "client of the session",
                    Box::pin(responses::recorded_client(&subject)),
                ),
                (
                    "senseless lifetime",
                    Box::pin(responses::senseless_lifetime(&subject)),
                ),
                (
                    "repeated secret",
                    Box::pin(responses::repeated_secret(&subject)),
                ),
            ];
            for (name, check) in checks {
                failures.record(name, limited(check).await);
            }
        }
        let checks: [(&str, Check<'_>); 7] = [
            ("device code request", Box::pin(device::request(&subject))),
            ("trouble at polls", Box::pin(device::trouble(&subject))),
            (
                "no refresh token",
                Box::pin(responses::no_refresh_token(&subject)),
            ),
            ("revocation", Box::pin(revocation::check(&subject))),
            ("recipients", Box::pin(recipients::check(&subject))),
            ("client secret", Box::pin(recipients::secret(&subject))),
            ("import", Box::pin(import::check(&subject))),
        ];
        for (name, check) in checks {
            failures.record(name, limited(check).await);
        }
        failures.into_result()
    }
}

impl<S: ?Sized> fmt::Debug for Conformance<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("wire_cases", &self.wire_cases)
            .finish_non_exhaustive()
    }
}

async fn limited(check: Check<'_>) -> Result<(), String> {
    let result = timeout(TIME_LIMIT, check).await;
    result.unwrap_or_else(|_| Err(format!("it did not end within {TIME_LIMIT:?}")))
}
