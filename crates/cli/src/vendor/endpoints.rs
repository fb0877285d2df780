//! The endpoints of each vendor as the environment wants them.

use std::time::Duration;

use llm_auth_core::{Endpoint, PollSchedule};
use llm_auth_gemini::{GeminiEndpoints, SCOPE_EMAIL};
use llm_auth_minimax::{Dialect, MiniMaxEndpoints, Region};
use llm_auth_qwen::QwenEndpoints;

use super::{ProviderArgs, Vendor};
use crate::environment::Variables;
use crate::exit::Failure;

/// One endpoint of a vendor, and how it can be asked without a credential.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// As the RFCs call it.
    pub(crate) name: &'static str,
    /// The end of the variable that sets it.
    pub(crate) variable: &'static str,
    pub(crate) endpoint: Endpoint,
    pub(crate) kind: Kind,
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

/// All that a session at this vendor talks to.
pub(crate) fn of(vendor: Vendor, args: &ProviderArgs) -> Result<Vec<Entry>, Failure> {
    let variables = Variables::of(vendor.name());
    let entry = |name, variable, endpoint: &Endpoint, kind| Entry {
        name,
        variable,
        endpoint: endpoint.clone(),
        kind,
    };
    let device = |endpoint| {
        let name = "device authorization endpoint";
        entry(name, "DEVICE_AUTHORIZATION_ENDPOINT", endpoint, Kind::Form)
    };
    let token = |endpoint| entry("token endpoint", "TOKEN_ENDPOINT", endpoint, Kind::Form);
    let revocation = |endpoint| {
        let name = "revocation endpoint";
        entry(name, "REVOCATION_ENDPOINT", endpoint, Kind::Form)
    };
    Ok(match vendor {
        Vendor::Qwen => {
            let endpoints = qwen(&variables, None)?;
            vec![
                device(&endpoints.device_authorization),
                token(&endpoints.token),
            ]
        }
        Vendor::MiniMax => {
            let region = args.region.map(Region::from).unwrap_or_default();
            let endpoints = minimax(&variables, region, args.dialect, None)?;
            let mut entries = vec![
                device(&endpoints.device_authorization),
                token(&endpoints.token),
            ];
            entries.extend(endpoints.revocation.as_ref().map(revocation));
            entries
        }
        Vendor::Gemini => {
            let endpoints = gemini(&variables)?;
            let name = "authorization endpoint";
            vec![
                entry(
                    name,
                    "AUTHORIZATION_ENDPOINT",
                    &endpoints.authorization,
                    Kind::Page,
                ),
                token(&endpoints.token),
                revocation(&endpoints.revocation),
                entry(
                    "userinfo endpoint",
                    "USERINFO_ENDPOINT",
                    &endpoints.userinfo,
                    Kind::Resource,
                ),
            ]
        }
    })
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
    variables.replace("CLIENT_ID", &mut endpoints.client_id)?;
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
    variables.replace("CLIENT_ID", &mut endpoints.client_id)?;
    variables.replace("SCOPE", &mut endpoints.scope)?;
    Ok(endpoints)
}

fn with_patience(schedule: PollSchedule, patience: Option<Duration>) -> PollSchedule {
    match patience {
        Some(patience) => schedule.patience(patience),
        None => schedule,
    }
}

/// With the address beside the library's scope: accounts are told apart by their owners, and
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
