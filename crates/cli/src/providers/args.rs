//! The arguments that make a provider.

use clap::{Args, ValueEnum, ValueHint};
use llm_auth::gemini::OAuthClient;
use llm_auth::minimax::{Dialect, Region};
use llm_auth_core::{FlowKind, TrustedHost};

use super::client_file::ClientFile;
use crate::error::{Failure, chain};
use crate::session::settings::Settings;
use crate::shell_quote::quoted;

/// What a provider is made of beside the environment.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ProviderArgs {
    /// Your own OAuth client: the client_secret.json of a "Desktop app" (gemini).
    #[arg(long, value_name = "FILE", value_parser = ClientFile::parser(), value_hint = ValueHint::AnyPath)]
    pub(crate) client_file: Option<ClientFile>,

    /// The region of the account (minimax) [default: global].
    #[arg(long, value_enum)]
    pub(crate) region: Option<RegionName>,

    #[command(flatten)]
    pub(crate) trust: TrustArgs,

    /// The dialect of an imported session (minimax).
    #[arg(skip)]
    pub(crate) dialect: Dialect,

    /// The client of an imported session (gemini).
    #[arg(skip)]
    pub(crate) client: Option<OAuthClient>,

    /// The way to sign in.
    #[arg(skip)]
    pub(crate) flow: Option<FlowKind>,

    /// The address of the user that is to sign in, for the page in the browser.
    #[arg(skip)]
    pub(crate) login_hint: Option<String>,
}

impl ProviderArgs {
    /// The region that the flags name.
    pub(crate) fn region(&self) -> Region {
        self.region.map(Region::from).unwrap_or_default()
    }

    /// The flags as they are typed, for a command to paste into a shell that begins the same
    /// sign-in.
    pub(crate) fn flags(&self) -> Vec<String> {
        let file = self.client_file.as_ref().map(ClientFile::path);
        // What a shell's `<(...)` named is gone.
        let file = file.filter(|path| path.is_file());
        let file = file.map(|path| {
            let path = quoted(&path.display().to_string());
            format!("--client-file {path}")
        });
        let region = self
            .region
            .map(|region| format!("--region {}", region.name()));
        let flow = self.flow.and_then(FlowName::of);
        let flow = flow.map(|flow| format!("--flow {}", flow.name()));
        let trusted = self.trust.trusted.iter();
        let trusted = trusted.map(|host| format!("--trust-endpoint {}", quoted(&host.to_string())));
        let flags = file.into_iter().chain(region).chain(flow);
        flags.chain(trusted).collect()
    }
}

/// What a call says about servers that are not the provider's own.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TrustArgs {
    /// Also send credentials to this server (HOST or HOST:PORT) if the environment sets it as an
    /// endpoint or the provider names it as its API. Repeatable.
    #[arg(long = "trust-endpoint", value_name = "HOST", value_parser = host)]
    trusted: Vec<TrustedHost>,
}

fn host(text: &str) -> Result<TrustedHost, String> {
    text.parse::<TrustedHost>().map_err(|error| chain(&error))
}

impl TrustArgs {
    /// The flags as another program passes them.
    pub(crate) fn words(&self) -> Vec<String> {
        let hosts = self.trusted.iter();
        let flags = hosts.flat_map(|host| ["--trust-endpoint".to_owned(), host.to_string()]);
        flags.collect()
    }

    /// Those of the flags and of the user's own settings.
    pub(crate) fn hosts(&self) -> Result<Vec<TrustedHost>, Failure> {
        let mut hosts = self.trusted.clone();
        if let Some(Ok(settings)) = Settings::of_user() {
            hosts.extend(settings.trusted_endpoints()?);
        }
        Ok(hosts)
    }
}

/// A way to sign in as it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum FlowName {
    // A code that is entered on any device.
    Device,
    // The browser of this computer.
    Browser,
}

impl FlowName {
    fn of(kind: FlowKind) -> Option<Self> {
        let all = Self::value_variants().iter().copied();
        all.into_iter().find(|name| FlowKind::from(*name) == kind)
    }

    /// As it is typed.
    fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Browser => "browser",
        }
    }
}

impl From<FlowName> for FlowKind {
    fn from(name: FlowName) -> Self {
        match name {
            FlowName::Device => Self::Device,
            FlowName::Browser => Self::Code,
        }
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

impl From<RegionName> for Region {
    fn from(name: RegionName) -> Self {
        match name {
            RegionName::Global => Self::Global,
            RegionName::Cn => Self::Cn,
        }
    }
}
