//! Who is simulated, and which of their doors a request came to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the simulated vendors.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Vendor {
    /// Qwen: device flow with PKCE.
    Qwen,
    /// MiniMax: user-code device flow with PKCE and an echoed `state`, in three dialects.
    MiniMax,
    /// Google for Gemini: authorization code with PKCE and a loopback redirect.
    Gemini,
}

impl Vendor {
    /// The name used by the control API: `qwen`, `minimax` or `gemini`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Qwen => "qwen",
            Self::MiniMax => "minimax",
            Self::Gemini => "gemini",
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A door of a vendor, for scripting faults. In JSON the name is in snake case: `refresh`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// Where a device flow starts.
    DeviceAuthorization,
    /// The token endpoint, whatever the grant type.
    Token,
    /// The token endpoint, asked whether a person has approved a device flow.
    Poll,
    /// The token endpoint, asked to exchange an authorization code.
    Exchange,
    /// The token endpoint, asked to refresh.
    Refresh,
    /// The page in the browser where a person approves; for Google also the redirect from it.
    Authorization,
    /// Where a token is revoked.
    Revocation,
    /// Who is signed in.
    UserInfo,
    /// What a token is worth.
    TokenInfo,
    /// The API that accepts an access token.
    Chat,
}

impl Endpoint {
    /// Whether something scripted for `self` applies to a request that came to `seen`.
    pub(crate) fn covers(self, seen: Self) -> bool {
        self == seen
            || self == Self::Token && matches!(seen, Self::Poll | Self::Exchange | Self::Refresh)
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::DeviceAuthorization => "device authorization",
            Self::Token => "token",
            Self::Poll => "poll",
            Self::Exchange => "exchange",
            Self::Refresh => "refresh",
            Self::Authorization => "authorization",
            Self::Revocation => "revocation",
            Self::UserInfo => "userinfo",
            Self::TokenInfo => "tokeninfo",
            Self::Chat => "chat",
        }
    }
}
