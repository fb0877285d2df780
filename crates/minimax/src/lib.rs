#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
mod device;
mod region;
mod responses;

// All of it, so that no step of a user needs another crate.
#[doc(no_inline)]
pub use llm_auth_core::*;
pub use region::{Dialect, Region};

use llm_auth_core::provider::{
    Call, DeviceAuthorization, ErrorResponse, JsonObject, OAuthConfig, Poll, Response,
    TokenResponse,
};

use crate::config::REGION;

/// Signs in at MiniMax with its device flow (a user code, PKCE, an echoed `state`), refreshes
/// sessions, and revokes them if the dialect supports it.
///
/// [`new`](OAuthProvider::new) is for the global region; [`MiniMax::new`] for the others.
///
/// # Examples
///
/// ```
/// use llm_auth_minimax::{Dialect, MiniMax, ProviderSpec as _, Region};
///
/// let provider = MiniMax::new(Region::Cn, Dialect::MiniMaxCode).provider();
/// assert_eq!(provider.config().endpoints.token.host(), "account.minimax.cn");
/// ```
pub type MiniMaxProvider = OAuthProvider<MiniMax>;

/// What differs from the RFCs at MiniMax: its regions, its clients, and its responses.
///
/// A session records its region, dialect and client id
/// ([`SessionMetadata::provider_data`]), so that the server that issued it refreshes it, even if
/// the provider signs in elsewhere. A session of another program without these records belongs to
/// the region of its `resource_url`, otherwise to the provider's.
///
/// The API of a session is its `resource_url`, if it is `https` at a host of the session's region
/// (`minimax.io`; in China `minimaxi.com` and `minimax.cn`), at the server that issued the session,
/// or at one that is [trusted](OAuthProviderBuilder::trust_endpoint).
///
/// Refresh tokens are single-use: keep one store for one session.
///
/// # Examples
///
/// ```
/// use llm_auth_minimax::{MiniMax, ProviderSpec as _, Region};
///
/// let provider = MiniMax::in_region(Region::Cn)
///     .builder()
///     .base_url("http://127.0.0.1:4000")?
///     .build();
/// assert_eq!(provider.config().endpoints.token.host(), "127.0.0.1:4000");
/// # Ok::<(), llm_auth_minimax::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MiniMax {
    region: Region,
    dialect: Dialect,
}

impl MiniMax {
    /// MiniMax in this region, as this client.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_minimax::{AuthManager, Dialect, MiniMax, ProviderSpec as _, Region};
    ///
    /// let provider = MiniMax::new(Region::Cn, Dialect::Mmx).provider();
    /// let manager = AuthManager::builder(provider).build();
    /// ```
    #[must_use]
    pub const fn new(region: Region, dialect: Dialect) -> Self {
        Self { region, dialect }
    }

    /// MiniMax in this region, as the default client.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_minimax::{MiniMax, ProviderSpec as _, Region};
    ///
    /// let provider = MiniMax::in_region(Region::Cn).provider();
    /// assert_eq!(provider.config().endpoints.token.host(), "account.minimaxi.com");
    /// ```
    #[must_use]
    pub fn in_region(region: Region) -> Self {
        Self::new(region, Dialect::default())
    }
}

impl ProviderSpec for MiniMax {
    fn config(&self) -> OAuthConfig {
        config::minimax(self.region, self.dialect)
    }

    /// A region or dialect that this version does not know is an error: the refresh token of one
    /// server must not be sent to another (RFC 6749 section 10.4).
    fn config_for(&self, session: &OAuthToken) -> Result<Option<OAuthConfig>> {
        let (region, dialect) = config::of_session(session)?;
        let region = region.unwrap_or(self.region);
        let dialect = dialect.unwrap_or(self.dialect);
        let is_default = (region, dialect) == (self.region, self.dialect);
        Ok((!is_default).then(|| config::minimax(region, dialect)))
    }

    fn error_response(
        &self,
        _call: &Call<'_>,
        response: &Response,
        fields: &JsonObject,
    ) -> Option<ErrorResponse> {
        responses::error(response, fields)
    }

    fn device_authorization(
        &self,
        call: &Call<'_>,
        response: &Response,
    ) -> Result<DeviceAuthorization> {
        let polls_with_user_code = self.dialect != Dialect::MiniMaxCode;
        device::read(&call.read(response)?, polls_with_user_code, call.now)
    }

    fn poll(&self, call: &Call<'_>, response: &Response) -> Result<Poll> {
        responses::poll(call, response)
    }

    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        responses::refresh(call, response)
    }

    fn named_api(&self, session: &OAuthToken) -> Option<SecureUrl> {
        config::named_api(session)
    }

    fn serves_api(&self, api: &SecureUrl, config: &OAuthConfig) -> bool {
        let region = Region::of_host(&api.host());
        let own = config.session_data.get(REGION);
        region.is_some_and(|region| own.is_some_and(|own| own == region.name()))
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        responses::classify_api_response(response)
    }
}
