//! What a sign-in is for: a provider, or a server that the call names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::providers::ProviderName;

/// The word for a server of any kind.
const OIDC: &str = "oidc";

/// The word for an MCP server.
const MCP: &str = "mcp";

/// What is signed in to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Provider(ProviderName),
    /// The server that `--issuer`, `--preset` or `--token-endpoint` names.
    Server,
    /// The MCP server whose URL the call names.
    Mcp,
}

impl Target {
    /// How the command line is read.
    pub(super) fn parser() -> impl TypedValueParser<Value = Self> {
        let words = [OIDC, MCP].map(PossibleValue::new);
        let values = ProviderName::possible_values().into_iter().chain(words);
        PossibleValuesParser::new(values).try_map(|name| match name.to_ascii_lowercase().as_str() {
            OIDC => Ok(Self::Server),
            MCP => Ok(Self::Mcp),
            _ => ProviderName::typed(&name).map(Self::Provider),
        })
    }

    /// The provider, if it is known before the sign-in.
    pub(crate) fn provider(self) -> Option<ProviderName> {
        match self {
            Self::Provider(provider) => Some(provider),
            Self::Server | Self::Mcp => None,
        }
    }
}
