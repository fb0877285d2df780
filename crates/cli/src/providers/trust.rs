//! Which servers may have the credentials of the user, independent of the environment.
//!
//! Variables may come from a project's `.env`. They say where a new sign-in goes, and nothing of
//! what is there already: a stored session, the secret of the user's client. For those a flag of
//! the call or the user's own settings count alone.
//!
//! See decision 0011.

use llm_auth_core::provider::Recipients;
use llm_auth_core::{
    AuthProvider as _, DEFAULT_ACCOUNT, EndpointRole, Error, OAuthToken, SecureUrl, SessionKey,
};

use super::args::ProviderArgs;
use super::endpoints::{self, Entry};
use super::name::ProviderName;
use super::provider::Provider;
use super::reader::Reader;
use super::recipients::{BASE_URL, advice, places_set, recipients, serving};
use crate::error::{Failure, chain};
use crate::session::command_line::command_line;
use crate::session::selector::SessionSelector;
use crate::ui::events::{Event, ForeignEndpoint};

/// Refuses to use a stored session if the environment would take it to another server than the one
/// that issued it.
pub(crate) fn check_session(
    provider: ProviderName,
    args: &ProviderArgs,
    key: &SessionKey,
    session: &OAuthToken,
) -> Result<(), Failure> {
    // The file of the server may be another one than when the session was made.
    let server = provider.server();
    let issued = server.map_or(Ok(()), |server| server.check_issued(session));
    issued.map_err(|error| error.with_session(key))?;
    check_places(provider, args, key, session)
}

/// As [`check_session`], for a revocation: what its tokens are for does not matter then.
pub(crate) fn check_revocation(
    provider: ProviderName,
    args: &ProviderArgs,
    selector: &SessionSelector,
    key: &SessionKey,
    session: &OAuthToken,
) -> Result<(), Failure> {
    let server = provider.server();
    let issued = server.map_or(Ok(()), |server| server.check_hosts(session));
    let selector = match selector.store {
        Some(_) => selector.clone(),
        None => SessionSelector {
            account: Some(key.account().to_owned()),
            store: None,
        },
    };
    issued.map_err(|error| Failure::Config {
        message: format!("{key}: {}", chain(&error)),
        advice: format!(
            "remove it without revoking it: `{}`",
            command_line("logout", Some(key.provider()), &selector, &["--local"])
        ),
    })?;
    check_places(provider, args, key, session)
}

/// Refuses a session that the environment would take elsewhere.
fn check_places(
    provider: ProviderName,
    args: &ProviderArgs,
    key: &SessionKey,
    session: &OAuthToken,
) -> Result<(), Failure> {
    let set = places_set(provider);
    if set.is_empty() {
        return Ok(());
    }
    let configured = provider.configure_offline(args, Some(session))?;
    let Err(error) = configured.check_session(session) else {
        return Ok(());
    };
    let faults = faults(provider, args, session)?;
    Err(Failure::Config {
        message: format!("{key}: {}", why(provider, &error, &faults)),
        advice: match faults.is_empty() {
            true => {
                let account = key.account();
                let selector = SessionSelector {
                    account: (account != DEFAULT_ACCOUNT).then(|| account.to_owned()),
                    store: None,
                };
                format!(
                    "set {} as when you signed in, or sign in again with `{}`",
                    provider.variables().name(BASE_URL),
                    command_line("login", Some(provider.name()), &selector, &[])
                )
            }
            false => {
                let variables: Vec<String> = set
                    .into_iter()
                    .filter(|name| faults.iter().any(|fault| fault.set_by.contains(name)))
                    .collect();
                let hosts: Vec<String> = faults.iter().map(|fault| fault.endpoint.host()).collect();
                advice(&variables, &hosts)
            }
        },
    })
}

/// A server that variables name, and that must not get this session.
struct Fault {
    endpoint: SecureUrl,
    error: Error,
    set_by: Vec<String>,
}

/// The servers of the environment that this session must not be sent to, each once.
fn faults(
    provider: ProviderName,
    args: &ProviderArgs,
    session: &OAuthToken,
) -> Result<Vec<Fault>, Failure> {
    let recipients = recipients(provider, args)?;
    let mut faults: Vec<Fault> = Vec::new();
    let mut judge = |endpoint: SecureUrl, permitted: llm_auth_core::Result<()>, set_by: String| {
        let Err(error) = permitted else { return };
        let known = faults
            .iter_mut()
            .find(|fault| fault.endpoint.base() == endpoint.base());
        match known {
            Some(fault) if fault.set_by.contains(&set_by) => {}
            Some(fault) => fault.set_by.push(set_by),
            None => faults.push(Fault {
                endpoint,
                error,
                set_by: vec![set_by],
            }),
        }
    };
    // The API is there too, wherever the endpoints are.
    if let Some(base) = provider.variables().endpoint(BASE_URL)? {
        let permitted = recipients.permit_access(session, &base).map(drop);
        judge(base, permitted, provider.variables().name(BASE_URL));
    }
    for entry in endpoints::of(provider, args, std::slice::from_ref(session))? {
        let permitted = match entry.role {
            EndpointRole::Token | EndpointRole::Revocation => {
                recipients.permit(session, &entry.endpoint).map(drop)
            }
            EndpointRole::Userinfo | EndpointRole::ApiBase => {
                recipients.permit_access(session, &entry.endpoint).map(drop)
            }
            // Only a sign-in asks the others.
            _ => Ok(()),
        };
        if let Some(set_by) = entry.set_by {
            judge(entry.endpoint, permitted, set_by);
        }
    }
    Ok(faults)
}

