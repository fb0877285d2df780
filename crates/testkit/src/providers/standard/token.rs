//! The token endpoint and revocation.

use serde_json::json;

use crate::http::{Call, HandlerResult, Response, reject};
use crate::oauth::{IdTokens, Poll, Redemption, RefreshOutcome, token_response};
use crate::state::State;

/// RFC 8628 section 3.4.
pub(super) fn poll(call: &Call<'_>, client: &str, state: &mut State) -> HandlerResult {
    if call.form.get("device_code").is_none() {
        return reject(400, "invalid_request", "device_code is required");
    }
    let Some(outcome) = state.poll(call.form, client, call.too_fast) else {
        return invalid_grant("the device code was never issued here");
    };
    let error = |code, text| Ok(Response::oauth_error(400, code, text));
    match outcome {
        Poll::OtherClient => invalid_grant("the device code is another client's"),
        Poll::Spent => invalid_grant("the device code was used before"),
        Poll::BadVerifier(why) => invalid_grant(why),
        Poll::Expired => error("expired_token", "the device code has expired"),
        Poll::SlowDown => error("slow_down", "polling too fast"),
        Poll::Pending => error("authorization_pending", "not approved yet"),
        Poll::Denied => error("access_denied", "the user denied the request"),
        Poll::Granted(scope) => {
            let issued = state.sign_in(client, &scope, true);
            Ok(Response::json(200, &token_response(&issued)))
        }
    }
}

/// RFC 6749 section 4.1.3.
pub(super) fn exchange(
    call: &Call<'_>,
    client: &str,
    id_tokens: Option<&IdTokens>,
    state: &mut State,
) -> HandlerResult {
    if call.form.get("code").is_none() {
        return reject(400, "invalid_request", "code is required");
    }
    let Some(outcome) = state.redeem(call.form, client) else {
        return invalid_grant("the code was never issued here");
    };
    match outcome {
        Redemption::UsedBefore { .. } => invalid_grant("the code was used before"),
        Redemption::OtherClient => invalid_grant("the code is another client's"),
        Redemption::OtherRedirect => invalid_grant("redirect_uri differs"),
        Redemption::BadVerifier(why) => invalid_grant(why),
        Redemption::Expired => {
            let text = "the code has expired";
            Ok(Response::oauth_error(400, "invalid_grant", text))
        }
        Redemption::Granted(request) => {
            let issued = state.exchange(call.form, &request);
            let mut body = token_response(&issued);
            if let Some(tokens) = id_tokens
                && request.scope.split(' ').any(|scope| scope == "openid")
            {
                body["id_token"] = tokens
                    .issue(client, request.nonce.as_deref(), call.clock)
                    .into();
            }
            Ok(Response::json(200, &body))
        }
    }
}

/// RFC 6749 section 6.
pub(super) fn refresh(call: &Call<'_>, client: &str, state: &mut State) -> HandlerResult {
    let Some(token) = call.form.get("refresh_token") else {
        return reject(400, "invalid_request", "refresh_token is required");
    };
    Ok(match state.refresh(token, client) {
        RefreshOutcome::Fresh(issued) | RefreshOutcome::InGrace(issued) => {
            Response::json(200, &token_response(&issued))
        }
        RefreshOutcome::Reused { .. }
        | RefreshOutcome::Revoked
        | RefreshOutcome::OtherClient
        | RefreshOutcome::Unknown => {
            let text = "the refresh token is invalid, expired or revoked";
            Response::oauth_error(400, "invalid_grant", text)
        }
    })
}

/// RFC 7009.
pub(super) fn revoke(call: &Call<'_>, client: &str, state: &mut State) -> HandlerResult {
    let Some(token) = call.form.get("token") else {
        return reject(400, "invalid_request", "token is required");
    };
    match state.revoke_token(token, client) {
        Ok(()) => Ok(Response::json(200, &json!({}))),
        Err(why) => invalid_grant(why),
    }
}

fn invalid_grant(why: &str) -> HandlerResult {
    reject(400, "invalid_grant", why)
}
