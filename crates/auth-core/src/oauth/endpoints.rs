//! The endpoints of a provider, and those that a user sets in their place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::auth_provider::EndpointRole;
use crate::error::Result;
use crate::secure_url::SecureUrl;

/// The endpoints of a provider.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{EndpointRole, SecureUrl};
/// use llm_auth_core::provider::Endpoints;
///
/// let mut endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
/// endpoints.revocation = Some(SecureUrl::known("https://auth.example/revoke"));
/// assert!(endpoints.get(EndpointRole::Revocation).is_some());
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// Exchanges, polls and refreshes (RFC 6749 section 3.2).
    pub token: SecureUrl,
    /// The page that the browser opens (RFC 6749 section 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<SecureUrl>,
    /// The request for a device code (RFC 8628 section 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authorization: Option<SecureUrl>,
    /// Revocations (RFC 7009). Without it, a sign-out only removes the session here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<SecureUrl>,
    /// The user's identity (OpenID Connect Core section 5.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo: Option<SecureUrl>,
    /// The document that names the keys of ID tokens (OpenID Connect Discovery section 4). It
    /// receives no credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<SecureUrl>,
    /// The base URL of the API that the access token is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_base: Option<SecureUrl>,
}

impl Endpoints {
    /// Endpoints with only a token endpoint; the others are public.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Endpoints;
    ///
    /// let endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
    /// assert_eq!(endpoints.authorization, None);
    /// ```
    #[must_use]
    pub fn new(token: SecureUrl) -> Self {
        Self {
            token,
            authorization: None,
            device_authorization: None,
            revocation: None,
            userinfo: None,
            discovery: None,
            api_base: None,
        }
    }

    /// The endpoint of a role.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{EndpointRole, SecureUrl};
    /// use llm_auth_core::provider::Endpoints;
    ///
    /// let endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
    /// assert_eq!(endpoints.get(EndpointRole::Token), Some(&endpoints.token));
    /// ```
    #[must_use]
    pub fn get(&self, role: EndpointRole) -> Option<&SecureUrl> {
        match role {
            EndpointRole::Authorization => self.authorization.as_ref(),
            EndpointRole::DeviceAuthorization => self.device_authorization.as_ref(),
            EndpointRole::Token => Some(&self.token),
            EndpointRole::Revocation => self.revocation.as_ref(),
            EndpointRole::Userinfo => self.userinfo.as_ref(),
            EndpointRole::Discovery => self.discovery.as_ref(),
            EndpointRole::ApiBase => self.api_base.as_ref(),
        }
    }

    /// The endpoints that exist, in the order of [`EndpointRole::ALL`].
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::Endpoints;
    ///
    /// let endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
    /// for (role, url) in endpoints.iter() {
    ///     println!("{role}: {url}");
    /// }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (EndpointRole, &SecureUrl)> {
        let roles = EndpointRole::ALL.into_iter();
        roles.filter_map(|role| Some((role, self.get(role)?)))
    }

    fn set(&mut self, role: EndpointRole, url: SecureUrl) {
        match role {
            EndpointRole::Authorization => self.authorization = Some(url),
            EndpointRole::DeviceAuthorization => self.device_authorization = Some(url),
            EndpointRole::Token => self.token = url,
            EndpointRole::Revocation => self.revocation = Some(url),
            EndpointRole::Userinfo => self.userinfo = Some(url),
            EndpointRole::Discovery => self.discovery = Some(url),
            EndpointRole::ApiBase => self.api_base = Some(url),
        }
    }
}

/// The endpoints that a user sets in place of a provider's own.
///
/// They are kept as given and applied to every configuration that is used, whatever the region of a
/// session. They decide where a new sign-in goes. A stored session still goes only to the server
/// that issued it.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::{EndpointOverrides, EndpointRole, SecureUrl};
///
/// let overrides = EndpointOverrides::default()
///     .base("http://127.0.0.1:4000")?
///     .endpoint(EndpointRole::Token, SecureUrl::new("https://login.example.com/token")?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use]
pub struct EndpointOverrides {
    base: Option<SecureUrl>,
    endpoints: BTreeMap<EndpointRole, SecureUrl>,
}

impl EndpointOverrides {
    /// Moves every endpoint to another scheme, host and port, such as a proxy or a simulated
    /// provider; each keeps its path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if `base` is neither `https` nor loopback,
    /// or has a path.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::EndpointOverrides;
    ///
    /// let overrides = EndpointOverrides::default().base("http://127.0.0.1:4000")?;
    /// assert!(EndpointOverrides::default().base("http://relay.example").is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn base(mut self, base: &str) -> Result<Self> {
        self.base = Some(SecureUrl::new(base)?.as_base()?);
        Ok(self)
    }

    /// Sets one endpoint. It takes precedence over [`base`](Self::base).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{EndpointOverrides, EndpointRole, SecureUrl};
    ///
    /// let url = SecureUrl::new("https://relay.example/token")?;
    /// let overrides = EndpointOverrides::default().endpoint(EndpointRole::Token, url);
    /// assert!(!overrides.is_empty());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn endpoint(mut self, role: EndpointRole, url: SecureUrl) -> Self {
        self.endpoints.insert(role, url);
        self
    }

    /// Whether nothing is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::EndpointOverrides;
    ///
    /// assert!(EndpointOverrides::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.endpoints.is_empty()
    }

    /// The endpoint that is set for this role alone.
    pub(super) fn of_role(&self, role: EndpointRole) -> Option<&SecureUrl> {
        self.endpoints.get(&role)
    }

    // See decision 0030.
    pub(super) fn apply(&self, endpoints: &mut Endpoints) {
        if let Some(base) = &self.base {
            for role in EndpointRole::ALL {
                if let Some(moved) = endpoints.get(role).map(|url| url.moved_to(base)) {
                    endpoints.set(role, moved);
                }
            }
        }
        for (role, url) in &self.endpoints {
            endpoints.set(*role, url.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        let mut endpoints = Endpoints::new(SecureUrl::known("https://vendor.example/oauth/token"));
        endpoints.api_base = Some(SecureUrl::known("https://api.vendor.example/v1"));
        endpoints
    }

    fn applied(overrides: &EndpointOverrides) -> Vec<String> {
        let mut endpoints = endpoints();
        overrides.apply(&mut endpoints);
        let all = endpoints.iter();
        all.map(|(role, url)| format!("{role} {url}")).collect()
    }

    #[test]
    fn a_base_moves_every_endpoint_and_keeps_the_paths() {
        let overrides = EndpointOverrides::default().base("http://127.0.0.1:4000");
        assert_eq!(
            applied(&overrides.unwrap()),
            [
                "token endpoint http://127.0.0.1:4000/oauth/token",
                "API base URL http://127.0.0.1:4000/v1",
            ]
        );
    }

    #[test]
    fn one_endpoint_goes_before_the_base_and_may_be_new() {
        let url = SecureUrl::known("https://other.example/revoke");
        let overrides = EndpointOverrides::default()
            .endpoint(EndpointRole::Revocation, url.clone())
            .endpoint(EndpointRole::Token, url);
        assert_eq!(
            applied(&overrides.base("https://relay.example").unwrap()),
            [
                "token endpoint https://other.example/revoke",
                "revocation endpoint https://other.example/revoke",
                "API base URL https://relay.example/v1",
            ]
        );
    }

    #[test]
    fn a_base_is_https_or_loopback_and_has_no_path() {
        for base in ["http://example.com", "https://example.com/path", "", "x"] {
            assert!(EndpointOverrides::default().base(base).is_err(), "{base}");
        }
    }
}
