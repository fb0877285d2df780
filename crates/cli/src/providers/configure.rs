//! The configuration of a provider by the environment and the flags.

use std::time::Duration;

use llm_auth::gemini::OAuthClient;
use llm_auth_core::provider::Client;
use llm_auth_core::{
    ClientCredentials, EndpointOverrides, EndpointRole, FlowKind, HttpClient, OAuthProviderBuilder,
    OAuthToken, Secret,
};

use super::args::ProviderArgs;
use super::endpoints::variable_of;
use super::http::http_client;
use super::name::ProviderName;
use super::provider::Provider;
use super::reader::careful_client;
use super::recipients::check_secret;
use super::table::Own;
use crate::error::Failure;
use crate::system::env::{self, Variables};

/// What a provider is configured for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    SignIn,
    /// A session that exists already.
    Stored,
}

impl ProviderName {
    /// The provider as the flags and the environment want it. `patience` bounds a sign-in.
    pub(crate) fn configure(
        self,
        args: &ProviderArgs,
        request_timeout: Option<Duration>,
        patience: Option<Duration>,
    ) -> Result<Provider, Failure> {
        let http = http_client(request_timeout)?;
        self.configure_with(http, args, Purpose::SignIn, None, patience)
    }

    /// The same to import a session, which belongs to the client of the program that made it.
    pub(crate) fn configure_for_import(self, args: &ProviderArgs) -> Result<Provider, Failure> {
        self.configure_with(http_client(None)?, args, Purpose::Stored, None, None)
    }

    /// The same for a stored session: what is secret goes by no way on which the environment lets
    /// another read it.
    pub(crate) fn configure_for_stored(
        self,
        args: &ProviderArgs,
        session: Option<&OAuthToken>,
        request_timeout: Option<Duration>,
    ) -> Result<Provider, Failure> {
        let http = careful_client(&args.trust, request_timeout)?;
        self.configure_with(http, args, Purpose::Stored, session, None)
    }

    /// The same for questions that nothing is sent for, about a session or about a new sign-in.
    pub(crate) fn configure_offline(
        self,
        args: &ProviderArgs,
        session: Option<&OAuthToken>,
    ) -> Result<Provider, Failure> {
        self.configure_with(HttpClient::default(), args, Purpose::Stored, session, None)
    }

    fn configure_with(
        self,
        http: HttpClient,
        args: &ProviderArgs,
        purpose: Purpose,
        session: Option<&OAuthToken>,
        patience: Option<Duration>,
    ) -> Result<Provider, Failure> {
        self.check_flags(args)?;
        let variables = self.variables();
        let overrides = self.overrides(&variables, args, session)?;
        // A session keeps the client that it was made with. A variable sets another for new sign-ins
        // only, unless each user brings a client.
        let is_for_it = purpose == Purpose::SignIn || args.client.is_some();
        let is_for_it = is_for_it || self.needs_own_client(args);
        let client = self.own_client(&variables, args)?.filter(|_| is_for_it);
        let may_have = client.is_none()
            || args.client.is_some()
            || self.check_client(args, client.as_ref(), &overrides).is_ok();
        let own = Own {
            client: client.clone().filter(|_| may_have),
            quota_project: variables.word("QUOTA_PROJECT")?,
        };
        let mut builder = OAuthProviderBuilder::of(self.row().spec(args, own))
            .overrides(overrides)
            .http(http);
        if let Some(client) = client.filter(|_| may_have) {
            let secret = client.secret().cloned();
            builder = builder.client(ClientCredentials::new(client.id(), secret));
        }
        for host in args.trust.hosts()? {
            builder = builder.trust_endpoint(host);
        }
        if let Some(scope) = self.scope(&variables, args)? {
            builder = builder.scope(scope);
        }
        if let Some(kind) = args.flow {
            builder = builder.flow(kind);
        }
        if let Some(patience) = patience {
            builder = builder.timeout(patience);
        }
        if let Some(address) = &args.login_hint {
            builder = builder.login_hint(address);
        }
        Ok(builder.build())
    }

    /// The scope of the variable; otherwise the library's with the command's own, if it has one.
    fn scope(self, variables: &Variables, args: &ProviderArgs) -> Result<Option<String>, Failure> {
        let with_identity = || {
            let identity = self.row().identity_scope?;
            Some(format!("{} {identity}", self.config(args).scope))
        };
        Ok(variables.text("SCOPE")?.or_else(with_identity))
    }

    /// The user's own client: of a session that is imported, of the file, or of the variables.
    fn own_client(
        self,
        variables: &Variables,
        args: &ProviderArgs,
    ) -> Result<Option<OAuthClient>, Failure> {
        if let Some(client) = &args.client {
            return Ok(Some(client.clone()));
        }
        if let Some(file) = &args.client_file {
            return file.client().map(Some);
        }
        let id = variables.word("CLIENT_ID")?;
        if !self.needs_own_client(args) {
            // A public client, which has no secret.
            return Ok(id.map(|id| OAuthClient::new(id, None)));
        }
        let secret = variables.word("CLIENT_SECRET")?.map(Secret::from);
        match (id, secret) {
            (Some(id), secret) => Ok(Some(OAuthClient::new(id, secret))),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(env::not_valid(
                &variables.name("CLIENT_SECRET"),
                &format!("{} is not set", variables.name("CLIENT_ID")),
            )),
        }
    }

