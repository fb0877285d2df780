//! A configured provider, and what its sessions need.

use std::time::Duration;

use llm_auth_core::{
    AuthManager, AuthManagerBuilder, AuthProvider as _, OAuthProvider, OAuthToken, ProviderSpec,
};

use super::name::ProviderName;

/// A provider as the environment and the flags configure it.
pub(crate) type Provider = OAuthProvider<dyn ProviderSpec>;

/// A manager for sessions of this provider.
pub(crate) fn manager(provider: Provider) -> AuthManagerBuilder {
    // A command lives for one call, so nothing would wait for a background refresh; see decision
    // 0016.
    AuthManager::builder(provider).early_refresh_window(Duration::ZERO)
}

/// The base URL of a session's API. A header that cannot be sent fails the calls that print headers,
/// and no other.
pub(crate) fn api_base(provider: &Provider, session: &OAuthToken) -> Option<String> {
    provider.api(session).ok()?.base
}

/// The message on a session that names an API to which its access token must not go.
pub(crate) fn ignored_api(
    name: ProviderName,
    provider: &Provider,
    session: &OAuthToken,
) -> Option<String> {
    let host = provider.api(session).ok()?.ignored?;
    let title = name.title();
    Some(format!(
        "the session names {host} as its API, which is not a host of {title}: not used (add \
         --trust-endpoint {host} to use it)"
    ))
}
