//! A server that the caller trusts, as it is written.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::secure_url::SecureUrl;

/// A server that the caller trusts with credentials: `host`, `host:port`, or an origin such as
/// `https://host:port`.
///
/// Without a port, the scheme's default port is meant. A host does not stand for its subdomains.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::{SecureUrl, TrustedHost};
///
/// let relay: TrustedHost = "relay.example.com".parse()?;
/// assert!(relay.matches(&SecureUrl::new("https://relay.example.com/token")?));
/// assert!(!relay.matches(&SecureUrl::new("https://relay.example.com:8443/token")?));
/// assert!("https://relay.example.com/path".parse::<TrustedHost>().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct TrustedHost {
    scheme: Option<String>,
    host: String,
    port: Option<u16>,
}

impl TrustedHost {
    /// Whether this endpoint is at that server.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{SecureUrl, TrustedHost};
    ///
    /// let relay: TrustedHost = "relay.example:8443".parse()?;
    /// assert!(relay.matches(&SecureUrl::known("https://relay.example:8443/token")));
    /// assert!(!relay.matches(&SecureUrl::known("https://eu.relay.example:8443/token")));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn matches(&self, endpoint: &SecureUrl) -> bool {
        let url = endpoint.url();
        let default = match url.scheme() {
            "http" => 80,
            _ => 443,
        };
        let same_scheme = self.scheme.as_deref().is_none_or(|own| own == url.scheme());
        same_scheme
            && url.host_str() == Some(&self.host)
            && url.port().unwrap_or(default) == self.port.unwrap_or(default)
    }

    /// Whether it is this host on this port; without a port, 443.
    pub(crate) fn is(&self, scheme: &str, host: &str, port: u16) -> bool {
        let same_scheme = self.scheme.as_deref().is_none_or(|own| own == scheme);
        same_scheme && self.host == host && self.port.unwrap_or(443) == port
    }
}

impl FromStr for TrustedHost {
    type Err = Error;

    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything but a host, a host with a port, or an origin that is
    /// `https` or loopback.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(
                ErrorKind::Config,
                "a trusted endpoint is a host, such as `example.com` or `example.com:8443`",
            )
        };
        // The parser would drop line ends and tabs.
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(wrong());
        }
        let has_scheme = text.contains("://");
        let url = if has_scheme {
            SecureUrl::new(text).map_err(|_why| wrong())?.url().clone()
        } else if text.contains(['/', '\\', '?', '#', '@', '*']) {
            return Err(wrong());
        } else {
            Url::parse(&format!("https://{text}/")).map_err(|_why| wrong())?
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let is_bare = url.path() == "/" && url.query().is_none();
        let (Some(host), true) = (host, is_bare) else {
            return Err(wrong());
        };
        // The parser drops the default port of the scheme that stands in for an unknown one.
        let named_default = (!has_scheme && text.ends_with(":443")).then_some(443);
        let port = url.port().or(named_default);
        Ok(Self {
            scheme: has_scheme.then(|| url.scheme().to_owned()),
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for TrustedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(f, "{scheme}://")?;
        }
        f.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_host_is_not_trusted() {
        for bad in [
            "",
            " ",
            "*",
            "*.example",
            "a b",
            "a/b",
            "http://evil.example",
            "https://a/b",
            "https://u:p@a",
            "a@b",
            "a?b",
            "a#b",
            "a:x",
            "a:99999",
            "ftp://a",
            "a\nb",
            "https://a?x",
        ] {
            let error = bad.parse::<TrustedHost>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
        }
    }
}
