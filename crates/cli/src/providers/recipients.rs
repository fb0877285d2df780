//! The servers that may have credentials, independent of the environment.
//!
//! See decision 0011.

use std::path::PathBuf;

use llm_auth_core::provider::Recipients;
use llm_auth_core::{SecureUrl, printable};

use super::args::ProviderArgs;
use super::name::ProviderName;
use crate::error::Failure;
use crate::session::directories;
use crate::shell_quote::quoted;
use crate::system::env::API_BASE;

/// The end of the variable that moves all endpoints of a provider.
pub(super) const BASE_URL: &str = "BASE_URL";

/// The variables of a provider that say where its servers are.
const PLACES: [&str; 7] = [
    BASE_URL,
    "AUTHORIZATION_ENDPOINT",
    "DEVICE_AUTHORIZATION_ENDPOINT",
    "TOKEN_ENDPOINT",
    "REVOCATION_ENDPOINT",
    "USERINFO_ENDPOINT",
    API_BASE,
];

/// The variables that are set and say where this provider's servers are.
pub(crate) fn places_set(provider: ProviderName) -> Vec<String> {
    let variables = provider.variables();
    let is_set = |last: &&&str| !matches!(variables.text(last), Ok(None));
    let set = PLACES.iter().filter(is_set);
    set.map(|last| variables.name(last)).collect()
}

/// Whether the secret of the user's client may be sent to this token endpoint.
pub(super) fn check_secret(
    provider: ProviderName,
    args: &ProviderArgs,
    token_endpoint: &SecureUrl,
) -> Result<(), Failure> {
    let recipients = recipients(provider, args)?;
    if recipients.owns(token_endpoint) || recipients.trusts(token_endpoint) {
        return Ok(());
    }
    let own = own(provider, args);
    Err(Failure::Config {
        message: format!(
            "{}: the client secret is for {}, and was not sent to {} (set by {})",
            provider.name(),
            own.first().map(SecureUrl::host).unwrap_or_default(),
            token_endpoint.host(),
            places_set(provider).join(", "),
        ),
        advice: advice(&places_set(provider), &[token_endpoint.host()]),
    })
}

pub(super) fn recipients(
    provider: ProviderName,
    args: &ProviderArgs,
) -> Result<Recipients, Failure> {
    Ok(Recipients::of_provider(own(provider, args)).trusting(&args.trust.hosts()?))
}

/// The provider's own endpoints that may receive codes, refresh tokens and the client secret,
/// independent of the environment, the token endpoint first.
fn own(provider: ProviderName, args: &ProviderArgs) -> Vec<SecureUrl> {
    let endpoints = provider.config(args).endpoints;
    let others = [endpoints.device_authorization, endpoints.revocation];
    let others = others.into_iter().flatten();
    std::iter::once(endpoints.token).chain(others).collect()
}

/// The provider's own endpoints that receive access tokens or nothing: the pages and the user's
/// identity.
pub(super) fn serving(provider: ProviderName, args: &ProviderArgs) -> Vec<SecureUrl> {
    let endpoints = provider.config(args).endpoints;
    let others = [endpoints.userinfo, endpoints.authorization];
    let mut serving = own(provider, args);
    serving.extend(others.into_iter().flatten());
    serving
}

/// What to do about servers that the variables name, which are `hosts`, with their ports.
pub(super) fn advice(set: &[String], hosts: &[String]) -> String {
    let mut flags: Vec<String> = Vec::new();
    for host in hosts {
        let flag = format!("--trust-endpoint {}", quoted(&printable(host)));
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    let (server, it) = match flags.len() {
        0 | 1 => ("that server", "it"),
        _ => ("those servers", "them"),
    };
    let file = settings_file().map_or_else(
        || "your settings".to_owned(),
        |file| file.display().to_string(),
    );
    format!(
        "unset {}; or, if you know {server} and trust {it}, add {}, or list {it} under \
         \"trusted_endpoints\" in {file}",
        set.join(" and "),
        flags.join(" ")
    )
}

fn settings_file() -> Option<PathBuf> {
    Some(directories::trusted_home()?.join("settings.json"))
}
