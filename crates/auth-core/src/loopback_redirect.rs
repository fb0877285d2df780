//! The redirect URI on this computer, as a provider's rules want it. This module does not listen.

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::clean;

/// The ports above 1023 that browsers refuse to open
/// (<https://fetch.spec.whatwg.org/#port-blocking>): the redirect would never come. Below 1024 most
/// are blocked.
const BLOCKED_PORTS: [u16; 19] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080,
];

/// Which redirect URIs on this computer a provider accepts.
///
/// By default any port of the literal address, as RFC 8252 section 7.3 has it.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::{LoopbackHost, LoopbackRedirect};
///
/// let mut redirect = LoopbackRedirect::new("/callback");
/// redirect.host = LoopbackHost::Localhost;
/// redirect.ports = vec![8020, 8021];
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(deny_unknown_fields)]
pub struct LoopbackRedirect {
    /// The path, percent-encoded, with a slash before it; empty for a redirect URI without one.
    pub path: String,
    /// How the redirect URI names this computer.
    #[serde(default)]
    pub host: LoopbackHost,
    /// The registered ports, in the order in which they are tried; any free port if empty.
    #[serde(default)]
    pub ports: Vec<u16>,
}

/// How a redirect URI names this computer. Servers compare the text.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::LoopbackHost;
///
/// assert_eq!(LoopbackHost::default(), LoopbackHost::Literal);
/// ```
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum LoopbackHost {
    /// The address that is bound: `127.0.0.1`, or `[::1]` on a computer without IPv4.
    #[default]
    Literal,
    /// `localhost`, for servers that accept no other (RFC 8252 section 8.3 advises against it).
    Localhost,
}

impl LoopbackRedirect {
    /// Any free port at the literal address.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::LoopbackRedirect;
    ///
    /// assert!(LoopbackRedirect::new("/callback").ports.is_empty());
    /// ```
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            host: LoopbackHost::default(),
            ports: Vec::new(),
        }
    }

    /// Checks that a browser requests this path as it is written here, and opens these ports: the
    /// path begins with a slash and has no space, query or fragment, or it is empty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::LoopbackRedirect;
    ///
    /// assert!(LoopbackRedirect::new("/callback").check().is_ok());
    /// assert!(LoopbackRedirect::new("callback").check().is_err());
    /// ```
    pub fn check(&self) -> Result<()> {
        let path = &self.path;
        // A browser requests the path as the URL standard writes it, so any other form would never
        // match.
        let is_as_asked_for =
            |url: Url| url.path() == path && url.query().is_none() && url.fragment().is_none();
        let url = Url::parse(&format!("http://127.0.0.1:1{path}"));
        if !(path.is_empty() || path.starts_with('/') && url.is_ok_and(is_as_asked_for)) {
            let path = clean(path, 80, &[]);
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "the path of a redirect URI must begin with a slash and contain no space, query \
                     or fragment, but is {path:?}: set one such as \"/callback\""
                ),
            ));
        }
        match self.ports.iter().find(|port| is_blocked(**port)) {
            None => Ok(()),
            Some(port) => Err(Error::new(
                ErrorKind::Config,
                format!("browsers do not open port {port} of this computer: register another port"),
            )),
        }
    }
}

pub(crate) fn is_blocked(port: u16) -> bool {
    port < 1024 || BLOCKED_PORTS.contains(&port)
}
