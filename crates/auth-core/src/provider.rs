//! Who talks to a vendor.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::api_response::{ApiResponse, ApiStatus};
use crate::error::Result;
use crate::prompt::UserPrompt;
use crate::token::OAuthToken;

/// Knows one vendor's wire, and keeps nothing.
///
/// Usually driven by an [`AuthManager`](crate::AuthManager), which decides when to renew,
/// stores and merges. Outside its duty: when to renew, where to keep a session, what to show.
#[async_trait]
pub trait AuthProvider: Debug + Send + Sync {
    /// The provider's name: lower case, fit for a file name (`qwen`).
    fn name(&self) -> &str;

    /// Signs a person in.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) or
    /// [`ErrorKind::Expired`](crate::ErrorKind::Expired) if the person did not approve, and
    /// what the vendor's own documentation of the provider lists.
    async fn authenticate(&self, prompt: &dyn UserPrompt) -> Result<OAuthToken>;

    /// Refreshes a session, once, and gives back the whole successor: what the answer leaves out
    /// is as it was ([`OAuthToken::inheriting`]).
    ///
    /// The refresh token may be spent as soon as this is called: store the successor before
    /// anybody sees its access token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RefreshRejected`](crate::ErrorKind::RefreshRejected) if the server refused
    /// the refresh token, for good if it is a [verdict](crate::Error::is_verdict); any other kind
    /// says nothing about it.
    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken>;

    /// Whether a refresh spends the refresh token (RFC 9700 section 4.14.2); the careful
    /// assumption, and the default, is that it does. After a 2xx response that cannot be read,
    /// such a token is not sent again.
    fn rotates_refresh_tokens(&self) -> bool {
        true
    }

    /// Tells the vendor that the session is over (RFC 7009), where the vendor can be told.
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

    /// What an API answer says about the session: renew, or not the token's fault.
    fn classify_api_response(&self, answer: &ApiResponse<'_>) -> ApiStatus {
        answer.verdict_by_status()
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

/// What became of a revocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Revocation {
    /// The vendor confirmed it.
    Confirmed,
    /// The vendor has no way to be told.
    NotSupported,
}
