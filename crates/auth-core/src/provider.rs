//! The side that talks to a vendor.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::api_response::{ApiResponse, ApiStatus};
use crate::error::Result;
use crate::prompt::UserPrompt;
use crate::token::OAuthToken;

/// One vendor's protocol. A provider keeps no sessions.
///
/// An [`AuthManager`](crate::AuthManager) usually drives it: the manager decides when to refresh,
/// stores sessions and merges responses. A provider does not decide when to refresh, where to keep
/// a session or what to show.
#[async_trait]
pub trait AuthProvider: Debug + Send + Sync {
    /// The provider's name: lower case, fit for a file name (`qwen`).
    fn name(&self) -> &str;

    /// Signs a user in.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) or
    /// [`ErrorKind::Expired`](crate::ErrorKind::Expired) if the user did not approve, and what the
    /// provider's own documentation lists.
    async fn authenticate(&self, prompt: &dyn UserPrompt) -> Result<OAuthToken>;

    /// Refreshes a session, once, and returns its whole successor: members that the response omits
    /// stay as they were ([`OAuthToken::inheriting`]).
    ///
    /// The refresh token may be spent as soon as this is called: store the successor before any
    /// caller receives its access token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RefreshRejected`](crate::ErrorKind::RefreshRejected) if the server rejected the
    /// refresh token, permanently if it is a [verdict](crate::Error::is_verdict); no other kind is
    /// about the refresh token.
    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken>;

    /// Whether a refresh spends the refresh token (RFC 9700 section 4.14.2); the careful
    /// assumption, and the default, is that it does. After a 2xx response that cannot be read,
    /// such a token is not sent again.
    fn rotates_refresh_tokens(&self) -> bool {
        true
    }

    /// Revokes the session at the vendor (RFC 7009), if the vendor supports it.
    ///
    /// # Errors
    ///
    /// If the vendor did not confirm; the credential may then still be good (RFC 7009 section 2.2.1).
    async fn revoke(&self, token: &OAuthToken) -> Result<Revocation> {
        let _: &OAuthToken = token;
        Ok(Revocation::NotSupported)
    }

    /// The base URL of the API that this session's access token is for.
    fn api_base(&self, token: &OAuthToken) -> Option<String> {
        let _: &OAuthToken = token;
        None
    }

    /// What an API response means for the session: refresh it, or the token is not at fault.
    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        response.verdict_by_status()
    }
}

#[async_trait]
impl<P: AuthProvider + ?Sized> AuthProvider for Arc<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn authenticate(&self, prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        (**self).authenticate(prompt).await
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        (**self).refresh(current).await
    }

    fn rotates_refresh_tokens(&self) -> bool {
        (**self).rotates_refresh_tokens()
    }

    async fn revoke(&self, token: &OAuthToken) -> Result<Revocation> {
        (**self).revoke(token).await
    }

    fn api_base(&self, token: &OAuthToken) -> Option<String> {
        (**self).api_base(token)
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        (**self).classify_api_response(response)
    }
}

/// The result of a revocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Revocation {
    /// The vendor confirmed it.
    Confirmed,
    /// The vendor does not support revocation.
    NotSupported,
}
