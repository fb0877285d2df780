//! Which vendors there are, and how a provider is made of the environment and the flags.

pub(crate) mod endpoints;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use llm_auth_core::{
    AuthManager, AuthManagerBuilder, AuthProvider, HttpClient, OAuthToken, Secret,
};
use llm_auth_gemini::{GeminiProvider, OAuthClient};
use llm_auth_minimax::{Dialect, MiniMaxProvider, Region};
use llm_auth_qwen::QwenProvider;

use crate::environment::{self, Variables};
use crate::exit::{Failure, chain};

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
    #[arg(long, value_name = "FILE")]
    pub(crate) client_file: Option<PathBuf>,

    /// The region that the account lives in (minimax) [default: global].
    #[arg(long, value_enum)]
    pub(crate) region: Option<RegionName>,

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
        self.check_flags(args)?;
        let variables = Variables::of(self.name());
        let http = http_client(request_timeout)?;
        Ok(match self {
            Self::Qwen => Provider::Qwen(
                QwenProvider::builder()
                    .endpoints(endpoints::qwen(&variables, patience)?)
                    .http(http)
                    .build(),
            ),
            Self::MiniMax => {
                let region = args.region.map(Region::from).unwrap_or_default();
                Provider::MiniMax(
                    MiniMaxProvider::builder()
                        .endpoints(endpoints::minimax(
                            &variables,
                            region,
                            args.dialect,
                            patience,
                        )?)
                        .http(http)
                        .build(),
                )
            }
            Self::Gemini => {
                let mut builder = GeminiProvider::builder()
                    .endpoints(endpoints::gemini(&variables)?)
                    .http(http);
                if let Some(client) = gemini_client(&variables, args)? {
                    builder = builder.client(client);
                }
                if let Some(project) = variables.text("QUOTA_PROJECT")? {
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

    /// Refuses a sign-in that lacks what this vendor needs, before anything is done.
    pub(crate) fn check_login(self, args: &ProviderArgs) -> Result<(), Failure> {
        if self == Self::Gemini && gemini_client(&Variables::of(self.name()), args)?.is_none() {
            return Err(Failure::Config {
                message: "gemini: there is no OAuth client to sign in with".into(),
                advice:
                    "make an OAuth client of type \"Desktop app\" in the Google Cloud console, \
                         then run `llm-auth login gemini --client-file client_secret.json`"
                        .into(),
            });
        }
        Ok(())
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
    let mut http = environment::network(HttpClient::builder())?;
    if let Some(timeout) = timeout {
        http = http.timeout(timeout);
    }
    Ok(http.build()?)
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

    /// The base URL of the API that a session's access token is for.
    pub(crate) fn api_base(&self, token: &OAuthToken) -> Option<String> {
        match self {
            Self::Qwen(provider) => provider.api_base(token),
            Self::MiniMax(provider) => provider.api_base(token),
            Self::Gemini(provider) => provider.api_base(token),
        }
    }

    /// The headers that an API call needs beside `Authorization`.
    pub(crate) fn api_headers(&self, token: &OAuthToken) -> Vec<(&'static str, String)> {
        match self {
            Self::Qwen(provider) => provider.api_headers(),
            Self::MiniMax(_) => Vec::new(),
            Self::Gemini(provider) => provider
                .quota_project(token)
                .map(|project| ("x-goog-user-project", project.to_owned()))
                .into_iter()
                .collect(),
        }
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
        let failed = |why: String| Failure::Config {
            message: format!("the client file {} cannot be used: {why}", file.display()),
            advice: "name the JSON file of an OAuth client of type \"Desktop app\" with \
                     --client-file"
                .into(),
        };
        let json = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
        let client = OAuthClient::from_json(&json).map_err(|error| failed(chain(&error)))?;
        return Ok(Some(client));
    }
    let secret = variables.text("CLIENT_SECRET")?.map(Secret::from);
    match (variables.text("CLIENT_ID")?, secret) {
        (Some(id), secret) => Ok(Some(OAuthClient::new(id, secret))),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(environment::not_valid(
            &variables.name("CLIENT_SECRET"),
            &format!("{} is not set", variables.name("CLIENT_ID")),
        )),
    }
}
