//! Who could read what is sent, by the word of the environment.
//!
//! Variables set whose certificates count, too. Together with one that leads requests to another
//! computer they make it a reader of all that is sent, as the proxies of many companies are.
//!
//! See decision 0059.

use std::env;
use std::time::Duration;

use llm_auth_core::http::ProxyUrl;
use llm_auth_core::provider::Operation;
use llm_auth_core::{AuthProvider as _, HttpClient, OAuthToken, SecureUrl, SessionKey};

use super::args::TrustArgs;
use super::http::{build, http_client, network};
use super::provider::Provider;
use super::recipients::advice;
use crate::error::Failure;
use crate::system::certificates;
use crate::system::env::Proxy;

/// Where the C library looks for names first, before the name servers are asked for the name as it
/// is (resolv.conf(5)).
const SEARCHED_DOMAIN: &str = "LOCALDOMAIN";

/// Another computer that could read what is sent.
pub(crate) struct Reader {
    /// As a part of a sentence.
    words: String,
    proxy: Option<ProxyUrl>,
    /// All that make it so.
    variables: Vec<String>,
}

impl Reader {
    /// The one on the way to any of these servers, unless a flag or the settings name it.
    pub(crate) fn on_the_way<'a>(
        servers: impl IntoIterator<Item = &'a SecureUrl>,
        trust: &TrustArgs,
    ) -> Result<Option<Self>, Failure> {
        let authorities = certificates::variables_set();
        if authorities.is_empty() {
            return Ok(None);
        }
        let http = http_client(None)?;
        let mut remote = servers.into_iter().filter(|server| !server.is_loopback());
        let Some(first) = remote.next() else {
            return Ok(None);
        };
        let mut proxies = std::iter::once(first)
            .chain(remote)
            .filter_map(|server| http.proxy_for(server));
        if let Some(proxy) = proxies.next() {
            let trusted = trust.hosts()?;
            if trusted.iter().any(|trusted| proxy.is_at(trusted)) {
                return Ok(None);
            }
            let variable = Proxy::find()?.map_or("the environment", |proxy| proxy.variable);
            return Ok(Some(Self::new(
                format!("the proxy {proxy} (set by {variable})"),
                Some(proxy),
                variable,
                authorities,
            )));
        }
        let is_set = env::var_os(SEARCHED_DOMAIN).is_some_and(|value| !value.is_empty());
        Ok(is_set.then(|| {
            let words = format!("a server in the domain set by {SEARCHED_DOMAIN}");
            Self::new(words, None, SEARCHED_DOMAIN, authorities)
        }))
    }

    fn new(
        who: String,
        proxy: Option<ProxyUrl>,
        variable: &str,
        mut authorities: Vec<String>,
    ) -> Self {
        let words = format!(
            "{who} could read %, because the trusted certificates are set by {}",
            authorities.join(" and ")
        );
        authorities.insert(0, variable.to_owned());
        Self {
            words,
            proxy,
            variables: authorities,
        }
    }

    pub(crate) fn proxy(&self) -> Option<String> {
        self.proxy.as_ref().map(ToString::to_string)
    }

    /// What could be read, and why.
    pub(crate) fn words(&self, what: &str) -> String {
        self.words.replacen('%', what, 1)
    }

    pub(crate) fn refusal(&self, what: &str) -> Failure {
        let hosts: Vec<String> = self.proxy.iter().map(ProxyUrl::host).collect();
        Failure::Config {
            message: format!("{}; nothing was sent", self.words(what)),
            advice: match hosts.is_empty() {
                true => format!("unset {}", self.variables.join(" and ")),
                false => advice(&self.variables, &hosts),
            },
        }
    }
}

/// Why nothing secret goes through the proxy, if that is so.
pub(crate) fn doubt(trust: &TrustArgs) -> Result<Option<String>, Failure> {
    let authorities = certificates::variables_set();
    let Some(proxy) = Proxy::find()?.filter(|_| !authorities.is_empty()) else {
        return Ok(None);
    };
    let proxy = proxy.url()?;
    let trusted = trust.hosts()?;
    let is_trusted = trusted.iter().any(|trusted| proxy.is_at(trusted));
    let why = format!(
        "the trusted certificates are set by {}",
        authorities.join(" and ")
    );
    Ok((!is_trusted).then_some(why))
}

/// The client for what is secret: it goes by no way on which the environment lets another read it.
pub(crate) fn careful_client(
    trust: &TrustArgs,
    timeout: Option<Duration>,
) -> Result<HttpClient, Failure> {
    let http = network(timeout)?;
    build(match doubt(trust)? {
        Some(why) => http.refuse_secrets_by_proxy(why),
        None => http,
    })
}

/// Refuses to refresh a stored session by a way on which another could read it.
pub(crate) fn check_refresh(
    provider: &Provider,
    trust: &TrustArgs,
    key: &SessionKey,
    session: &OAuthToken,
) -> Result<(), Failure> {
    if session.refresh_token().is_err() {
        // Nothing is sent.
        return Ok(());
    }
    check(provider.recipient(Operation::Refresh, session), trust, key)
}

/// Refuses to revoke a stored session by such a way.
pub(crate) fn check_revocation(
    provider: &Provider,
    trust: &TrustArgs,
    key: &SessionKey,
    session: &OAuthToken,
) -> Result<(), Failure> {
    check(
        provider.recipient(Operation::Revocation, session),
        trust,
        key,
    )
}

fn check(
    endpoint: Result<Option<SecureUrl>, llm_auth_core::Error>,
    trust: &TrustArgs,
    key: &SessionKey,
) -> Result<(), Failure> {
    // To an endpoint that the session may not be sent to, the provider sends nothing.
    let endpoint = endpoint.ok().flatten();
    match Reader::on_the_way(&endpoint, trust)? {
        Some(reader) => Err(reader.refusal(&format!("the session {key}"))),
        None => Ok(()),
    }
}
