//! The origin of a session's API, and that of a request.

use std::fmt;

use http::Uri;
use llm_auth_core::{AuthManager, Error, ErrorKind, OAuthToken, Result, SecureUrl, printable};
use reqwest::Url;

/// Where a request goes: the scheme, the host and the port of its URL.
///
/// # Examples
///
/// ```
/// use llm_auth_http::Target;
///
/// let uri = http::Uri::from_static("https://api.example/v1/models");
/// assert_eq!(Target::of_uri(&uri).unwrap().to_string(), "https://api.example:443");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target<'a> {
    scheme: &'a str,
    host: &'a str,
    port: u16,
}

impl<'a> Target<'a> {
    /// That of a URL; `None` if it has no host, or a scheme without a default port.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_http::Target;
    ///
    /// let url = reqwest::Url::parse("https://api.example:8443/v1").unwrap();
    /// assert_eq!(Target::of_url(&url).unwrap().to_string(), "https://api.example:8443");
    /// ```
    #[must_use]
    pub fn of_url(url: &'a Url) -> Option<Self> {
        Some(Self {
            scheme: url.scheme(),
            host: url.host_str()?,
            port: url.port_or_known_default()?,
        })
    }

    /// That of a URI; `None` if it is relative, or if its scheme is neither `http` nor `https`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_http::Target;
    ///
    /// assert_eq!(Target::of_uri(&http::Uri::from_static("/v1/models")), None);
    /// ```
    #[must_use]
    pub fn of_uri(uri: &'a Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?;
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        // A port that is not a number is not the default one.
        let named = uri.authority()?.port().map(|port| port.as_u16());
        Some(Self {
            scheme,
            host: uri.host()?,
            port: named.unwrap_or(default),
        })
    }
}

/// As a URL, always with the port.
impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = printable(self.host);
        write!(f, "{}://{host}:{}", self.scheme, self.port)
    }
}

/// The origin of a session's API.
#[derive(Debug)]
pub(crate) struct Origin(Url);

impl Origin {
    /// The origin that may receive the access token.
    pub(crate) fn of(base: Option<&str>, ignored: Option<&str>) -> Result<Self> {
        let Some(base) = base else {
            return Err(Error::new(ErrorKind::Config, no_api(ignored)));
        };
        // No other than https, except on this computer.
        let base = SecureUrl::new(base)?;
        let url = Url::parse(base.as_str()).map_err(|source| {
            Error::new(ErrorKind::Config, "the API base URL is not a URL").with_source(source)
        })?;
        Ok(Self(url))
    }

    pub(crate) fn is(&self, target: Target<'_>) -> bool {
        Target::of_url(&self.0).is_some_and(|own| {
            own.scheme == target.scheme
                && own.port == target.port
                && own.host.eq_ignore_ascii_case(target.host)
        })
    }

    /// Checks that a request goes there.
    pub(crate) fn check(&self, target: Option<Target<'_>>) -> Result<()> {
        if target.is_some_and(|target| self.is(target)) {
            return Ok(());
        }
        let own = self.0.origin().ascii_serialization();
        let there = match target {
            Some(target) => format!("a request to {target}"),
            None => "a request without a host".to_owned(),
        };
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "{there} was not sent, since the session is for {own} only: correct the URL, or use \
                 a client without the session"
            ),
        ))
    }
}

fn no_api(ignored: Option<&str>) -> String {
    match ignored {
        Some(host) => format!(
            "the session names {} as its API, which is not trusted with the access token: trust \
             that host, or sign in again",
            printable(host)
        ),
        None => "the API of the session is not known: set the provider's API base URL".to_owned(),
    }
}

/// Names the session in an error.
pub(crate) fn named(error: Error, manager: &AuthManager) -> Error {
    error.with_session(manager.key())
}

/// The API of a session: its origin, and the headers of each call.
pub(crate) fn api(
    manager: &AuthManager,
    token: &OAuthToken,
) -> Result<(Origin, Vec<(String, String)>)> {
    let api = manager.provider().api(token)?;
    let origin = Origin::of(api.base.as_deref(), api.ignored.as_deref())?;
    Ok((origin, api.headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(base: &str, url: &str) -> [bool; 2] {
        let origin = Origin::of(Some(base), None).unwrap();
        let by_url = Url::parse(url).unwrap();
        let by_uri: Uri = url.parse().unwrap();
        [Target::of_url(&by_url), Target::of_uri(&by_uri)]
            .map(|target| target.is_some_and(|target| origin.is(target)))
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_whatever_the_path() {
        for (base, url, expected) in [
            ("https://api.example/v1", "https://api.example/other", true),
            ("https://api.example/v1", "https://API.example:443/", true),
            (
                "https://api.example:8443",
                "https://api.example:8443/",
                true,
            ),
            ("https://api.example", "https://api.example:8443/", false),
            ("https://api.example", "http://api.example/", false),
            ("https://api.example", "http://api.example:443/", false),
            ("https://api.example", "https://sub.api.example/", false),
            (
                "https://api.example",
                "https://api.example.evil.example/",
                false,
            ),
            (
                "https://api.example",
                "https://api.example@evil.example/",
                false,
            ),
            ("http://127.0.0.1:1111", "http://127.0.0.1:1111/v1", true),
            ("http://127.0.0.1:1111", "http://127.0.0.1:2222/v1", false),
            ("http://127.0.0.1:1111", "http://localhost:1111/v1", false),
            ("http://[::1]:1111", "http://[::1]:1111/v1", true),
        ] {
            assert_eq!(is(base, url), [expected; 2], "{base} {url}");
        }
    }

    #[test]
    fn a_base_in_clear_text_is_none() {
        let error = Origin::of(Some("http://api.example/v1"), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }

    #[test]
    fn what_a_request_names_is_shown_without_its_user_name_and_path() {
        let origin = Origin::of(Some("https://api.example/v1"), None).unwrap();
        let uri = Uri::from_static("https://made-up-user:made-up-word@other.example/made-up");
        let error = origin.check(Target::of_uri(&uri)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("https://other.example:443"), "{text}");
        assert!(text.contains("https://api.example only"), "{text}");
        assert!(!text.contains("made-up"), "{text}");
    }
}
