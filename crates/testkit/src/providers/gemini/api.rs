//! Google's APIs: who may call them, tokeninfo and userinfo.

use serde_json::json;

use super::super::chat::{self, gemini::error as api_error};
use crate::http::{Call, Response};
use crate::provider::Operation;
use crate::state::State;

const SCOPE: &str = "https://www.googleapis.com/auth/generative-language";

/// Checks the token, its scope and the quota project of an API call.
pub(super) fn authorize(call: &Call<'_>, state: &mut State) -> Result<(), Response> {
    let Some(family) = chat::family(call.request.bearer(), state) else {
        let text = "Request had invalid authentication credentials.";
        return Err(api_error(call, 401, "UNAUTHENTICATED", text));
    };
    if !family.scope.split(' ').any(|one| one.starts_with(SCOPE)) {
        let text = "Request had insufficient authentication scopes.";
        return Err(api_error(call, 403, "PERMISSION_DENIED", text));
    }
    if call.request.header("x-goog-user-project").is_none() {
        state.violation(Operation::Chat, "no x-goog-user-project header");
        let text = "Your application is authenticating by using local credentials. \
                    The API requires a quota project.";
        return Err(api_error(call, 403, "PERMISSION_DENIED", text));
    }
    Ok(())
}

pub(super) fn token_info(call: &Call<'_>, state: &State) -> Response {
    let token = call
        .request
        .bearer()
        .or_else(|| call.form.get("access_token"));
    let live = token.and_then(|token| Some((token, state.grants.live(token)?)));
    let Some((token, family)) = live else {
        return Response::oauth_error(400, "invalid_token", "Invalid Value");
    };
    let left = state.grants.time_left(token).as_secs();
    let now = call.clock.now_ms() / 1000;
    let body = json!({
        "azp": family.client_id,
        "aud": family.client_id,
        "scope": family.scope,
        "exp": now.saturating_add(i64::try_from(left).unwrap_or(i64::MAX)).to_string(),
        "expires_in": left.to_string(),
        "access_type": "offline",
    });
    Response::json(200, &body)
}

pub(super) fn user_info(call: &Call<'_>, state: &State) -> Response {
    let token = call.request.bearer();
    let Some(family) = token.and_then(|token| state.grants.live(token)) else {
        return api_error(call, 401, "UNAUTHENTICATED", "Invalid Credentials");
    };
    let scopes: Vec<&str> = family.scope.split(' ').collect();
    let identity = |scope: &&str| {
        matches!(*scope, "openid" | "email" | "profile")
            || scope.contains("/auth/userinfo.email")
            || scope.contains("/auth/userinfo.profile")
    };
    if !scopes.iter().any(identity) {
        return api_error(call, 403, "PERMISSION_DENIED", "Insufficient scopes.");
    }
    let body = json!({
        "id": "100000000000000000001",
        "email": "person@testkit.example",
        "verified_email": true,
        "name": "Testkit Person",
    });
    Response::json(200, &body)
}
