//! The device flow: its start, and its polls.

use std::time::Duration;

use serde_json::json;

use super::dialect::{Client, Dialect, base_resp, client};
use crate::http::{Call, HandlerResult, Response, encode};
use crate::oauth::{Poll, challenge, device_authorization};
use crate::state::State;

/// `page` is the path where the user approves.
pub(super) fn authorization(call: &Call<'_>, page: &str, state: &mut State) -> HandlerResult {
    let client = client(call, state)?;
    let form = call.form;
    let scope = form.get("scope").unwrap_or_default();
    let challenge = match challenge(form) {
        Ok(challenge) => challenge,
        Err(why) => return client.reject(400, "invalid_request", why),
    };
    match client.dialect {
        Dialect::Code if !form.has_scope("agent.default") => {
            return client.reject(400, "invalid_scope", "scope must hold agent.default");
        }
        Dialect::Code if form.get("audience") != Some("agent-backend") => {
            return client.reject(400, "invalid_target", "audience must be agent-backend");
        }
        Dialect::Portal | Dialect::Mmx if scope.is_empty() => {
            return client.reject(400, "invalid_scope", "scope is required");
        }
        Dialect::Portal | Dialect::Mmx if form.get("state").is_none() => {
            return client.reject(400, "invalid_request", "state is required");
        }
        Dialect::Code | Dialect::Portal | Dialect::Mmx => {}
    }
    let grant = state.open_device(client.id, scope, Some(challenge));
    let page = format!("{}{page}", call.base_url);
    if client.dialect == Dialect::Code {
        return Ok(Response::json(200, &device_authorization(grant, &page)));
    }
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let code = encode(&grant.user_code);
    Ok(Response::json(
        200,
        &json!({
            "user_code": grant.user_code,
            "verification_uri": format!("{page}?user_code={code}&client=testkit"),
            "expired_in": call.clock.now_ms().saturating_add(millis(grant.lifetime)),
            "interval": millis(grant.interval),
            "state": form.get("state"),
            "has_benefit": false,
            "base_resp": base_resp(0, "success"),
        }),
    ))
}

pub(super) fn poll(call: &Call<'_>, client: &Client<'_>, state: &mut State) -> HandlerResult {
    // MiniMax Code falls back to the user code when the server gave no device code.
    let named = match client.dialect {
        Dialect::Portal | Dialect::Mmx => call.form.get("user_code"),
        Dialect::Code => call
            .form
            .get("device_code")
            .or_else(|| call.form.get("user_code")),
    };
    if named.is_none() {
        return client.reject(400, "invalid_request", "the code is missing");
    }
    let Some(outcome) = state.poll(call.form, client.id, call.too_fast) else {
        return client.reject(400, "invalid_grant", "the code was never issued here");
    };
    let status = |name, number, error, text| Ok(client.progress(name, number, error, text));
    match outcome {
        Poll::OtherClient => client.reject(400, "invalid_grant", "the code is another client's"),
        Poll::Spent => client.reject(400, "invalid_grant", "the code was used before"),
        Poll::BadVerifier(why) => client.reject(400, "invalid_grant", why),
        Poll::Expired => status("expired", 1000, "expired_token", "the code has expired"),
        Poll::SlowDown => status("slow_down", 0, "slow_down", "polling too fast"),
        Poll::Pending => status("pending", 0, "authorization_pending", "not approved yet"),
        Poll::Denied => status("denied", 1000, "access_denied", "the person said no"),
        Poll::Granted(scope) => {
            let issued = state.sign_in(client.id, &scope, true);
            Ok(client.tokens(&issued, call, state))
        }
    }
}
