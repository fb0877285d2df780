//! The redirect URI on this computer, as a provider's rules want it. This module does not listen.

use serde::{Deserialize, Serialize};

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
}
