//! What providers share that exchange a code for an API key.

use super::consent;
use crate::http::{Call, Rejected};
use crate::oauth::{self, AuthorizationRequest, TokenFormat};
use crate::settings::{NEVER, Settings};

/// A key does not expire unless a test says so.
pub(super) fn settings() -> Settings {
    Settings {
        access_lifetime: NEVER,
        ..Settings::default()
    }
}

/// Keys that begin so; there is nothing to refresh them with.
pub(super) fn tokens(begin: &'static str) -> TokenFormat {
    TokenFormat {
        access: begin,
        refresh: "none",
    }
}

/// A request with a code challenge, and with `state` if the client sent one.
pub(super) fn request(
    call: &Call<'_>,
    client_id: &str,
    redirect_uri: &str,
    scope: &str,
) -> Result<AuthorizationRequest, Box<Rejected>> {
    let challenge = oauth::challenge(call.form);
    let challenge = challenge.or_else(|why| consent::reject(400, "invalid_request", why))?;
    Ok(AuthorizationRequest {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        scope: scope.to_owned(),
        state: call.form.get("state").unwrap_or_default().to_owned(),
        nonce: None,
        challenge,
        offline: false,
        consent: true,
    })
}
