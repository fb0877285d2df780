//! Which vendors there are, and how a provider is made of the environment and the flags.

mod client_file;
pub(crate) mod endpoints;
pub(crate) mod trust;

use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use llm_auth_core::{
    AuthManager, AuthManagerBuilder, AuthProvider, Error, HttpClient, OAuthToken, Secret,
};
use llm_auth_gemini::{GeminiEndpoints, GeminiProvider, GeminiProviderBuilder, OAuthClient};
use llm_auth_minimax::{Dialect, MiniMaxProvider, MiniMaxProviderBuilder, Region};
use llm_auth_qwen::{QwenProvider, QwenProviderBuilder};

use self::client_file::ClientFile;
use crate::error::Failure;
use crate::system::certificates;
use crate::system::env::{self, Variables};
use crate::text::not_a_word;

/// A vendor that can be signed in to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Vendor {
    Qwen,
    #[value(name = "minimax")]
    MiniMax,
    #[value(alias = "google")]
    Gemini,
}

/// What a provider is made of beside the environment.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ProviderArgs {
    /// Your own OAuth client: the client_secret.json of a "Desktop app" (gemini).
    #[arg(long, value_name = "FILE", value_parser = ClientFile::parser(), value_hint = ValueHint::AnyPath)]
    pub(crate) client_file: Option<ClientFile>,

    /// The region that the account lives in (minimax) [default: global].
    #[arg(long, value_enum)]
    pub(crate) region: Option<RegionName>,

    #[command(flatten)]
    pub(crate) trust: trust::TrustArgs,

    /// The dialect of a session that is taken over (minimax).
    #[arg(skip)]
    pub(crate) dialect: Dialect,

    /// The client of a session that is taken over (gemini).
    #[arg(skip)]
    pub(crate) client: Option<OAuthClient>,

    /// The address of the person that is to sign in (gemini).
    #[arg(skip)]
    pub(crate) login_hint: Option<String>,
}

impl ProviderArgs {
    /// The region that the flags name.
    pub(crate) fn region(&self) -> Region {
        self.region.map(Region::from).unwrap_or_default()
    }
}

/// A region of MiniMax as it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum RegionName {
    Global,
    Cn,
}

impl RegionName {
    /// As it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Cn => "cn",
        }
    }
}

/// The provider of one vendor.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    Qwen(QwenProvider),
    MiniMax(MiniMaxProvider),
    Gemini(GeminiProvider),
}

