//! A provider of any name, and what its sessions need.

use std::time::Duration;

use llm_auth_core::{AuthManager, AuthManagerBuilder, AuthProvider, Error, OAuthToken, SecureUrl};
use llm_auth_gemini::GeminiProvider;
use llm_auth_minimax::MiniMaxProvider;
use llm_auth_qwen::QwenProvider;

use super::name::ProviderName;
use crate::error::Failure;
use crate::text::not_a_word;

/// A provider as the environment and the flags configure it.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    Qwen(QwenProvider),
    MiniMax(MiniMaxProvider),
    Gemini(GeminiProvider),
}

impl Provider {
    /// A session of tokens that another program obtained.
    pub(crate) fn import_session(&self, token: OAuthToken) -> Result<OAuthToken, Failure> {
        Ok(match self {
            Self::Qwen(provider) => provider.import_session(token),
            Self::MiniMax(provider) => provider.import_session(token)?,
            Self::Gemini(provider) => provider.import_session(token)?,
        })
    }

    /// A manager for sessions of this provider.
    pub(crate) fn manager(self) -> AuthManagerBuilder {
        let builder = match self {
            Self::Qwen(provider) => AuthManager::builder(provider),
            Self::MiniMax(provider) => AuthManager::builder(provider),
            Self::Gemini(provider) => AuthManager::builder(provider),
        };
        // A command lives for one call, so nothing would wait for a background refresh; see
        // decision 0016.
        builder.early_refresh_window(Duration::ZERO)
    }

    /// Whether a session may be sent to the endpoints of this provider.
    pub(crate) fn check_session(&self, session: &OAuthToken) -> Result<(), Error> {
        match self {
            Self::Qwen(provider) => provider.check_session(session),
            Self::MiniMax(provider) => provider.check_session(session),
            Self::Gemini(provider) => provider.check_session(session),
        }
    }

    /// Where a refresh sends the refresh token of this session.
    pub(crate) fn refresh_endpoint(&self, session: &OAuthToken) -> Result<SecureUrl, Error> {
        match self {
            Self::Qwen(provider) => provider.refresh_endpoint(session),
            Self::MiniMax(provider) => provider.refresh_endpoint(session),
            Self::Gemini(provider) => provider.refresh_endpoint(session),
        }
    }

    /// Where a revocation sends the tokens of this session; `None` if nothing is sent.
    pub(crate) fn revocation_endpoint(
        &self,
        session: &OAuthToken,
    ) -> Result<Option<SecureUrl>, Error> {
        match self {
            Self::Qwen(_) => Ok(None),
            Self::MiniMax(provider) => provider.revocation_endpoint(session),
            Self::Gemini(provider) => provider.revocation_endpoint(session).map(Some),
        }
    }

    /// The message on a session that names an API to which its access token must not go.
    pub(crate) fn ignored_api(&self, session: &OAuthToken) -> Option<String> {
        let (title, host) = match self {
            Self::Qwen(provider) => (ProviderName::Qwen.title(), provider.ignored_api(session)?),
            Self::MiniMax(provider) => (
                ProviderName::MiniMax.title(),
                provider.ignored_api(session)?,
            ),
            Self::Gemini(_) => return None,
        };
        Some(format!(
            "the session names {host} as its API, which is none of {title}'s hosts: not used \
             (--trust-endpoint {host} uses it)"
        ))
    }

    /// The base URL of the API that a session's access token is for.
    pub(crate) fn api_base(&self, token: &OAuthToken) -> Option<String> {
        match self {
            Self::Qwen(provider) => provider.api_base(token),
            Self::MiniMax(provider) => provider.api_base(token),
            Self::Gemini(provider) => provider.api_base(token),
        }
    }

    /// The headers that an API call needs beside `Authorization`.
    pub(crate) fn api_headers(
        &self,
        token: &OAuthToken,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        Ok(match self {
            Self::Qwen(provider) => provider.api_headers(),
            Self::MiniMax(_) => Vec::new(),
            Self::Gemini(provider) => {
                // One of a damaged or strange file is no header.
                let project = provider.quota_project(token);
                if let Some(why) = project.and_then(not_a_word) {
                    return Err(Failure::Config {
                        message: format!("gemini: the quota project that is stored {why}"),
                        advice: "set LLM_AUTH_GEMINI_QUOTA_PROJECT, or sign in again".into(),
                    });
                }
                provider.api_headers(token)?
            }
        })
    }
}
