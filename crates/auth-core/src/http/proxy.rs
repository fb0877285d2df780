//! The URL of a proxy, read in one place, and the errors of a proxy.
//!
//! See decision 0059.

use std::error::Error as StdError;
use std::fmt;

use reqwest::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::origin::TrustedHost;

/// The kinds of proxy that the HTTP library knows, each with its default port.
const SCHEMES: [(&str, u16); 6] = [
    ("http", 80),
    ("https", 443),
    ("socks4", 1080),
    ("socks4a", 1080),
    ("socks5", 1080),
    ("socks5h", 1080),
];

/// The URL of a proxy. Connecting, showing and trusting read it in the same way. It is shown
/// without user and password.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::http::ProxyUrl;
///
/// let proxy = ProxyUrl::new("socks5://user:made-up@proxy.example")?;
/// assert_eq!(proxy.to_string(), "socks5://proxy.example:1080");
/// assert_eq!(proxy.host(), "proxy.example:1080");
/// assert!(proxy.is_at(&"proxy.example:1080".parse()?));
/// assert!(ProxyUrl::new("http://proxy.example/@other.example").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct ProxyUrl {
    url: Url,
    default_port: u16,
}

impl ProxyUrl {
    /// Reads a URL of scheme, host and port, with or without a user; `http` if it has no scheme. A
    /// path is ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything else. The message quotes nothing of it, since it may hold
    /// a password.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::http::ProxyUrl;
    ///
    /// assert_eq!(ProxyUrl::new("proxy.example")?.to_string(), "http://proxy.example:80");
    /// assert!(ProxyUrl::new("ftp://proxy.example").is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn new(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::new(ErrorKind::Config, format!("the proxy {why}"));
        let text = text.trim();
        let url = match text.split_once("://") {
            Some(_) => Url::parse(text),
            None => Url::parse(&format!("http://{text}")),
        };
        let mut url = url.map_err(|_it_may_hold_a_password| wrong("is not a URL"))?;
        let known = SCHEMES.iter().find(|(scheme, _)| *scheme == url.scheme());
        let Some((_, default_port)) = known else {
            let schemes: Vec<_> = SCHEMES.iter().map(|(scheme, _)| *scheme).collect();
            let schemes = schemes.join(", ");
            return Err(wrong(&format!(
                "has an unsupported scheme; expected one of {schemes}"
            )));
        };
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        let after = [
            url.path(),
            url.query().unwrap_or_default(),
            url.fragment().unwrap_or_default(),
        ];
        // Another parser might find the host after such a character.
        if !has_host || after.iter().any(|part| part.contains(['@', ':'])) {
            return Err(wrong("is not a URL of scheme, host and port"));
        }
        url.set_path("");
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self {
            default_port: *default_port,
            url,
        })
    }

    /// Host and port.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::http::ProxyUrl;
    ///
    /// assert_eq!(ProxyUrl::new("socks5://proxy.example")?.host(), "proxy.example:1080");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        format!("{host}:{}", self.port())
    }

    /// Whether it is on this server. A trusted host without a port means port 443, for a proxy too.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::http::ProxyUrl;
    ///
    /// let proxy = ProxyUrl::new("http://proxy.example:8080")?;
    /// assert!(proxy.is_at(&"proxy.example:8080".parse()?));
    /// assert!(!proxy.is_at(&"proxy.example".parse()?));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_at(&self, server: &TrustedHost) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        server.is(self.url.scheme(), host, self.port())
    }

    fn port(&self) -> u16 {
        self.url.port().unwrap_or(self.default_port)
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.host())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Whether the proxy refused the tunnel with 407, which the library reports in its message only.
pub(super) fn wants_a_password(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = error.source();
    while let Some(next) = cause {
        if next.to_string().contains("proxy authorization required") {
            return true;
        }
        cause = next.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_connected_to() {
        for (text, shown) in [
            ("proxy.example", "http://proxy.example:80"),
            ("proxy.example:8080", "http://proxy.example:8080"),
            (
                "HTTP://user:made-up@Proxy.Example/",
                "http://proxy.example:80",
            ),
            ("https://proxy.example", "https://proxy.example:443"),
            ("http://[::1]:3128", "http://[::1]:3128"),
            (
                "http://a:b@proxy.example:3128/x?y#z",
                "http://proxy.example:3128",
            ),
            ("http://0x7f.1:3128", "http://127.0.0.1:3128"),
            (
                "socks5h://a:b%40c@proxy.example",
                "socks5h://proxy.example:1080",
            ),
        ] {
            assert_eq!(ProxyUrl::new(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn a_url_that_two_parsers_could_read_in_two_ways_is_none() {
        for text in [
            "",
            "http://",
            "http:/127.0.0.1:1",
            "http:127.0.0.1:1",
            "http:\\\\127.0.0.1:1",
            "http://127.0.0.1:1/@relay.example",
            "http://127.0.0.1:1\\@relay.example",
            "http://127.0.0.1:1?@relay.example",
            "http://127.0.0.1:1#@relay.example",
            "socks5h://127.0.0.1:1/@relay.example",
            "ftp://127.0.0.1",
        ] {
            let error = ProxyUrl::new(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(!error.to_string().contains("relay"), "{error}");
        }
    }

    #[test]
    fn a_trusted_host_is_a_proxy_on_its_very_port() {
        let is_at = |proxy: &str, trusted: &str| {
            ProxyUrl::new(proxy)
                .unwrap()
                .is_at(&trusted.parse().unwrap())
        };
        assert!(is_at("http://proxy.example", "proxy.example:80"));
        assert!(is_at("socks5h://proxy.example", "proxy.example:1080"));
        assert!(is_at("https://proxy.example", "proxy.example"));
        assert!(is_at("https://proxy.example", "https://proxy.example"));
        assert!(!is_at("http://proxy.example", "proxy.example"));
        assert!(!is_at("http://127.0.0.1", "https://127.0.0.1:443"));
        assert!(!is_at("http://127.0.0.1:443", "https://127.0.0.1:443"));
        assert!(!is_at("socks5://proxy.example", "proxy.example"));
        assert!(!is_at("http://proxy.example:8080", "other.example:8080"));
    }
}
