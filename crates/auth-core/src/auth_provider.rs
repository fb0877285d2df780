//! The side that talks to a vendor.

mod api;
mod endpoint_role;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

pub use self::api::Api;
pub use self::endpoint_role::EndpointRole;
use crate::api_response::{ApiResponse, ApiStatus};
use crate::error::Result;
use crate::grant::Operation;
use crate::prompt::UserPrompt;
use crate::secure_url::SecureUrl;
use crate::token::OAuthToken;

/// One vendor's protocol. A provider keeps no sessions.
///
/// An [`AuthManager`](crate::AuthManager) usually drives it: the manager decides when to refresh,
/// stores sessions and merges responses. A provider does not decide when to refresh, where to keep
/// a session or what to show.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{AuthProvider, OAuthToken, Result, UserPrompt, async_trait};
///
/// /// Sells keys that never expire, from a console.
/// #[derive(Debug)]
/// struct Console;
///
/// #[async_trait]
/// impl AuthProvider for Console {
///     fn name(&self) -> &str {
///         "console"
///     }
///
///     async fn authenticate(&self, prompt: &dyn UserPrompt) -> Result<OAuthToken> {
///         Ok(OAuthToken::new(prompt.pasted().await, None))
///     }
///
///     async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
///         Ok(current.clone())
///     }
/// }
/// ```
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

    /// Refreshes a session, once, and returns what the response holds. The manager merges it with
    /// the session that it replaces ([`OAuthToken::inheriting`]): members that the response omits
    /// stay as they were.
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
    // See decision 0034.
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

    /// The API that this session's access token is for: its base URL, and the headers that each call
    /// needs. Neither is known by default.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a header, which may come from a file,
    /// cannot be sent.
    fn api(&self, session: &OAuthToken) -> Result<Api> {
        let _: &OAuthToken = session;
        Ok(Api::default())
    }

    /// The session of tokens that another program obtained, with what a refresh of it needs. It
    /// belongs to the server that it records, otherwise to the provider's own, or to this
    /// provider's token endpoint if that is trusted. If the provider rotates refresh tokens, the
    /// first refresh invalidates the other program's copy: from here on only this program may use
    /// the session. Unchanged by default.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the OAuth client of the session is not
    /// known, or if this version does not know its region.
    fn import_session(&self, session: OAuthToken) -> Result<OAuthToken> {
        Ok(session)
    }

    /// The endpoints of a session, or of a new sign-in, for diagnosis. None by default.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if this version does not know the session's
    /// region.
    fn endpoints(&self, session: Option<&OAuthToken>) -> Result<Vec<(EndpointRole, SecureUrl)>> {
        let _: Option<&OAuthToken> = session;
        Ok(Vec::new())
    }

    /// The endpoint that a refresh, a revocation or a request for the user's identity sends this
    /// session's credentials to; `None` if nothing is sent, or if it is not known.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the session may not be sent there.
    fn recipient(&self, operation: Operation, session: &OAuthToken) -> Result<Option<SecureUrl>> {
        let _: (Operation, &OAuthToken) = (operation, session);
        Ok(None)
    }

    /// Checks that this session may be sent to this provider's endpoints. By default any may.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) with both hosts if it may not.
    fn check_session(&self, session: &OAuthToken) -> Result<()> {
        let _: &OAuthToken = session;
        Ok(())
    }

    /// Checks that a session was made with this provider as it is configured: a manager hands out no
    /// token of another one, which a sign-in may have stored meanwhile. By default any may be.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it was made for other servers.
    fn check_issued(&self, session: &OAuthToken) -> Result<()> {
        let _: &OAuthToken = session;
        Ok(())
    }

    /// Why a general-purpose program, such as a command, must not hand out access tokens of this
    /// provider, if its terms forbid it.
    fn no_hand_out(&self) -> Option<&str> {
        None
    }

    /// Why sessions of this provider must stay on the user's computer, if its terms demand that. A
    /// manager then uses only a [local](crate::TokenStore::is_local) store.
    fn local_only(&self) -> Option<&str> {
        None
    }

    /// Whether the API reports errors, a rejected access token among them, with a status of success
    /// too. Only then is the body of such a response needed by
    /// [`classify_api_response`](Self::classify_api_response). `false` by default.
    fn api_errors_in_success(&self) -> bool {
        false
    }

    /// What an API response means for the session: refresh it, or the token is not at fault.
    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        response.by_status()
    }

    /// Whether the API accepts the access token of the session, found out by one cheap request that
    /// changes nothing: [`ApiStatus::RefreshNeeded`] if it does not. `None`, the default, if the
    /// provider has no such request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transient`](crate::ErrorKind::Transient) if there is no response within ten
    /// seconds. Any error leaves open whether the token is good.
    async fn check_access(&self, session: &OAuthToken) -> Result<Option<ApiStatus>> {
        let _: &OAuthToken = session;
        Ok(None)
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

    fn api(&self, session: &OAuthToken) -> Result<Api> {
        (**self).api(session)
    }

    fn import_session(&self, session: OAuthToken) -> Result<OAuthToken> {
        (**self).import_session(session)
    }

    fn endpoints(&self, session: Option<&OAuthToken>) -> Result<Vec<(EndpointRole, SecureUrl)>> {
        (**self).endpoints(session)
    }

    fn recipient(&self, operation: Operation, session: &OAuthToken) -> Result<Option<SecureUrl>> {
        (**self).recipient(operation, session)
    }

    fn check_session(&self, session: &OAuthToken) -> Result<()> {
        (**self).check_session(session)
    }

    fn check_issued(&self, session: &OAuthToken) -> Result<()> {
        (**self).check_issued(session)
    }

    fn no_hand_out(&self) -> Option<&str> {
        (**self).no_hand_out()
    }

    fn local_only(&self) -> Option<&str> {
        (**self).local_only()
    }

    fn api_errors_in_success(&self) -> bool {
        (**self).api_errors_in_success()
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        (**self).classify_api_response(response)
    }

    async fn check_access(&self, session: &OAuthToken) -> Result<Option<ApiStatus>> {
        (**self).check_access(session).await
    }
}

/// The result of a revocation.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{AuthProvider as _, OAuthToken, ProviderSpec as _, Revocation, SecureUrl};
/// use llm_auth_core::provider::OAuthConfig;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// // Without a revocation endpoint, nothing is sent.
/// let server = SecureUrl::known("https://auth.example/token");
/// let provider = OAuthConfig::new("example", server).provider();
/// let revoked = provider.revoke(&OAuthToken::new("made-up".into(), None)).await?;
/// assert_eq!(revoked, Revocation::NotSupported);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Revocation {
    /// The vendor confirmed it.
    Confirmed,
    /// The vendor does not support revocation.
    NotSupported,
}
