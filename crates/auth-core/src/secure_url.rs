//! The URLs that a credential may be sent to.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The longest URL that is read: a longer one is no endpoint, and would fill every message.
const LONGEST: usize = 8_000;

/// A URL that is fit for a credential: `https`, or plain `http` to a loopback host.
///
/// The rule comes from RFC 6749 section 10.3, RFC 6750 section 5.3, RFC 7009 section 2 and RFC 8628
/// section 3.1: TLS everywhere. Loopback stays on this computer; tests and redirects use it.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::SecureUrl;
///
/// let token = SecureUrl::new("https://chat.qwen.ai/api/v1/oauth2/token")?;
/// let local = token.with_base("http://127.0.0.1:8080")?;
/// assert_eq!(local.as_str(), "http://127.0.0.1:8080/api/v1/oauth2/token");
/// assert!(SecureUrl::new("http://chat.qwen.ai/token").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecureUrl(Url);

impl TryFrom<String> for SecureUrl {
    type Error = Error;

    fn try_from(url: String) -> Result<Self> {
        Self::new(&url)
    }
}

impl From<SecureUrl> for String {
    fn from(url: SecureUrl) -> Self {
        url.0.into()
    }
}

impl SecureUrl {
    /// Reads an endpoint.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is no URL, neither `https` nor loopback, or holds a user
    /// name, a password or a fragment.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// assert!(SecureUrl::new("https://auth.example/token").is_ok());
    /// assert!(SecureUrl::new("http://127.0.0.1:4000/token").is_ok());
    /// assert!(SecureUrl::new("http://auth.example/token").is_err());
    /// assert!(SecureUrl::new("https://user@auth.example/token").is_err());
    /// ```
    pub fn new(url: &str) -> Result<Self> {
        if url.len() > LONGEST {
            return Err(too_long());
        }
        if !url.contains("://") {
            let message = "an endpoint is not a URL: begin it with https://";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let parsed = Url::parse(url.trim()).map_err(|source| {
            Error::new(ErrorKind::Config, "an endpoint is not a URL").with_source(source)
        })?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the endpoint at {} contains a user name", host_of(&parsed)),
            ));
        }
        if parsed.fragment().is_some() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the endpoint at {} contains a fragment", host_of(&parsed)),
            ));
        }
        let plain_loopback = parsed.scheme() == "http" && is_loopback(&parsed);
        if parsed.host_str().is_none() || (parsed.scheme() != "https" && !plain_loopback) {
            return Err(Error::new(
                ErrorKind::Config,
                match parsed.scheme() {
                    "http" | "https" => format!(
                        "the endpoint at {} is not https (plain http is for loopback hosts only)",
                        host_of(&parsed)
                    ),
                    scheme => format!(
                        "the endpoint at {} begins with {scheme}://: begin it with https://",
                        host_of(&parsed)
                    ),
                },
            ));
        }
        Ok(Self(parsed))
    }

    /// An endpoint in the source of a vendor crate.
    ///
    /// # Panics
    ///
    /// If [`new`](Self::new) rejects it. Use it for constants only, and test each.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// let token = SecureUrl::known("https://auth.example/token");
    /// assert_eq!(token.host(), "auth.example");
    /// ```
    #[must_use]
    #[expect(clippy::expect_used, reason = "for the constants of a vendor crate")]
    pub fn known(url: &str) -> Self {
        Self::new(url).expect("an endpoint in the source is valid")
    }

    /// The same path and query at another scheme, host and port.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `base` is no endpoint or has a path of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// let token = SecureUrl::known("https://auth.example/oauth/token");
    /// let local = token.with_base("http://127.0.0.1:4000")?;
    /// assert_eq!(local.as_str(), "http://127.0.0.1:4000/oauth/token");
    /// assert!(token.with_base("https://auth.example/other").is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn with_base(&self, base: &str) -> Result<Self> {
        Ok(self.moved_to(&Self::new(base)?.as_base()?))
    }

    /// This URL, if it is only a scheme, a host and a port.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it has a path or a query of its own.
    pub(crate) fn as_base(&self) -> Result<Self> {
        if self.0.path() != "/" || self.0.query().is_some() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the base URL at {} has a path", self.host()),
            ));
        }
        Ok(self.clone())
    }

    /// The same path and query at the scheme, host and port of another URL.
    pub(crate) fn moved_to(&self, base: &Self) -> Self {
        let mut url = base.0.clone();
        url.set_path(self.0.path());
        url.set_query(self.0.query());
        Self(url)
    }

    /// The URL whose path continues that of this one, with this query in place of its own. The
    /// slashes between the two parts of the path count as one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it has more than 8,000 characters.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// let base = SecureUrl::known("https://api.example/v1");
    /// let models = base.below("/models", Some("limit=1"))?;
    /// assert_eq!(models.as_str(), "https://api.example/v1/models?limit=1");
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn below(&self, path: &str, query: Option<&str>) -> Result<Self> {
        let (above, path) = (self.0.path(), path.trim_start_matches('/'));
        let mut url = self.0.clone();
        if path.is_empty() {
            url.set_path(above.trim_end_matches('/'));
        } else {
            url.set_path(&format!("{}/{path}", above.trim_end_matches('/')));
        }
        url.set_query(query);
        if url.as_str().len() > LONGEST {
            return Err(too_long());
        }
        Ok(Self(url))
    }

    /// The URL that a reference on this page leads to (RFC 3986 section 5), such as that of a
    /// `Location` header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the reference is not valid, or leads to what is no secure URL.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// let page = SecureUrl::known("https://api.example/v1/models");
    /// assert_eq!(page.join("other?a=b")?.as_str(), "https://api.example/v1/other?a=b");
    /// assert!(page.join("http://api.example/v1").is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn join(&self, reference: &str) -> Result<Self> {
        let joined = self.0.join(reference).map_err(|_quotes_it| {
            let message = format!("a reference from {} is not a valid URL", self.host());
            Error::new(ErrorKind::Config, message)
        })?;
        Self::new(joined.as_str())
    }

    /// The URL.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// let url = SecureUrl::known("https://auth.example:8443/token");
    /// assert_eq!(url.as_str(), "https://auth.example:8443/token");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Host and port, fit for an error message.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// assert_eq!(SecureUrl::known("https://auth.example/token").host(), "auth.example");
    /// assert_eq!(SecureUrl::known("https://auth.example:8443/token").host(), "auth.example:8443");
    /// ```
    #[must_use]
    pub fn host(&self) -> String {
        host_of(&self.0)
    }

    /// Scheme, host and port: what [`with_base`](Self::with_base) takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// let url = SecureUrl::known("https://auth.example:8443/token");
    /// assert_eq!(url.base(), "https://auth.example:8443");
    /// ```
    #[must_use]
    pub fn base(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Host and port, with the scheme if it is not `https`.
    pub(crate) fn base_or_host(&self) -> String {
        match self.0.scheme() {
            "https" => self.host(),
            _ => self.base(),
        }
    }

    /// Whether it is on this computer.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// assert!(SecureUrl::known("http://localhost:4000/token").is_loopback());
    /// assert!(!SecureUrl::known("https://auth.example/token").is_loopback());
    /// ```
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Whether its host is an address of this computer or of a private network.
    pub(crate) fn is_internal(&self) -> bool {
        is_internal(&self.0)
    }

    /// Whether a server may name that URL as a page or an endpoint: a server of the internet must not
    /// name one on this computer or on a private network.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// let server = SecureUrl::known("https://auth.example/metadata");
    /// assert!(server.may_name(&SecureUrl::known("https://other.example/token")));
    /// assert!(!server.may_name(&SecureUrl::known("http://127.0.0.1:4000/token")));
    /// ```
    #[must_use]
    pub fn may_name(&self, page: &Self) -> bool {
        let on_same_network = self.is_internal() && !is_of_this_computer(&page.0);
        !page.is_internal() || self.is_loopback() || on_same_network
    }

    /// This URL with query parameters appended, percent-encoded.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    ///
    /// let page = SecureUrl::known("https://auth.example/authorize");
    /// let url = page.with_query(&[("client_id", "my app"), ("scope", "openid")]);
    /// assert_eq!(url, "https://auth.example/authorize?client_id=my+app&scope=openid");
    /// ```
    #[must_use]
    pub fn with_query(&self, pairs: &[(&str, &str)]) -> String {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        url.into()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for SecureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SecureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecureUrl({})", self.as_str())
    }
}

