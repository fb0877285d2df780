//! The endpoints of a provider as the environment sets them.

use llm_auth_core::{AuthProvider as _, EndpointRole, OAuthToken, SecureUrl};

use super::args::ProviderArgs;
use super::name::ProviderName;
use crate::error::Failure;
use crate::system::env::{API_BASE, Variables};

/// One endpoint of a provider, and how it can be asked without a credential.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) role: EndpointRole,
    /// As the RFCs call it.
    pub(crate) name: String,
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
    /// Posts of forms; the response is JSON.
    Form,
    /// A page for the user.
    Page,
    /// Requests with an access token; the response is JSON.
    Resource,
}

/// The end of the variable that sets the endpoint of a role.
pub(super) fn variable_of(role: EndpointRole) -> Option<&'static str> {
    Some(match role {
        EndpointRole::Authorization => "AUTHORIZATION_ENDPOINT",
        EndpointRole::DeviceAuthorization => "DEVICE_AUTHORIZATION_ENDPOINT",
        EndpointRole::Token => "TOKEN_ENDPOINT",
        EndpointRole::Revocation => "REVOCATION_ENDPOINT",
        EndpointRole::Userinfo => "USERINFO_ENDPOINT",
        EndpointRole::ApiBase => API_BASE,
        _ => return None,
    })
}

/// All endpoints that a new sign-in and these sessions talk to, except the API, which other programs
/// talk to; but for one that a variable sets.
pub(crate) fn of(
    provider: ProviderName,
    args: &ProviderArgs,
    sessions: &[OAuthToken],
) -> Result<Vec<Entry>, Failure> {
    let variables = provider.variables();
    let mut entries: Vec<Entry> = Vec::new();
    let of_sessions = sessions.iter().map(Some);
    for session in std::iter::once(None).chain(of_sessions) {
        let configured = provider.configure_offline(args, session)?;
        // The region of a session may be one that this version does not know.
        for (role, endpoint) in configured.endpoints(session).unwrap_or_default() {
            // One URL may serve several roles, and each is judged.
            let is_same = |entry: &Entry| entry.role == role && entry.endpoint == endpoint;
            let is_known = entries.iter().any(is_same);
            if role == EndpointRole::ApiBase && variables.text(API_BASE)?.is_none() {
                continue;
            }
            if let (Some(variable), false) = (variable_of(role), is_known) {
                entries.push(Entry {
                    role,
                    name: role.to_string(),
                    variable,
                    set_by: set_by(&variables, variable),
                    kind: kind_of(role),
                    endpoint,
                });
            }
        }
    }
    Ok(entries)
}

/// The variables that are set for an endpoint that none of these entries has, so that they change
/// nothing.
pub(crate) fn unused(provider: ProviderName, entries: &[Entry]) -> Vec<String> {
    let variables = provider.variables();
    let roles = EndpointRole::ALL.into_iter();
    let lacking = roles.filter(|role| entries.iter().all(|entry| entry.role != *role));
    let named = lacking.filter_map(variable_of);
    // One that cannot be used is reported when it is read.
    let set = named.filter(|last| variables.text(last).is_ok_and(|text| text.is_some()));
    set.map(|last| variables.name(last)).collect()
}

fn kind_of(role: EndpointRole) -> Kind {
    match role {
        EndpointRole::Authorization => Kind::Page,
        EndpointRole::Userinfo | EndpointRole::ApiBase => Kind::Resource,
        _ => Kind::Form,
    }
}

/// The variable that sets an endpoint: its own, otherwise the one for all.
fn set_by(variables: &Variables, variable: &str) -> Option<String> {
    let is_set = |last: &&str| variables.text(last).is_ok_and(|text| text.is_some());
    let last = [variable, "BASE_URL"].into_iter().find(is_set)?;
    Some(variables.name(last))
}