impl Vendor {
    /// The name as it is typed and stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Qwen => "qwen",
            Self::MiniMax => "minimax",
            Self::Gemini => "gemini",
        }
    }

    /// The name as a person knows it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Qwen => "Qwen",
            Self::MiniMax => "MiniMax",
            Self::Gemini => "Gemini",
        }
    }

    /// The vendor of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::value_variants()
            .iter()
            .copied()
            .find(|vendor| vendor.name() == name)
    }

    /// What a sign-in is good for today, said before a person takes the trouble.
    pub(crate) fn state_of_affairs(self) -> &'static str {
        match self {
            Self::Qwen => {
                "Qwen ended its free sign-in on 2026-04-15: signing in may still work, but the API \
                 refuses the tokens of most accounts."
            }
            Self::MiniMax => "The API takes tokens of accounts with a Token Plan only.",
            Self::Gemini => {
                "It takes an OAuth client of your own (type \"Desktop app\"), and calls count on the \
                 client's project."
            }
        }
    }

    /// The provider as the flags and the environment want it. `patience` bounds a sign-in.
    pub(crate) fn provider(
        self,
        args: &ProviderArgs,
        request_timeout: Option<Duration>,
        patience: Option<Duration>,
    ) -> Result<Provider, Failure> {
        let http = http_client(request_timeout)?;
        self.provider_by(http, args, patience)
    }

    /// The same for questions that nothing is sent for.
    pub(crate) fn offline_provider(self, args: &ProviderArgs) -> Result<Provider, Failure> {
        self.provider_by(HttpClient::default(), args, None)
    }

    fn provider_by(
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
            || trust::check_secret(self, args, &endpoints.token).is_ok()
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
        trust::check_secret(self, args, &endpoints.token)
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

/// The one client for every request: sign-in, renewal, sign-out and `doctor`.
pub(crate) fn http_client(timeout: Option<Duration>) -> Result<HttpClient, Failure> {
    certificates::check()?;
    let mut http = env::network(HttpClient::builder())?;
    if let Some(timeout) = timeout {
        http = http.timeout(timeout);
    }
    http.build()
        .map_err(|error| certificates::explained(&error).unwrap_or_else(|| error.into()))
}

const CLIENT_FILE_ELSEWHERE: &str = "--client-file is for gemini";

impl From<RegionName> for Region {
    fn from(name: RegionName) -> Self {
        match name {
            RegionName::Global => Self::Global,
            RegionName::Cn => Self::Cn,
        }
    }
}

impl Provider {
    /// A session of tokens that another program obtained.
    pub(crate) fn take_over(&self, token: OAuthToken) -> Result<OAuthToken, Failure> {
        Ok(match self {
            Self::Qwen(provider) => provider.take_over(token),
            Self::MiniMax(provider) => provider.take_over(token)?,
            Self::Gemini(provider) => provider.take_over(token)?,
        })
    }

    /// A manager for sessions of this provider.
    pub(crate) fn manager(self) -> AuthManagerBuilder {
        let builder = match self {
            Self::Qwen(provider) => AuthManager::builder(provider),
            Self::MiniMax(provider) => AuthManager::builder(provider),
            Self::Gemini(provider) => AuthManager::builder(provider),
        };
        // A command lives for one call: there is no traffic to renew beside.
        builder.advisory_window(Duration::ZERO)
    }

    /// Whether a session may be sent to the endpoints of this provider.
    pub(crate) fn check_session(&self, session: &OAuthToken) -> Result<(), Error> {
        match self {
            Self::Qwen(provider) => provider.check_session(session),
            Self::MiniMax(provider) => provider.check_session(session),
            Self::Gemini(provider) => provider.check_session(session),
        }
    }

    /// What is said of a session that names an API to which its access token must not go.
    pub(crate) fn ignored_api(&self, session: &OAuthToken) -> Option<String> {
        let (title, host) = match self {
            Self::Qwen(provider) => (Vendor::Qwen.title(), provider.ignored_api(session)?),
            Self::MiniMax(provider) => (Vendor::MiniMax.title(), provider.ignored_api(session)?),
            Self::Gemini(_) => return None,
        };
        Some(format!(
            "the session names {host} as its API, which is none of {title}'s hosts: not used \
             (--trust-endpoint {host} uses it)"
        ))
    }

    /// The base URL of the API that a session's access token is for.
    pub(crate) fn api_base(&self, token: &OAuthToken) -> Option<String> {
        match self {
            Self::Qwen(provider) => provider.api_base(token),
            Self::MiniMax(provider) => provider.api_base(token),
            Self::Gemini(provider) => provider.api_base(token),
        }
    }

    /// The headers that an API call needs beside `Authorization`.
    pub(crate) fn api_headers(
        &self,
        token: &OAuthToken,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        Ok(match self {
            Self::Qwen(provider) => provider.api_headers(),
            Self::MiniMax(_) => Vec::new(),
            Self::Gemini(provider) => {
                // One of a damaged or strange file is no header.
                let project = provider.quota_project(token);
                if let Some(why) = project.and_then(not_a_word) {
                    return Err(Failure::Config {
                        message: format!("gemini: the quota project that is stored {why}"),
                        advice: "set LLM_AUTH_GEMINI_QUOTA_PROJECT, or sign in again".into(),
                    });
                }
                provider.api_headers(token)?
            }
        })
    }
}

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
