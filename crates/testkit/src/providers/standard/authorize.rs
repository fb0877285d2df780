//! The authorization endpoint: what a request must hold (RFC 6749 section 4.1.1).

use super::super::consent;
use super::config::StandardProvider;
use crate::http::{Call, Rejected, Response};
use crate::oauth::{AuthorizationRequest, challenge, is_local_redirect, is_loopback_redirect};
use crate::state::State;

/// The request, if it is valid. An unknown client or redirect URI is rejected with a page, any
/// other error with a redirect (RFC 6749 section 4.1.2.1).
pub(super) fn read(
    provider: &StandardProvider,
    call: &Call<'_>,
    state: &State,
) -> Result<AuthorizationRequest, Box<Rejected>> {
    let form = call.form;
    let reject = |why| consent::reject(400, "invalid_request", why);
    let client_id = form.get("client_id").unwrap_or_default();
    if !provider.knows(client_id, state) {
        return reject("client_id is missing or unknown");
    }
    let redirect_uri = form.get("redirect_uri").unwrap_or_default();
    let registered = provider.redirect_uris.iter().any(|uri| uri == redirect_uri);
    let is_local = match provider.accepts_localhost {
        true => is_local_redirect(redirect_uri),
        false => is_loopback_redirect(redirect_uri),
    };
    if !registered && !is_local {
        return reject("redirect_uri is neither registered nor a loopback address");
    }
    let Some(client_state) = form.get("state") else {
        return reject("state is required here");
    };
    let redirect = |code: &str, why: &str| {
        let parameters = [
            ("error", code),
            ("error_description", why),
            ("state", client_state),
        ];
        Rejected::new(why, Response::callback(redirect_uri, &parameters))
    };
    if form.get("response_type") != Some("code") {
        let why = "response_type must be code";
        return Err(redirect("unsupported_response_type", why));
    }
    let scope = provider
        .granted_scope(form)
        .map_err(|(code, why)| redirect(code, &why))?;
    let challenge = challenge(form).map_err(|why| redirect("invalid_request", why))?;
    Ok(AuthorizationRequest {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        scope,
        state: client_state.to_owned(),
        nonce: form.get("nonce").map(str::to_owned),
        challenge,
        offline: true,
        consent: true,
    })
}
