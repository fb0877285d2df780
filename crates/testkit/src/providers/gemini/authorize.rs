//! Google's authorization endpoint: what a request must hold.

use super::super::consent::reject;
use crate::http::{Call, Rejected};
use crate::oauth::{self, AuthorizationRequest, is_loopback_redirect};

/// The request, if it is valid. Otherwise the rejection is a page: an invalid request is never
/// redirected.
pub(super) fn read(
    call: &Call<'_>,
    known_client: impl FnOnce(&str) -> bool,
) -> Result<AuthorizationRequest, Box<Rejected>> {
    let form = call.form;
    let Some(client_id) = form.get("client_id") else {
        return reject(400, "invalid_request", "client_id is required");
    };
    if !known_client(client_id) {
        return reject(401, "invalid_client", "The OAuth client was not found.");
    }
    let redirect_uri = form.get("redirect_uri").unwrap_or_default();
    if redirect_uri.starts_with("urn:ietf:wg:oauth:2.0:oob") {
        return reject(400, "invalid_request", "The out-of-band flow is blocked.");
    }
    if !is_loopback_redirect(redirect_uri) {
        let why = "redirect_uri is not a loopback address of an installed client";
        return reject(400, "redirect_uri_mismatch", why);
    }
    if form.get("response_type") != Some("code") {
        let why = "response_type must be code";
        return reject(400, "unsupported_response_type", why);
    }
    let scope = form.get("scope").unwrap_or_default();
    let known = |one: &str| {
        matches!(one, "openid" | "email" | "profile")
            || one.starts_with("https://www.googleapis.com/auth/")
    };
    if scope.is_empty() || !scope.split(' ').all(known) {
        return reject(400, "invalid_scope", "scope is missing or unknown");
    }
    let Some(state) = form.get("state") else {
        return reject(400, "invalid_request", "state is required here");
    };
    let challenge = match oauth::challenge(form) {
        Ok(challenge) => challenge,
        Err(why) => return reject(400, "invalid_request", why),
    };
    let prompt = form.get("prompt").unwrap_or_default();
    Ok(AuthorizationRequest {
        nonce: form.get("nonce").map(str::to_owned),
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        scope: scope.to_owned(),
        state: state.to_owned(),
        challenge,
        offline: form.get("access_type") == Some("offline"),
        consent: prompt.split(' ').any(|one| one == "consent"),
    })
}
