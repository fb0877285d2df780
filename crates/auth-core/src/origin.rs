//! The servers that may receive the credentials of a stored session.
//!
//! See decision 0011.

mod trusted_host;

pub use trusted_host::TrustedHost;

use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::clean;
use crate::secure_url::SecureUrl;
use crate::token::OAuthToken;

/// Decides which endpoints a stored session is sent to: those at the server that issued it (RFC
/// 6749 section 10.4), and those that the caller trusts.
///
/// A session that records no server belongs to the vendor. All of the vendor's own servers may
/// receive what the vendor issued, since it has separate ones for tokens, revocation and the API. A
/// provider checks every request that holds a credential of a session, so that no endpoint setting
/// alone, wherever it comes from, sends a session to another server.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::{SecureUrl, OAuthToken, Timestamp};
/// use llm_auth_core::provider::Recipients;
///
/// let vendor = SecureUrl::new("https://vendor.example/token")?;
/// let other = SecureUrl::new("https://other.example/token")?;
/// let recipients = Recipients::of_provider([vendor.clone()]);
/// let session = OAuthToken::new("made-up".into(), Timestamp::default()).issued_by(&vendor);
/// assert!(recipients.permit(&session, &vendor).is_ok());
/// assert!(recipients.permit(&session, &other).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recipients {
    own: Vec<SecureUrl>,
    trusted: Vec<TrustedHost>,
}

impl Recipients {
    /// With the vendor's own endpoints, the token endpoint first.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Recipients;
    ///
    /// let token = SecureUrl::known("https://auth.example/token");
    /// assert!(Recipients::of_provider([token.clone()]).owns(&token));
    /// ```
    #[must_use]
    pub fn of_provider(own: impl IntoIterator<Item = SecureUrl>) -> Self {
        Self {
            own: own.into_iter().collect(),
            trusted: Vec::new(),
        }
    }

