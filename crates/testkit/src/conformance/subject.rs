//! The provider that is checked, and servers for it.

use std::fmt::Display;
use std::time::Duration;

use llm_auth_core::provider::{Client, OAuthConfig};
use llm_auth_core::{
    ClientCredentials, FlowKind, OAuthProvider, OAuthProviderBuilder, OAuthToken, ProviderSpec,
    Timestamp,
};

use super::standard::standard;
use crate::client::immediate_polls;
use crate::kit::{Testkit, TestkitBuilder};
use crate::provider::Provider;
use crate::provider_kit::ProviderKit;
use crate::settings::{Approval, Rotation};

/// The client of a user who brings one.
const CLIENT_ID: &str = "testkit-users-client";
const CLIENT_SECRET: &str = "testkit-users-secret";

/// Makes the provider that is checked.
pub(super) type Make<S> = Box<dyn Fn() -> OAuthProviderBuilder<S> + Send + Sync>;

/// A provider and its configuration.
pub(super) struct Subject<S: ?Sized> {
    make: Make<S>,
    /// The client of a user, if each brings one.
    client: Option<ClientCredentials>,
    /// What a first sign-in names, if the server issues clients.
    first_client: Option<String>,
    config: OAuthConfig,
    simulated: Provider,
    /// Whether its sessions have a refresh token.
    pub(super) refreshes: bool,
}

/// A simulated server on which only one provider is used.
pub(super) struct Server {
    kit: Testkit,
    provider: Provider,
}