/// Why a session is not used, with the variables that are at fault: a default is, if none of those
/// that are set is.
fn why(provider: ProviderName, error: &Error, faults: &[Fault]) -> String {
    let [first, others @ ..] = faults else {
        let base = provider.variables().name(BASE_URL);
        return format!("{} (the default, since {base} is not set)", chain(error));
    };
    let mut why = format!(
        "{} (set by {})",
        chain(&first.error),
        first.set_by.join(", ")
    );
    for fault in others {
        let (host, set_by) = (fault.endpoint.host(), fault.set_by.join(", "));
        why.push_str(&format!(", nor to {host} (set by {set_by})"));
    }
    why
}

/// Why this session is not used, if its server names other recipients now or the environment does.
pub(crate) fn refused(
    provider: ProviderName,
    args: &ProviderArgs,
    configured: &Provider,
    session: &OAuthToken,
) -> Option<String> {
    let issued = provider.server().map(|server| server.check_issued(session));
    if let Some(Err(error)) = issued {
        return Some(chain(&error));
    }
    if places_set(provider).is_empty() {
        return None;
    }
    let error = configured.check_session(session).err()?;
    Some(match faults(provider, args, session) {
        Ok(faults) => why(provider, &error, &faults),
        // Other commands report it.
        Err(_) => chain(&error),
    })
}

/// What a sign-in sends, and to whom, judged before it begins.
pub(crate) struct SignIn {
    /// Those that are not the provider's own.
    foreign: Vec<Entry>,
    /// Whether a flag or the settings name all of those, so that no program needs to hear it.
    is_trusted: bool,
    /// A proxy that could read it.
    reader: Option<Reader>,
}

impl SignIn {
    /// Refuses a sign-in that would hand to a server of the environment what is not its own: the
    /// secret of the user's client, or what another server issues during the sign-in.
    pub(crate) fn judged(provider: ProviderName, args: &ProviderArgs) -> Result<Self, Failure> {
        let start = provider.start_of_sign_in(args);
        let mut entries = endpoints::of(provider, args, &[])?;
        // The flow that is not chosen requests nothing.
        entries.retain(|entry| entry.role == start || !is_start(entry.role));
        let recipients = recipients(provider, args)?;
        let served = Recipients::of_provider(serving(provider, args));
        let is_own = |entry: &Entry| {
            let gets_the_grant =
                [EndpointRole::Token, EndpointRole::Revocation].contains(&entry.role);
            recipients.owns(&entry.endpoint) || !gets_the_grant && served.owns(&entry.endpoint)
        };
        let foreign: Vec<Entry> = entries
            .iter()
            .filter(|entry| !is_own(entry))
            .cloned()
            .collect();
        let first = entries.iter().find(|entry| entry.role == start);
        let first = first.map(|entry| entry.endpoint.base());
        for entry in &foreign {
            let is_sent_to = [EndpointRole::Token, EndpointRole::Userinfo].contains(&entry.role);
            let is_of_first = first == Some(entry.endpoint.base());
            if is_sent_to && !is_of_first && !recipients.trusts(&entry.endpoint) {
                return Err(Failure::Config {
                    message: format!(
                        "{}: this sign-in starts at {}, but its credentials would be sent to {}; \
                         nothing was sent",
                        provider.name(),
                        first.as_deref().map(bare).unwrap_or_default(),
                        entry.endpoint.host(),
                    ),
                    advice: advice(
                        &entry.set_by.clone().into_iter().collect::<Vec<_>>(),
                        &[entry.endpoint.host()],
                    ),
                });
            }
        }
        let is_trusted = foreign
            .iter()
            .all(|entry| recipients.trusts(&entry.endpoint));
        let asked = entries.iter().map(|entry| &entry.endpoint);
        Ok(Self {
            foreign,
            is_trusted,
            reader: Reader::on_the_way(asked, &args.trust)?,
        })
    }

    /// Refuses to send the secret of the user's client by a way on which another could read it.
    pub(crate) fn check_secret_way(&self) -> Result<(), Failure> {
        match &self.reader {
            Some(reader) => Err(reader.refusal("the client secret")),
            None => Ok(()),
        }
    }

    /// The same for a program, unless the user has said already that these servers are meant.
    pub(crate) fn event(&self, provider: ProviderName) -> Option<Event<'_>> {
        if self.is_trusted && self.reader.is_none() {
            return None;
        }
        let endpoints = self.foreign.iter().map(|entry| ForeignEndpoint {
            name: &entry.name,
            endpoint: entry.endpoint.as_str(),
            set_by: entry.set_by.as_deref(),
        });
        Some(Event::ForeignEndpoints {
            provider: provider.name(),
            endpoints: endpoints.collect(),
            proxy: self.reader.as_ref().and_then(Reader::proxy),
        })
    }

    /// One line that says that the sign-in leaves the provider's own servers.
    pub(crate) fn line(&self, provider: ProviderName) -> Option<String> {
        let mut places: Vec<String> = Vec::new();
        for entry in &self.foreign {
            let set_by = entry.set_by.as_deref().unwrap_or("the environment");
            let place = format!("{} (set by {set_by})", entry.endpoint.host());
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let foreign = (!places.is_empty()).then(|| {
            format!(
                "This sign-in uses {}, instead of {}'s own servers.",
                places.join(" and "),
                provider.title()
            )
        });
        let reader = self.reader.as_ref();
        let reader = reader.map(|reader| format!("Note: {}.", reader.words("this sign-in")));
        let lines: Vec<String> = foreign.into_iter().chain(reader).collect();
        (!lines.is_empty()).then(|| lines.join(" "))
    }
}

/// Whether a flow begins at the endpoint of this role.
fn is_start(role: EndpointRole) -> bool {
    [
        EndpointRole::Authorization,
        EndpointRole::DeviceAuthorization,
    ]
    .contains(&role)
}

fn bare(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}
