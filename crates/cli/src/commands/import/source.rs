//! The programs whose sessions are known.

use clap::ValueEnum;

/// A program that keeps sessions of the same vendors.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Source {
    /// Qwen Code: ~/.qwen/oauth_creds.json.
    QwenCode,
    /// MiniMax's own command: ~/.mmx/config.json.
    Mmx,
    /// gcloud's application default credentials.
    Gcloud,
    /// Gemini CLI: inspection only, because its OAuth client is Google's own.
    GeminiCli,
    /// A token file of gochat's Go package `auth`.
    Gochat,
}

impl Source {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let known = Self::value_variants().iter().copied();
        known.into_iter().find(|source| source.name() == name)
    }

    /// As it is typed.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gcloud => "gcloud",
            Self::GeminiCli => "gemini-cli",
            Self::Gochat => "gochat",
            Self::Mmx => "mmx",
            Self::QwenCode => "qwen-code",
        }
    }

    /// As a person knows it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Gcloud => "gcloud",
            Self::GeminiCli => "Gemini CLI",
            Self::Gochat => "the gochat program",
            Self::Mmx => "mmx",
            Self::QwenCode => "Qwen Code",
        }
    }
}
