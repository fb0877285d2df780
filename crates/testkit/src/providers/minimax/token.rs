//! The token endpoint and revocation.

use serde_json::json;

use super::device::poll;
use super::dialect::{Client, Dialect, base_resp, client};
use crate::http::{Call, HandlerResult, Response};
use crate::oauth::{DEVICE_CODE, RefreshOutcome};
use crate::settings::RejectionForm;
use crate::state::State;

const USER_CODE: &str = "urn:ietf:params:oauth:grant-type:user_code";
const NO_LONGER: &str = "this refresh token can no longer be used, start a new authorization";

pub(super) fn token(call: &Call<'_>, state: &mut State) -> HandlerResult {
    let client = client(call, state)?;
    match (client.dialect, call.form.get("grant_type")) {
        (_, Some("refresh_token")) => refresh(call, &client, state),
        (Dialect::Portal, Some(USER_CODE)) | (Dialect::Mmx | Dialect::Code, Some(DEVICE_CODE)) => {
            poll(call, &client, state)
        }
        (_, Some(_)) => client.reject(
            400,
            "unsupported_grant_type",
            "the grant type is not this client's",
        ),
        (_, None) => client.reject(400, "invalid_request", "grant_type is required"),
    }
}

fn refresh(call: &Call<'_>, client: &Client<'_>, state: &mut State) -> HandlerResult {
    let Some(token) = call.form.get("refresh_token") else {
        return client.reject(400, "invalid_request", "refresh_token is required");
    };
    if client.dialect == Dialect::Code {
        if call.form.get("audience") != Some("agent-backend") {
            return client.reject(400, "invalid_target", "audience must be agent-backend");
        }
        if call.form.get("scope").is_some() && !call.form.has_scope("agent.default") {
            return client.reject(400, "invalid_scope", "scope must hold agent.default");
        }
    }
    let outcome = state.refresh(token, client.id);
    if let RefreshOutcome::Fresh(issued) | RefreshOutcome::InGrace(issued) = outcome {
        return Ok(client.tokens(&issued, call, state));
    }
    let form = match client.dialect {
        Dialect::Code => RejectionForm::OauthError,
        Dialect::Portal | Dialect::Mmx => state.settings.rejection_form,
    };
    let reused = matches!(outcome, RefreshOutcome::Reused { .. });
    Ok(match form {
        RejectionForm::OauthError => Response::oauth_error(400, "invalid_grant", NO_LONGER),
        RejectionForm::BaseResp => {
            Response::json(400, &json!({"base_resp": base_resp(1, "invalid_grant")}))
        }
        RejectionForm::StatusError => {
            let word = if reused {
                "refresh_token_reused"
            } else {
                "invalid_refresh_token"
            };
            let body = json!({"status": "error", "base_resp": base_resp(5, word)});
            Response::json(200, &body)
        }
    })
}

/// RFC 7009; only the dialect of MiniMax Code has it.
pub(super) fn revoke(call: &Call<'_>, state: &mut State) -> HandlerResult {
    let client = client(call, state)?;
    if client.dialect != Dialect::Code {
        let why = "revocation is not open to this client";
        return client.reject(400, "unauthorized_client", why);
    }
    let Some(token) = call.form.get("token") else {
        return client.reject(400, "invalid_request", "token is required");
    };
    match state.revoke_token(token, client.id) {
        Ok(()) => Ok(Response::json(200, &json!({}))),
        Err(why) => client.reject(400, "invalid_grant", why),
    }
}
