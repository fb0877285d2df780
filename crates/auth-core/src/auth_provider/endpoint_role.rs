//! The names of a provider's endpoints.

use std::fmt;

use serde::Deserialize;

/// What an endpoint is for.
///
/// # Examples
///
/// ```
/// use llm_auth_core::EndpointRole;
///
/// assert_eq!(EndpointRole::Token.to_string(), "token endpoint");
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum EndpointRole {
    /// The page that the browser opens (RFC 6749 section 3.1).
    Authorization,
    /// The request for a device code (RFC 8628 section 3.1).
    DeviceAuthorization,
    /// Exchanges, polls and refreshes (RFC 6749 section 3.2).
    Token,
    /// Revocations (RFC 7009).
    Revocation,
    /// The user's identity (OpenID Connect Core section 5.3).
    Userinfo,
    /// The document that names the keys of ID tokens (OpenID Connect Discovery section 4).
    Discovery,
    /// The base URL of the API that the access token is for.
    ApiBase,
}

impl EndpointRole {
    /// All roles, in the order in which a sign-in uses them.
    pub const ALL: [Self; 7] = [
        Self::Authorization,
        Self::DeviceAuthorization,
        Self::Token,
        Self::Revocation,
        Self::Userinfo,
        Self::Discovery,
        Self::ApiBase,
    ];
}

/// As the RFCs call it: `token endpoint`.
impl fmt::Display for EndpointRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authorization => "authorization endpoint",
            Self::DeviceAuthorization => "device authorization endpoint",
            Self::Token => "token endpoint",
            Self::Revocation => "revocation endpoint",
            Self::Userinfo => "userinfo endpoint",
            Self::Discovery => "discovery document",
            Self::ApiBase => "API base URL",
        })
    }
}
