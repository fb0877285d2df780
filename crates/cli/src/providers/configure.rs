//! The configuration of a provider by the environment and the flags.

use std::time::Duration;

use llm_auth_core::{HttpClient, Secret};
use llm_auth_gemini::{GeminiEndpoints, GeminiProvider, GeminiProviderBuilder, OAuthClient};
use llm_auth_minimax::{MiniMaxProvider, MiniMaxProviderBuilder};
use llm_auth_qwen::{QwenProvider, QwenProviderBuilder};

use super::args::ProviderArgs;
use super::endpoints;
use super::http::{build, http_client, network};
use super::name::ProviderName;
use super::provider::Provider;
use super::reader;
use super::recipients::check_secret;
use crate::error::Failure;
use crate::system::env::{self, Variables};

impl ProviderName {
    /// The provider as the flags and the environment want it. `patience` bounds a sign-in.
    pub(crate) fn configure(
        self,
        args: &ProviderArgs,
        request_timeout: Option<Duration>,
        patience: Option<Duration>,
    ) -> Result<Provider, Failure> {
        let http = http_client(request_timeout)?;
        self.configure_with(http, args, patience)
    }

    /// The same for a stored session: what is secret goes by no way on which the environment lets
    /// another read it.
    pub(crate) fn configure_for_stored(
        self,
        args: &ProviderArgs,
        request_timeout: Option<Duration>,
    ) -> Result<Provider, Failure> {
        let mut http = network(request_timeout)?;
        if let Some(why) = reader::doubt(&args.trust)? {
            http = http.refuse_secrets_by_proxy(why);
        }
        self.configure_with(build(http)?, args, None)
    }

    /// The same for questions that nothing is sent for.
    pub(crate) fn configure_offline(self, args: &ProviderArgs) -> Result<Provider, Failure> {
        self.configure_with(HttpClient::default(), args, None)
    }

    fn configure_with(
        self,
        http: HttpClient,
        args: &ProviderArgs,
        patience: Option<Duration>,
    ) -> Result<Provider, Failure> {
        self.check_flags(args)?;
        let variables = Variables::of(self.name());
        let trusted = args.trust.hosts()?;
        Ok(match self {
            Self::Qwen => {
                let builder = QwenProvider::builder()
                    .endpoints(endpoints::qwen(&variables, patience)?)
                    .http(http);
                let trust = QwenProviderBuilder::trust_endpoint;
                Provider::Qwen(trusted.into_iter().fold(builder, trust).build())
            }
            Self::MiniMax => {
                let endpoints =
                    endpoints::minimax(&variables, args.region(), args.dialect, patience)?;
                let builder = MiniMaxProvider::builder().endpoints(endpoints).http(http);
                let trust = MiniMaxProviderBuilder::trust_endpoint;
                Provider::MiniMax(trusted.into_iter().fold(builder, trust).build())
            }
            Self::Gemini => {
                let endpoints = endpoints::gemini(&variables)?;
                let client = gemini_client(&variables, args)?
                    .filter(|client| self.may_have(client, args, &endpoints));
                let mut builder = GeminiProvider::builder().endpoints(endpoints).http(http);
                let trust = GeminiProviderBuilder::trust_endpoint;
                builder = trusted.into_iter().fold(builder, trust);
                if let Some(client) = client {
                    builder = builder.client(client);
                }
                if let Some(project) = variables.word("QUOTA_PROJECT")? {
                    builder = builder.quota_project(project);
                }
                if let Some(patience) = patience {
                    builder = builder.timeout(patience);
                }
                if let Some(address) = &args.login_hint {
                    builder = builder.login_hint(address);
                }
                Provider::Gemini(builder.build())
            }
        })
    }

    /// Whether the token endpoint may have the secret of the user's client. That of a session that
    /// is taken over goes where the session goes.
    fn may_have(
        self,
        client: &OAuthClient,
        args: &ProviderArgs,
        endpoints: &GeminiEndpoints,
    ) -> bool {
        args.client.is_some()
            || client.secret().is_none()
            || check_secret(self, args, &endpoints.token).is_ok()
    }

    /// Refuses a sign-in that lacks what this vendor needs, or that would send the secret of the
    /// user's client elsewhere, before anything is done.
    pub(crate) fn check_login(self, args: &ProviderArgs) -> Result<(), Failure> {
        if self != Self::Gemini {
            return Ok(());
        }
        let variables = Variables::of(self.name());
        let Some(client) = gemini_client(&variables, args)? else {
            return Err(Failure::Config {
                message: "gemini: there is no OAuth client to sign in with".into(),
                advice:
                    "make an OAuth client of type \"Desktop app\" in the Google Cloud console, \
                         then run `llm-auth login gemini --client-file client_secret.json`"
                        .into(),
            });
        };
        let endpoints = endpoints::gemini(&variables)?;
        if self.may_have(&client, args, &endpoints) {
            return Ok(());
        }
        check_secret(self, args, &endpoints.token)
    }

    /// Whether a sign-in sends the secret of a client of the user's own.
    pub(crate) fn sends_client_secret(self, args: &ProviderArgs) -> Result<bool, Failure> {
        if self != Self::Gemini {
            return Ok(false);
        }
        let client = gemini_client(&Variables::of(self.name()), args)?;
        Ok(client.is_some_and(|client| client.secret().is_some()))
    }

    pub(crate) fn check_flags(self, args: &ProviderArgs) -> Result<(), Failure> {
        let misplaced = match self {
            Self::Gemini => args.region.map(|_| "--region is for minimax"),
            Self::MiniMax => args.client_file.as_ref().map(|_| CLIENT_FILE_ELSEWHERE),
            Self::Qwen if args.region.is_some() => Some("--region is for minimax"),
            Self::Qwen => args.client_file.as_ref().map(|_| CLIENT_FILE_ELSEWHERE),
        };
        misplaced.map_or(Ok(()), |why| Err(Failure::Usage(why.into())))
    }
}

const CLIENT_FILE_ELSEWHERE: &str = "--client-file is for gemini";

/// The client of the file, else of the variables.
fn gemini_client(
    variables: &Variables,
    args: &ProviderArgs,
) -> Result<Option<OAuthClient>, Failure> {
    if let Some(client) = &args.client {
        return Ok(Some(client.clone()));
    }
    if let Some(file) = &args.client_file {
        return file.client().map(Some);
    }
    let secret = variables.word("CLIENT_SECRET")?.map(Secret::from);
    match (variables.word("CLIENT_ID")?, secret) {
        (Some(id), secret) => Ok(Some(OAuthClient::new(id, secret))),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(env::not_valid(
            &variables.name("CLIENT_SECRET"),
            &format!("{} is not set", variables.name("CLIENT_ID")),
        )),
    }
}