    /// The endpoints that the environment sets, as far as the provider has them for this session or,
    /// without one, for a sign-in.
    fn overrides(
        self,
        variables: &Variables,
        args: &ProviderArgs,
        session: Option<&OAuthToken>,
    ) -> Result<EndpointOverrides, Failure> {
        let own = self.config_of(args, session).endpoints;
        let mut overrides = EndpointOverrides::default();
        if let Some(base) = variables.endpoint("BASE_URL")? {
            overrides = variables.checked("BASE_URL", overrides.base(base.as_str()))?;
        }
        for role in EndpointRole::ALL {
            if let Some(variable) = variable_of(role)
                && let Some(url) = variables.endpoint(variable)?
                && own.get(role).is_some()
            {
                overrides = overrides.endpoint(role, url);
            }
        }
        Ok(overrides)
    }

    fn needs_own_client(self, args: &ProviderArgs) -> bool {
        matches!(self.config(args).client, Client::Required(_))
    }

    /// Refuses to send the secret of this client to an endpoint that must not receive it.
    fn check_client(
        self,
        args: &ProviderArgs,
        client: Option<&OAuthClient>,
        overrides: &EndpointOverrides,
    ) -> Result<(), Failure> {
        if client.is_none_or(|client| client.secret().is_none()) {
            return Ok(());
        }
        let spec = self.row().spec(args, Own::default());
        let provider = OAuthProviderBuilder::of(spec).overrides(overrides.clone());
        let provider = provider.build();
        let endpoints = &provider.config().endpoints;
        let begins_there = self.start_of_sign_in(args) == EndpointRole::DeviceAuthorization;
        let device = endpoints.device_authorization.as_ref();
        // The flow that is not chosen requests nothing.
        let others = [
            device.filter(|_| begins_there),
            endpoints.revocation.as_ref(),
        ];
        std::iter::once(&endpoints.token)
            .chain(others.into_iter().flatten())
            .try_for_each(|endpoint| check_secret(self, args, endpoint))
    }

    /// Refuses a sign-in that lacks what this provider needs, or that would send the secret of the
    /// user's client elsewhere, before anything is done.
    pub(crate) fn check_login(self, args: &ProviderArgs) -> Result<(), Failure> {
        // A session is good for nothing here if its tokens stay here.
        self.check_hand_out()?;
        let variables = self.variables();
        let client = self.own_client(&variables, args)?;
        if client.is_none() && self.needs_own_client(args) {
            return Err(Failure::Config {
                message: format!("{}: the OAuth client is not set", self.name()),
                advice: self.row().client_advice.into(),
            });
        }
        if args.client.is_some() {
            return Ok(());
        }
        self.check_client(
            args,
            client.as_ref(),
            &self.overrides(&variables, args, None)?,
        )
    }

    /// Whether a sign-in sends the secret of a client of the user's own.
    pub(crate) fn sends_client_secret(self, args: &ProviderArgs) -> Result<bool, Failure> {
        if self.server().is_some() {
            let client = self.config(args).client;
            return Ok(client
                .credentials()
                .is_some_and(|client| client.secret.is_some()));
        }
        let client = self.own_client(&self.variables(), args)?;
        Ok(client.is_some_and(|client| client.secret().is_some()))
    }

    /// Refuses to hand out a token that the provider's terms reserve for the program that signed in.
    pub(crate) fn check_hand_out(self) -> Result<(), Failure> {
        let config = self.config(&ProviderArgs::default());
        hand_out(self, config.no_hand_out.as_deref())
    }

    pub(crate) fn check_flags(self, args: &ProviderArgs) -> Result<(), Failure> {
        let row = self.row();
        if let Some(kind) = args.flow
            && self
                .config(args)
                .flows
                .iter()
                .all(|flow| flow.kind() != kind)
        {
            let way = match kind {
                FlowKind::Device => "with a device code",
                _ => "in the browser",
            };
            let message = format!(
                "{} does not support sign-in {way}: omit --flow or --device",
                self.title()
            );
            return Err(Failure::Usage(message));
        }
        let misplaced = if args.region.is_some() && !row.takes_region {
            Some("--region applies to minimax only")
        } else if args.client_file.is_some() && !row.takes_client_file {
            Some("--client-file applies to gemini only")
        } else {
            None
        };
        misplaced.map_or(Ok(()), |why| Err(Failure::Usage(why.into())))
    }
}

fn hand_out(provider: ProviderName, forbidden: Option<&str>) -> Result<(), Failure> {
    match forbidden {
        None => Ok(()),
        Some(why) => Err(Failure::Config {
            message: format!(
                "this command does not sign in to {title}, because it hands access tokens to other \
                 programs: {why}",
                title = provider.title()
            ),
            advice: format!(
                "sign in inside your own program, with the crate llm-auth-{}",
                provider.name()
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_whose_terms_forbid_it_hands_out_no_token() {
        let provider = ProviderName::QWEN;
        assert!(hand_out(provider, None).is_ok());
        let failure = hand_out(provider, Some("its terms, section 2")).unwrap_err();
        assert!(failure.message().contains("its terms, section 2"));
    }
}
