//! Google's token endpoint and revocation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::http::{Call, HandlerResult, Rejected, Response, reject};
use crate::oauth::{Redemption, RefreshOutcome, token_response};
use crate::state::State;

pub(super) fn exchange(call: &Call<'_>, client: &str, state: &mut State) -> HandlerResult {
    if call.form.get("code").is_none() {
        return missing("code");
    }
    let Some(outcome) = state.redeem(call.form, client) else {
        return reject(400, "invalid_grant", "Malformed auth code.");
    };
    let bad_request = || Response::oauth_error(400, "invalid_grant", "Bad Request");
    let request = match outcome {
        Redemption::Granted(request) => request,
        Redemption::UsedBefore { .. } => {
            return Err(Rejected::new("the code was used before", bad_request()));
        }
        Redemption::OtherClient => {
            return reject(400, "invalid_grant", "the code is another client's");
        }
        Redemption::Expired => return Ok(bad_request()),
        Redemption::OtherRedirect => {
            return reject(400, "redirect_uri_mismatch", "redirect_uri differs");
        }
        Redemption::BadVerifier(why) => return reject(400, "invalid_grant", why),
    };
    let issued = state.exchange(call.form, &request);
    let mut body = token_response(&issued);
    if request.scope.split(' ').any(|one| one == "openid") {
        body["id_token"] = json!(id_token(client));
    }
    Ok(Response::json(200, &body))
}

pub(super) fn refresh(call: &Call<'_>, client: &str, state: &mut State) -> HandlerResult {
    let Some(token) = call.form.get("refresh_token") else {
        return missing("refresh_token");
    };
    let error = |status, code, text| Response::oauth_error(status, code, text);
    Ok(match state.refresh(token, client) {
        RefreshOutcome::Fresh(issued) | RefreshOutcome::InGrace(issued) => {
            Response::json(200, &token_response(&issued))
        }
        RefreshOutcome::Reused { .. } | RefreshOutcome::Revoked => {
            error(400, "invalid_grant", "Token has been expired or revoked.")
        }
        RefreshOutcome::OtherClient => error(401, "unauthorized_client", "Unauthorized"),
        RefreshOutcome::Unknown => error(400, "invalid_grant", "Bad Request"),
    })
}

/// RFC 7009 as Google implements it: without client authentication.
pub(super) fn revoke(call: &Call<'_>, state: &mut State) -> HandlerResult {
    let Some(token) = call.form.get("token") else {
        return missing("token");
    };
    let found = state.grants.family_of(token).map(|(id, _)| id);
    Ok(if found.is_some_and(|family| state.revoke(family)) {
        Response::json(200, &json!({}))
    } else {
        Response::oauth_error(400, "invalid_token", "Token expired or revoked")
    })
}

pub(super) fn missing<T>(parameter: &str) -> Result<T, Box<Rejected>> {
    let why = format!("Required parameter is missing: {parameter}");
    reject(400, "invalid_request", &why)
}

/// An ID token without a valid signature.
fn id_token(client: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"alg": "none", "typ": "JWT"}));
    let body = part(json!({
        "iss": "https://accounts.google.com",
        "aud": client,
        "sub": "100000000000000000001",
        "email": "person@testkit.example",
    }));
    format!("{head}.{body}.testkit")
}
