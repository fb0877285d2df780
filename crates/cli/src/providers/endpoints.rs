//! The endpoints of each provider as the environment sets them.

use std::time::Duration;

use llm_auth_core::{PollSchedule, SecureUrl};
use llm_auth_gemini::{GeminiEndpoints, SCOPE_EMAIL};
use llm_auth_minimax::{Dialect, MiniMaxEndpoints, Region};
use llm_auth_qwen::QwenEndpoints;

use super::args::ProviderArgs;
use super::name::ProviderName;
use crate::error::Failure;
use crate::system::env::Variables;

/// One endpoint of a provider, and how it can be asked without a credential.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// As the RFCs call it.
    pub(crate) name: &'static str,
    /// The end of the variable that sets it.
    pub(crate) variable: &'static str,
    pub(crate) endpoint: SecureUrl,
    pub(crate) kind: Kind,
    /// The variable that did set it.
    pub(crate) set_by: Option<String>,
}

/// What an endpoint is made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Posts of forms, answered in JSON.
    Form,
    /// A page for a person.
    Page,
    /// Questions with an access token, answered in JSON.
    Resource,
}

/// All that sessions of this provider, in these regions, talk to.
pub(crate) fn of(
    provider: ProviderName,
    args: &ProviderArgs,
    regions: &[Region],
) -> Result<Vec<Entry>, Failure> {
    let variables = Variables::of(provider.name());
    let mut entries: Vec<Entry> = Vec::new();
    let mut add = |(name, variable), endpoint: &SecureUrl, kind| {
        if entries.iter().all(|entry| entry.endpoint != *endpoint) {
            entries.push(Entry {
                name,
                variable,
                endpoint: endpoint.clone(),
                kind,
                set_by: set_by(&variables, variable),
            });
        }
    };
    const AUTHORIZATION: (&str, &str) = ("authorization endpoint", "AUTHORIZATION_ENDPOINT");
    const USERINFO: (&str, &str) = ("userinfo endpoint", "USERINFO_ENDPOINT");
    const DEVICE: (&str, &str) = (
        "device authorization endpoint",
        "DEVICE_AUTHORIZATION_ENDPOINT",
    );
    const TOKEN: (&str, &str) = ("token endpoint", "TOKEN_ENDPOINT");
    const REVOCATION: (&str, &str) = ("revocation endpoint", "REVOCATION_ENDPOINT");
    match provider {
        ProviderName::Qwen => {
            let endpoints = qwen(&variables, None)?;
            add(DEVICE, &endpoints.device_authorization, Kind::Form);
            add(TOKEN, &endpoints.token, Kind::Form);
        }
        ProviderName::MiniMax => {
            for region in regions {
                let endpoints = minimax(&variables, *region, args.dialect, None)?;
                add(DEVICE, &endpoints.device_authorization, Kind::Form);
                add(TOKEN, &endpoints.token, Kind::Form);
                if let Some(revocation) = &endpoints.revocation {
                    add(REVOCATION, revocation, Kind::Form);
                }
            }
        }
        ProviderName::Gemini => {
            let endpoints = gemini(&variables)?;
            add(AUTHORIZATION, &endpoints.authorization, Kind::Page);
            add(TOKEN, &endpoints.token, Kind::Form);
            add(REVOCATION, &endpoints.revocation, Kind::Form);
            add(USERINFO, &endpoints.userinfo, Kind::Resource);
        }
    }
    Ok(entries)
}

/// The variable that sets an endpoint: its own, else the one for all.
fn set_by(variables: &Variables, variable: &str) -> Option<String> {
    let is_set = |last: &&str| variables.text(last).is_ok_and(|text| text.is_some());
    let last = [variable, "BASE_URL"].into_iter().find(is_set)?;
    Some(variables.name(last))
}

pub(super) fn qwen(
    variables: &Variables,
    patience: Option<Duration>,
) -> Result<QwenEndpoints, Failure> {
    let mut endpoints = variables.rebase(QwenEndpoints::default(), QwenEndpoints::with_base)?;
    endpoints.schedule = with_patience(endpoints.schedule, patience);
    variables.replace_endpoint(
        "DEVICE_AUTHORIZATION_ENDPOINT",
        &mut endpoints.device_authorization,
    )?;
    variables.replace_endpoint("TOKEN_ENDPOINT", &mut endpoints.token)?;
    if let Some(id) = variables.word("CLIENT_ID")? {
        endpoints.client_id = id;
    }
    variables.replace("SCOPE", &mut endpoints.scope)?;
    Ok(endpoints)
}

pub(super) fn minimax(
    variables: &Variables,
    region: Region,
    dialect: Dialect,
    patience: Option<Duration>,
) -> Result<MiniMaxEndpoints, Failure> {
    let known = MiniMaxEndpoints::new(region, dialect);
    let mut endpoints = variables.rebase(known, MiniMaxEndpoints::with_base)?;
    endpoints.schedule = with_patience(endpoints.schedule, patience);
    variables.replace_endpoint(
        "DEVICE_AUTHORIZATION_ENDPOINT",
        &mut endpoints.device_authorization,
    )?;
    variables.replace_endpoint("TOKEN_ENDPOINT", &mut endpoints.token)?;
    if let Some(revocation) = variables.endpoint("REVOCATION_ENDPOINT")? {
        endpoints.revocation = Some(revocation);
    }
    if let Some(id) = variables.word("CLIENT_ID")? {
        endpoints.client_id = id;
    }
    variables.replace("SCOPE", &mut endpoints.scope)?;
    Ok(endpoints)
}

fn with_patience(schedule: PollSchedule, patience: Option<Duration>) -> PollSchedule {
    match patience {
        Some(patience) => schedule.patience(patience),
        None => schedule,
    }
}

/// With the address beside the library's scope: it distinguishes accounts by their owners, and
/// `status` says who it is.
pub(super) fn gemini(variables: &Variables) -> Result<GeminiEndpoints, Failure> {
    let mut endpoints = variables.rebase(GeminiEndpoints::default(), GeminiEndpoints::with_base)?;
    endpoints.scope = format!("{} {SCOPE_EMAIL}", endpoints.scope);
    variables.replace_endpoint("AUTHORIZATION_ENDPOINT", &mut endpoints.authorization)?;
    variables.replace_endpoint("TOKEN_ENDPOINT", &mut endpoints.token)?;
    variables.replace_endpoint("REVOCATION_ENDPOINT", &mut endpoints.revocation)?;
    variables.replace_endpoint("USERINFO_ENDPOINT", &mut endpoints.userinfo)?;
    variables.replace("SCOPE", &mut endpoints.scope)?;
    Ok(endpoints)
}