impl<S: ProviderSpec + ?Sized> Subject<S> {
    pub(super) fn new(make: Make<S>, first_client: Option<String>, refreshes: bool) -> Self {
        let config = make().build().config().clone();
        let mut names = Provider::ALL.into_iter();
        let found = names.find(|(_, name)| *name == config.name);
        let simulated = found.map_or(Provider::Standard, |(provider, _)| provider);
        let brings_one = matches!(config.client, Client::Required(_)) && first_client.is_none();
        let client = brings_one.then(|| {
            let has_secret = simulated == Provider::Gemini;
            ClientCredentials::new(CLIENT_ID, has_secret.then(|| CLIENT_SECRET.into()))
        });
        let mut subject = Self {
            make,
            client,
            first_client,
            config,
            simulated,
            refreshes,
        };
        subject.config = subject.builder().build().config().clone();
        subject
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    pub(super) fn config(&self) -> &OAuthConfig {
        &self.config
    }

    pub(super) fn flows(&self) -> Vec<FlowKind> {
        self.config.flows.iter().map(|flow| flow.kind()).collect()
    }

    /// With a client, at its own endpoints.
    pub(super) fn builder(&self) -> OAuthProviderBuilder<S> {
        match &self.client {
            Some(client) => (self.make)().client(client.clone()),
            None => (self.make)(),
        }
    }

    /// Whether the server issues the client during a sign-in.
    pub(super) fn issues_clients(&self) -> bool {
        self.first_client.is_some()
    }

    /// A session that no server issued. It names a client if only an issued one would do.
    pub(super) fn made_up(&self) -> OAuthToken {
        let mut session = made_up();
        if self.issues_clients() {
            let data = &mut session.metadata.provider_data;
            data.insert("client_id", "made-up-issued");
        }
        session
    }

    /// As the user made it.
    pub(super) fn given(&self) -> OAuthProvider<S> {
        (self.make)().build()
    }

    /// At another server, with the pace of the provider.
    pub(super) fn paced_at(&self, base: &str) -> Result<OAuthProviderBuilder<S>, String> {
        expect("the base URL", self.builder().base_url(base))
    }

    /// At another server, without waits.
    pub(super) fn at(&self, base: &str) -> Result<OAuthProviderBuilder<S>, String> {
        Ok(self.paced_at(base)?.schedule(immediate_polls()))
    }

    /// The same, and trusting that server with sessions of others.
    pub(super) fn trusting(&self, base: &str) -> Result<OAuthProviderBuilder<S>, String> {
        let host = expect("the host of the server", base.parse())?;
        Ok(self.at(base)?.trust_endpoint(host))
    }

    /// A server that approves, for the first flow.
    pub(super) async fn server(&self) -> Result<Server, String> {
        let flow = self.config.flows.first().map(|flow| flow.kind());
        let flow = flow.ok_or("the configuration has no flow")?;
        let builder = Testkit::builder().approval(Approval::Auto);
        self.server_for(flow, builder.interval(Duration::ZERO))
            .await
    }

    /// A server with these settings.
    pub(super) async fn server_for(
        &self,
        flow: FlowKind,
        mut builder: TestkitBuilder,
    ) -> Result<Server, String> {
        let client = self.config.client.credentials();
        if self.simulated == Provider::Standard {
            builder = builder.standard(standard(&self.config, flow, self.first_client.as_deref())?);
        } else if let Some(client) = client
            && let Some(secret) = &client.secret
        {
            builder = builder.google_client(&client.id, secret.expose());
        }
        let kit = expect("the simulated server", builder.start().await)?;
        let server = Server {
            kit,
            provider: self.simulated,
        };
        if self.simulated == Provider::Standard {
            let issuer = self.config.code_flow().and_then(|flow| flow.issuer.clone());
            server.provider().set_issuer(issuer);
            server.provider().set_rotation(self.rotation());
        } else if let Some(client) = client {
            server.provider().allow_client(&client.id);
        }
        Ok(server)
    }

    /// As the configuration has it.
    fn rotation(&self) -> Rotation {
        match self.config.rotates_refresh_tokens {
            true => Rotation::Rotate,
            false => Rotation::Omit,
        }
    }

    /// `Err` if a session lacks what a later refresh of it needs.
    pub(super) fn check_records(&self, session: &OAuthToken) -> Result<(), String> {
        let recorded = &session.metadata.provider_data;
        let client = self.config.client.credentials();
        let id = client.map(|client| ("client_id", client.id.as_str()));
        let data = self.config.session_data.iter();
        let data = data.chain(&self.config.client_data);
        let data = data.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in data.chain(id) {
            let found = recorded.get(name);
            check(found == Some(value), || {
                format!("the session records {name} {found:?}, not {value:?}")
            })?;
        }
        if let Some(first) = &self.first_client {
            let found = recorded.get("client_id");
            check(found.is_some_and(|id| id != first), || {
                format!("the session records the client {found:?}, not the issued one")
            })?;
        }
        let secret = client.and_then(|client| client.secret.as_ref());
        check(session.metadata.client_secret.as_ref() == secret, || {
            "the session does not record the client secret that a refresh of it needs".into()
        })
    }
}

impl Server {
    pub(super) fn base_url(&self) -> &str {
        self.kit.base_url()
    }

    pub(super) fn provider(&self) -> &ProviderKit {
        self.kit.provider(self.provider)
    }

    /// `Err` if the server would have rejected a request.
    pub(super) fn check_violations(&self) -> Result<(), String> {
        let mut violations = self.provider().violations();
        let unknown = self.kit.unknown_paths();
        violations.extend(unknown.iter().map(|path| format!("no such path: {path}")));
        check(violations.is_empty(), || {
            format!("the server objects: {}", violations.join("; "))
        })
    }

    /// How many requests with credentials came.
    pub(super) fn credentials_received(&self) -> u64 {
        let seen = self.provider().counters();
        seen.refreshes + seen.revocations + seen.userinfo
    }
}

/// A session that no server issued.
pub(super) fn made_up() -> OAuthToken {
    let mut session = OAuthToken::new("made-up".into(), Timestamp::default());
    session.refresh = Some("made-up-refresh".into());
    session
}

/// `Err` with these words if a condition does not hold.
pub(crate) fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(why()),
    }
}

/// The value, or what failed and how.
pub(crate) fn expect<T, E: Display>(what: &str, result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("{what} failed: {error}"))
}

/// The error of what must fail.
pub(super) fn expect_error<T, E>(what: &str, result: Result<T, E>) -> Result<E, String> {
    match result {
        Ok(_) => Err(format!("{what} succeeded")),
        Err(error) => Ok(error),
    }
}