    /// Trusts these servers too, for every session.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Recipients;
    ///
    /// let own = SecureUrl::known("https://auth.example/token");
    /// let recipients = Recipients::of_provider([own]).trusting(&["relay.example".parse()?]);
    /// assert!(recipients.trusts(&SecureUrl::known("https://relay.example/token")));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn trusting(mut self, hosts: &[TrustedHost]) -> Self {
        self.trusted.extend_from_slice(hosts);
        self
    }

    /// The endpoint, if the credentials of this session may be sent there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming both hosts.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{ErrorKind, OAuthToken, SecureUrl};
    /// use llm_auth_core::provider::Recipients;
    ///
    /// let own = SecureUrl::known("https://auth.example/token");
    /// let recipients = Recipients::of_provider([own.clone()]);
    /// let session = OAuthToken::new("made-up".into(), None).issued_by(&own);
    /// let other = SecureUrl::known("https://other.example/token");
    /// let error = recipients.permit(&session, &other).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// ```
    pub fn permit<'e>(
        &self,
        session: &OAuthToken,
        endpoint: &'e SecureUrl,
    ) -> Result<&'e SecureUrl> {
        let is_home = match self.recorded(session) {
            Some(Ok(server)) if server.matches(endpoint) => true,
            Some(Ok(server)) => {
                self.own.iter().any(|own| server.matches(own)) && self.owns(endpoint)
            }
            // A record that cannot be read matches no server.
            Some(Err(_)) => false,
            None => self.owns(endpoint),
        };
        if is_home || self.trusts(endpoint) {
            return Ok(endpoint);
        }
        Err(self.not_permitted(session, endpoint))
    }

    /// The endpoint, if the access token of this session may be sent there: as
    /// [`permit`](Self::permit), and to the vendor's own servers no matter which server issued the
    /// session, since a relay of the token endpoint implies nothing about the API.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming both hosts.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, SecureUrl};
    /// use llm_auth_core::provider::Recipients;
    ///
    /// let api = SecureUrl::known("https://api.example/v1");
    /// let recipients = Recipients::of_provider([api.clone()]);
    /// let relay = SecureUrl::known("https://relay.example/token");
    /// let session = OAuthToken::new("made-up".into(), None).issued_by(&relay);
    /// assert!(recipients.permit(&session, &api).is_err());
    /// assert!(recipients.permit_access(&session, &api).is_ok());
    /// ```
    pub fn permit_access<'e>(
        &self,
        session: &OAuthToken,
        endpoint: &'e SecureUrl,
    ) -> Result<&'e SecureUrl> {
        if self.owns(endpoint) {
            return Ok(endpoint);
        }
        self.permit(session, endpoint)
    }

    /// The session with the server that it belongs to: the one that it records, otherwise this
    /// token endpoint's if that is the vendor's or trusted, otherwise the vendor's.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, SecureUrl};
    /// use llm_auth_core::provider::Recipients;
    ///
    /// let own = SecureUrl::known("https://auth.example/token");
    /// let session = OAuthToken::new("made-up".into(), None);
    /// let session = Recipients::of_provider([own.clone()]).bind(session, &own);
    /// assert_eq!(session.metadata.server.as_deref(), Some("https://auth.example"));
    /// ```
    #[must_use]
    pub fn bind(&self, session: OAuthToken, token_endpoint: &SecureUrl) -> OAuthToken {
        match (&session.metadata.server, self.own.first()) {
            (Some(_), _) => session,
            (None, Some(own)) if !self.owns(token_endpoint) && !self.trusts(token_endpoint) => {
                session.issued_by(own)
            }
            (None, _) => session.issued_by(token_endpoint),
        }
    }

    /// Whether it is at one of the vendor's own servers.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Recipients;
    ///
    /// let recipients = Recipients::of_provider([SecureUrl::known("https://auth.example/token")]);
    /// assert!(recipients.owns(&SecureUrl::known("https://auth.example/revoke")));
    /// assert!(!recipients.owns(&SecureUrl::known("https://other.example/token")));
    /// ```
    #[must_use]
    pub fn owns(&self, endpoint: &SecureUrl) -> bool {
        self.own.iter().any(|own| own.base() == endpoint.base())
    }

    /// Whether the caller trusts the server of this endpoint.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Recipients;
    ///
    /// let recipients = Recipients::default().trusting(&["relay.example".parse()?]);
    /// assert!(recipients.trusts(&SecureUrl::known("https://relay.example/token")));
    /// assert!(!recipients.trusts(&SecureUrl::known("https://auth.example/token")));
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    #[must_use]
    pub fn trusts(&self, endpoint: &SecureUrl) -> bool {
        self.trusted.iter().any(|host| host.matches(endpoint))
    }

    fn recorded(&self, session: &OAuthToken) -> Option<Result<TrustedHost>> {
        session.metadata.server.as_deref().map(str::parse)
    }

    fn not_permitted(&self, session: &OAuthToken, endpoint: &SecureUrl) -> Error {
        let there = endpoint.base_or_host();
        let home = match (&session.metadata.server, self.own.first()) {
            (Some(server), _) => format!("was issued by {}", shown(server)),
            (None, Some(own)) => {
                format!("records no server, so it belongs to {}", own.base_or_host())
            }
            (None, None) => "records no server".to_owned(),
        };
        Error::new(
            ErrorKind::Config,
            format!("the session {home}; it was not sent to {there}"),
        )
        .with_other_server()
    }
}

