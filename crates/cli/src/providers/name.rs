//! The providers that can be signed in to, by name.

use clap::ValueEnum;
use llm_auth_core::FileTokenStore;

use crate::session::resolve::Accounts;

/// A provider that can be signed in to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ProviderName {
    Qwen,
    #[value(name = "minimax")]
    MiniMax,
    #[value(alias = "google")]
    Gemini,
}

impl ProviderName {
    /// The name as it is typed and stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Qwen => "qwen",
            Self::MiniMax => "minimax",
            Self::Gemini => "gemini",
        }
    }

    /// The name as a person knows it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Qwen => "Qwen",
            Self::MiniMax => "MiniMax",
            Self::Gemini => "Gemini",
        }
    }

    /// The provider of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::value_variants()
            .iter()
            .copied()
            .find(|provider| provider.name() == name)
    }

    /// Its accounts in this store.
    pub(crate) fn accounts(self, store: &FileTokenStore) -> Accounts<'_> {
        Accounts::new(self.name(), self.title(), store)
    }

    /// What a sign-in is good for today; a sign-in prints it before it begins.
    pub(crate) fn availability(self) -> &'static str {
        match self {
            Self::Qwen => {
                "Qwen ended its free sign-in on 2026-04-15: signing in may still work, but the API \
                 refuses the tokens of most accounts."
            }
            Self::MiniMax => "The API takes tokens of accounts with a Token Plan only.",
            Self::Gemini => {
                "You need your own OAuth client (type \"Desktop app\"). API usage is billed to that \
                 client's project."
            }
        }
    }
}
