//! The names of the simulated providers and of their operations.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the simulated providers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Provider {
    /// OpenRouter: a code with PKCE is exchanged for an API key, without a client.
    OpenRouter,
    /// Hugging Face: device flow, and authorization code with PKCE.
    HuggingFace,
    /// Poe: a code with PKCE is exchanged for an API key.
    Poe,
    /// GitHub: device flow, whose errors come with status 200.
    GitHub,
    /// Qwen: device flow with PKCE.
    Qwen,
    /// MiniMax: user-code device flow with PKCE and an echoed `state`, in three dialects.
    MiniMax,
    /// Google for Gemini: authorization code with PKCE and a loopback redirect.
    Gemini,
    /// A provider that follows the RFCs, with the paths and rules that a test configures.
    Standard,
}

impl Provider {
    /// Every provider with its name, in the order of declaration.
    // Of providers with the same path the last one goes first; see `Shared::route`.
    pub(crate) const ALL: [(Self, &str); 8] = [
        (Self::OpenRouter, "openrouter"),
        (Self::HuggingFace, "huggingface"),
        (Self::Poe, "poe"),
        (Self::GitHub, "github"),
        (Self::Qwen, "qwen"),
        (Self::MiniMax, "minimax"),
        (Self::Gemini, "gemini"),
        (Self::Standard, "standard"),
    ];

    /// The name used by the control API, such as `qwen` or `standard`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An operation of a provider, for scripting faults. In JSON the name is in snake case: `refresh`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// The start of a device flow.
    DeviceAuthorization,
    /// The token endpoint, for any grant type.
    Token,
    /// A poll of a device flow at the token endpoint.
    Poll,
    /// The exchange of an authorization code at the token endpoint.
    Exchange,
    /// A refresh at the token endpoint.
    Refresh,
    /// The approval page in the browser; in the code flow also its redirect.
    Authorization,
    /// The revocation of a token.
    Revocation,
    /// The userinfo endpoint.
    UserInfo,
    /// The tokeninfo endpoint.
    TokenInfo,
    /// An API call with an access token.
    Chat,
}

impl Operation {
    /// Whether a fault that is scripted for `self` applies to a request of `seen`.
    pub(crate) fn covers(self, seen: Self) -> bool {
        self == seen
            || self == Self::Token && matches!(seen, Self::Poll | Self::Exchange | Self::Refresh)
    }

    pub(crate) fn description(self) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_providers_are_listed_in_order_and_under_their_name_in_json() {
        for (at, (provider, name)) in Provider::ALL.into_iter().enumerate() {
            assert_eq!(provider as usize, at, "{provider}");
            assert_eq!(serde_json::json!(provider), name);
        }
    }
}
