//! Variables that begin as ours do and change nothing.

use std::env;

use llm_auth_core::printable;

use super::check::{Check, Status};
use crate::commands::shell;
use crate::commands::tools::VARIABLE;
use crate::logging;
use crate::providers::ProviderName;
use crate::providers::endpoints::{self, Entry};
use crate::session::directories;
use crate::session::stores::STORE;
use crate::system::env::CA_FILE;

/// Every end of a provider's variable, whether or not that provider has it.
const ENDS: [&str; 11] = [
    "ACCOUNT",
    "AUTHORIZATION_ENDPOINT",
    "BASE_URL",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "DEVICE_AUTHORIZATION_ENDPOINT",
    "QUOTA_PROJECT",
    "REVOCATION_ENDPOINT",
    "SCOPE",
    "TOKEN_ENDPOINT",
    "USERINFO_ENDPOINT",
];

pub(super) fn checks() -> Vec<Check> {
    let mut names: Vec<String> = env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("LLM_AUTH_") && !is_known(name))
        .collect();
    names.sort();
    let check = |name: String| {
        let name = printable(&name);
        Check::new(
            "variable",
            Status::Warn,
            format!("{name} is not a known variable"),
        )
        .advice("it has no effect; check the spelling")
        .fact("variable", name)
    };
    names.into_iter().map(check).collect()
}

/// Those of endpoints that the provider lacks.
pub(super) fn without_effect(provider: ProviderName, entries: &[Entry]) -> Vec<Check> {
    let check = |name: String| {
        let message = format!(
            "{name} has no effect: neither a sign-in nor a stored session uses that endpoint"
        );
        Check::new("variable", Status::Warn, message)
            .of(provider)
            .advice("unset it")
            .fact("variable", name)
    };
    let unused = endpoints::unused(provider, entries);
    unused.into_iter().map(check).collect()
}

fn is_known(name: &str) -> bool {
    [
        directories::HOME,
        logging::VARIABLE,
        STORE,
        CA_FILE,
        VARIABLE,
        shell::COMPLETE,
    ]
    .contains(&name)
        || ProviderName::all().iter().any(|provider| {
            let variables = provider.variables();
            ENDS.iter().any(|end| variables.name(end) == name)
        })
}
