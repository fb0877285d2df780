//! Authorization codes: from the consent page to the exchange (RFC 6749 section 4.1).

use std::time::{Duration, Instant};

use super::device_code::Decision;
use super::pkce;
use crate::random;

/// What a client requested at the authorization endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) state: String,
    /// For the ID token (OpenID Connect Core section 3.1.2.1).
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: String,
    pub(crate) offline: bool,
    pub(crate) consent: bool,
}

/// A request that the user has to decide on.
#[derive(Debug)]
pub(crate) struct Consent {
    /// The name of the request on the page and in the control API.
    pub(crate) id: String,
    pub(crate) csrf: String,
    pub(crate) request: AuthorizationRequest,
    pub(crate) decision: Decision,
    /// The browser was redirected to the client.
    pub(crate) redirected: bool,
}

impl Consent {
    pub(crate) fn new(request: AuthorizationRequest) -> Self {
        Self {
            id: random::user_code(),
            csrf: random::hex(16),
            request,
            decision: Decision::Open,
            redirected: false,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) value: String,
    pub(crate) request: AuthorizationRequest,
    /// The token family issued for it, after the exchange.
    pub(crate) family: Option<u64>,
    created: Instant,
    lifetime: Duration,
}

impl Code {
    pub(crate) fn new(request: AuthorizationRequest, lifetime: Duration) -> Self {
        Self {
            value: format!("4/testkit-{}", random::hex(16)),
            request,
            family: None,
            created: Instant::now(),
            lifetime,
        }
    }

    fn expired(&self) -> bool {
        self.created.elapsed() >= self.lifetime
    }

    /// Checks what a client presents with the code (RFC 6749 section 4.1.3).
    pub(crate) fn redeem(
        &self,
        client_id: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
    ) -> Redemption {
        if let Some(family) = self.family {
            return Redemption::UsedBefore { family };
        }
        if self.request.client_id != client_id {
            return Redemption::OtherClient;
        }
        if self.expired() {
            return Redemption::Expired;
        }
        if redirect_uri != Some(&self.request.redirect_uri) {
            return Redemption::OtherRedirect;
        }
        match pkce::verify(verifier, &self.request.challenge) {
            Ok(()) => Redemption::Granted(self.request.clone()),
            Err(why) => Redemption::BadVerifier(why),
        }
    }
}

/// The outcome of presenting an authorization code.
#[derive(Debug)]
pub(crate) enum Redemption {
    UsedBefore { family: u64 },
    OtherClient,
    Expired,
    OtherRedirect,
    BadVerifier(&'static str),
    Granted(AuthorizationRequest),
}

/// Whether a desktop client may receive its response there: plain `http`, a loopback literal, any port.
pub(crate) fn is_loopback_redirect(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("http://") else {
        return false;
    };
    if uri.contains('#') || !uri.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
        return false;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let port = authority
        .strip_prefix("127.0.0.1")
        .or_else(|| authority.strip_prefix("[::1]"));
    match port.map(|port| port.strip_prefix(':').unwrap_or(port)) {
        Some("") => !authority.ends_with(':'),
        Some(port) => port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => false,
    }
}

/// Whether it is such an address, or has `localhost` for it (RFC 8252 section 8.3 advises against
/// that).
pub(crate) fn is_local_redirect(uri: &str) -> bool {
    let by_name = uri.strip_prefix("http://localhost");
    let literal = by_name.map(|rest| format!("http://127.0.0.1{rest}"));
    is_loopback_redirect(literal.as_deref().unwrap_or(uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_literals_are_redirected_to() {
        for good in [
            "http://127.0.0.1:8085/oauth2callback",
            "http://127.0.0.1/",
            "http://[::1]:1/x?y=1",
        ] {
            assert!(is_loopback_redirect(good), "{good}");
        }
        for bad in [
            "urn:ietf:wg:oauth:2.0:oob",
            "https://127.0.0.1:1/",
            "http://localhost:1/",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1:1@evil.example/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.11:1/",
            "http://127.0.0.1:1/#fragment",
            "http://evil.example/?http://127.0.0.1:1",
        ] {
            assert!(!is_loopback_redirect(bad), "{bad}");
        }
    }

    #[test]
    fn localhost_is_another_name_of_it_for_those_who_allow_that() {
        for (uri, expected) in [
            ("http://localhost:1/x", true),
            ("http://127.0.0.1:1/x", true),
            ("http://localhost.evil.example/", false),
            ("http://localhost:1@evil.example/", false),
            ("https://localhost:1/", false),
        ] {
            assert_eq!(is_local_redirect(uri), expected, "{uri}");
        }
    }
}