/// A recorded server as an error shows it, without `https://`.
fn shown(server: &str) -> String {
    clean(server.strip_prefix("https://").unwrap_or(server), 200, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn session(server: Option<&str>) -> OAuthToken {
        let mut session = OAuthToken::new("made-up".into(), Timestamp::default());
        session.metadata.server = server.map(Into::into);
        session
    }

    fn vendor() -> Recipients {
        Recipients::of_provider([
            SecureUrl::known("https://account.example/token"),
            SecureUrl::known("https://api.example/v1"),
        ])
    }

    fn permits(recipients: &Recipients, server: Option<&str>, url: &str) -> bool {
        let endpoint = SecureUrl::new(url).unwrap();
        recipients.permit(&session(server), &endpoint).is_ok()
    }

    #[test]
    fn a_session_goes_to_the_origin_that_issued_it_and_the_vendor_s_to_all_of_the_vendor() {
        let vendor = vendor();
        for (server, url, expected) in [
            (None, "https://account.example/token", true),
            (None, "https://api.example/other", true),
            (None, "https://evil.example/token", false),
            (None, "http://127.0.0.1:1/token", false),
            (Some("account.example"), "https://api.example/x", true),
            (
                Some("https://account.example"),
                "https://api.example/x",
                true,
            ),
            (
                Some("https://account.example"),
                "https://account.example:8443/",
                false,
            ),
            (Some("relay.example"), "https://relay.example/token", true),
            (
                Some("https://relay.example"),
                "https://relay.example/token",
                true,
            ),
            (
                Some("relay.example"),
                "https://account.example/token",
                false,
            ),
            (
                Some("relay.example:8443"),
                "https://relay.example:8443/",
                true,
            ),
            (Some("relay.example:8443"), "https://relay.example/", false),
            (Some("127.0.0.1:1111"), "http://127.0.0.1:1111/token", true),
            (
                Some("http://127.0.0.1:1111"),
                "http://127.0.0.1:1111/token",
                true,
            ),
            (
                Some("http://127.0.0.1:1111"),
                "https://127.0.0.1:1111/token",
                false,
            ),
            (
                Some("http://127.0.0.1:1111"),
                "http://127.0.0.1:2222/token",
                false,
            ),
            (
                Some("http://127.0.0.1:1111"),
                "http://localhost:1111/token",
                false,
            ),
            (Some("http://[::1]:1111"), "http://[::1]:1111/token", true),
            (Some(""), "https://account.example/token", false),
            (
                Some("account.example/../evil"),
                "https://account.example/token",
                false,
            ),
            (
                Some("account.example@evil.example"),
                "https://evil.example/",
                false,
            ),
        ] {
            assert_eq!(permits(&vendor, server, url), expected, "{server:?} {url}");
        }
    }

    #[test]
    fn a_trusted_host_is_one_host_at_one_port() {
        for (trusted, url, expected) in [
            ("evil.example", "https://evil.example/", true),
            ("EVIL.example", "https://evil.example/", true),
            ("evil.example:443", "https://evil.example/", true),
            ("evil.example", "https://evil.example:8443/", false),
            ("evil.example", "https://sub.evil.example/", false),
            ("evil.example:8443", "https://evil.example:8443/", true),
            (
                "https://evil.example:8443",
                "https://evil.example:8443/",
                true,
            ),
            ("127.0.0.1:80", "http://127.0.0.1/", true),
            ("127.0.0.1", "http://127.0.0.1:1/", false),
            ("127.0.0.1:443", "http://127.0.0.1/", false),
            ("[::1]:1", "http://[::1]:1/", true),
        ] {
            let trusting = vendor().trusting(&[trusted.parse().unwrap()]);
            assert_eq!(permits(&trusting, None, url), expected, "{trusted} {url}");
        }
    }

    #[test]
    fn a_refusal_names_both_hosts() {
        let endpoint = SecureUrl::known("https://evil.example/token");
        for (server, host) in [
            (Some("https://relay.example"), "relay.example"),
            (None, "account.example"),
        ] {
            let error = vendor().permit(&session(server), &endpoint).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let message = error.to_string();
            assert!(
                message.contains(host) && message.contains("evil.example"),
                "{message}"
            );
        }
    }

    #[test]
    fn the_access_token_goes_to_the_vendor_s_api_wherever_a_session_was_made() {
        let relayed = session(Some("https://relay.example"));
        let (api, evil) = (
            SecureUrl::known("https://api.example/v1"),
            SecureUrl::known("https://evil.example/v1"),
        );
        assert!(vendor().permit_access(&relayed, &api).is_ok());
        assert!(vendor().permit(&relayed, &api).is_err());
        assert!(vendor().permit_access(&relayed, &evil).is_err());
    }

    #[test]
    fn a_session_of_unknown_origin_is_bound_to_the_vendor_unless_the_endpoint_is_trusted() {
        let relay = SecureUrl::known("https://relay.example/token");
        let bound = |recipients: Recipients, server| {
            recipients
                .bind(session(server), &relay)
                .metadata
                .server
                .unwrap()
        };
        assert_eq!(bound(vendor(), None), "https://account.example");
        let trusting = vendor().trusting(&["relay.example".parse().unwrap()]);
        assert_eq!(bound(trusting, None), "https://relay.example");
        assert_eq!(bound(vendor(), Some("x.example")), "x.example");
    }
}
