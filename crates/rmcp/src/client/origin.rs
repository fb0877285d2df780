//! Where an access token may go.

use crate::{AuthManager, Error, ErrorKind, OAuthToken, Result, SecureUrl};

/// The headers that the session's API wants, if this URL is at the API's origin.
///
/// # Errors
///
/// [`ErrorKind::Config`] with both origins if it is not, or if the session has no API that may receive
/// its token.
pub(crate) fn check(
    manager: &AuthManager,
    session: &OAuthToken,
    url: &SecureUrl,
) -> Result<Vec<(String, String)>> {
    let of_session = |error: Error| error.with_session(manager.key());
    let api = manager.provider().api(session).map_err(of_session)?;
    let base = api.base.as_deref().map(SecureUrl::new);
    let base = base.transpose().map_err(of_session)?;
    let there = url.base();
    let message = match base {
        Some(base) if base.base() == there => return Ok(api.headers),
        Some(base) => format!(
            "the access token is for {}, and was not sent to {there}: set the URL of the session's server",
            base.base()
        ),
        None => format!(
            "the provider names no API for this session, so its access token was not sent to {there}: \
             set its API base"
        ),
    };
    Err(of_session(Error::new(ErrorKind::Config, message)))
}