fn too_long() -> Error {
    Error::new(
        ErrorKind::Config,
        "an endpoint has more than 8,000 characters",
    )
}

pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("(no host)");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.into(),
    }
}

fn is_internal(url: &Url) -> bool {
    match address_of(url) {
        Some(IpAddr::V4(address)) => {
            address.is_private() || address.is_link_local() || is_of_this_computer(url)
        }
        Some(IpAddr::V6(address)) => {
            let is_private = address.is_unique_local() || address.is_unicast_link_local();
            is_private || is_of_this_computer(url)
        }
        None => is_of_this_computer(url),
    }
}

/// Loopback, also in forms that only some systems understand: `x.localhost`, `0.0.0.0`.
fn is_of_this_computer(url: &Url) -> bool {
    match address_of(url) {
        Some(address) => address.is_loopback() || address.is_unspecified(),
        None => {
            let host = url.host_str().unwrap_or_default().trim_end_matches('.');
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

/// The address of a host, as IPv4 if it is a mapped one.
fn address_of(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    Some(bare.parse::<IpAddr>().ok()?.to_canonical())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in [
            "https://example.com/token",
            "http://127.0.0.1:1/token",
            "http://127.8.9.1/token",
            "http://[::1]:1/token",
            "http://localhost:1/token",
        ] {
            assert!(SecureUrl::new(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com/token",
            "http://127.0.0.1.example.com/token",
            "http://localhost.example.com/token",
            "http://10.0.0.1/token",
            "ftp://127.0.0.1/token",
            "javascript:alert(1)",
            "https://user:pw@example.com/",
            "https://example.com/#x",
            "nonsense",
            "",
        ] {
            let error = SecureUrl::new(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
        }
    }

    #[test]
    fn a_base_replaces_scheme_host_and_port_and_keeps_the_path() {
        let endpoint = SecureUrl::new("https://account.minimax.io/oauth2/token").unwrap();
        assert_eq!(
            endpoint
                .with_base("http://127.0.0.1:4000/")
                .unwrap()
                .as_str(),
            "http://127.0.0.1:4000/oauth2/token"
        );
        assert!(endpoint.with_base("http://127.0.0.1:4000/prefix").is_err());
        assert!(endpoint.with_base("http://example.com").is_err());
    }

    #[test]
    fn a_server_on_the_network_names_no_page_inside() {
        let page = |url| SecureUrl::new(url).unwrap();
        let (vendor, relay, kit) = (
            page("https://vendor.example/device"),
            page("https://10.0.0.5/device"),
            page("http://127.0.0.1:4000/device"),
        );
        for (url, by_vendor, by_relay) in [
            ("https://vendor.example/page", true, true),
            ("https://8.8.8.8/", true, true),
            ("https://10.1.2.3/", false, true),
            ("https://192.168.1.1/admin", false, true),
            ("https://169.254.169.254/latest", false, true),
            ("https://[fd00::1]/", false, true),
            ("https://[fe80::1]/", false, true),
            ("http://127.0.0.1:80/", false, false),
            ("https://127.0.0.1/", false, false),
            ("https://127.1/", false, false),
            ("https://0x7f000001/", false, false),
            ("https://[::ffff:127.0.0.1]/", false, false),
            ("https://[::1]/", false, false),
            ("https://0.0.0.0/", false, false),
            ("https://localhost/", false, false),
            ("https://localhost./", false, false),
            ("https://a.localhost/", false, false),
        ] {
            assert_eq!(vendor.may_name(&page(url)), by_vendor, "{url}");
            assert_eq!(relay.may_name(&page(url)), by_relay, "{url}");
            assert!(kit.may_name(&page(url)), "{url}");
        }
    }

    #[test]
    fn a_message_about_a_bad_endpoint_keeps_its_password() {
        let error = SecureUrl::new("https://user:made-up@example.com/").unwrap_err();
        assert!(!error.to_string().contains("made-up"), "{error}");
    }
}
