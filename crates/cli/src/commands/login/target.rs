//! What a sign-in is for: a provider, or a server that the call names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::providers::ProviderName;

/// The word for a server of any kind.
const OIDC: &str = "oidc";

/// What is signed in to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Provider(ProviderName),
    /// The server that `--issuer`, `--preset` or `--token-endpoint` names.
    Server,
}

impl Target {
    /// How the command line is read.
    pub(super) fn parser() -> impl TypedValueParser<Value = Self> {
        let oidc = PossibleValue::new(OIDC);
        let values = ProviderName::possible_values().into_iter().chain([oidc]);
        PossibleValuesParser::new(values).try_map(|name| match name.eq_ignore_ascii_case(OIDC) {
            true => Ok(Self::Server),
            false => ProviderName::typed(&name).map(Self::Provider),
        })
    }

    /// The provider, if it is known before the sign-in.
    pub(crate) fn provider(self) -> Option<ProviderName> {
        match self {
            Self::Provider(provider) => Some(provider),
            Self::Server => None,
        }
    }
}
