//! Qwen's authorization server.

use std::time::Duration;

use serde_json::{Value, json};

use crate::http::request::encode;
use crate::http::response::{Answer, Judged, Refused};
use crate::oauth::device_code::{DeviceGrant, Poll};
use crate::oauth::pkce;
use crate::oauth::tokens::{Issued, Renewal};
use crate::server::dispatch::Call;
use crate::state::State;

const CLIENT_ID: &str = "f0304373b74a44d2b584a3fb70ca9e56";
const SCOPES: [&str; 4] = ["openid", "profile", "email", "model.completion"];
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) fn device(call: &Call<'_>, state: &mut State) -> Judged {
    let client = client(call, state)?;
    let scope = call.form.get("scope").unwrap_or_default();
    if scope.is_empty() || !scope.split(' ').all(|one| SCOPES.contains(&one)) {
        return refuse(400, "invalid_scope", "scope is missing or unknown");
    }
    let challenge = pkce::challenge(call.form).or_else(invalid)?;
    let rules = state.settings.clone();
    let grant = state.add_device(DeviceGrant::new(client, scope, challenge, &rules));
    let page = format!("{}/authorize", call.kit.base_url);
    let code = encode(&grant.user_code);
    Ok(Answer::json(
        200,
        &json!({
            "device_code": grant.device_code,
            "user_code": grant.user_code,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={code}&client=qwen-code"),
            "expires_in": grant.lifetime.as_secs(),
            "interval": seconds(grant.interval),
        }),
    ))
}

pub(crate) fn token(call: &Call<'_>, state: &mut State) -> Judged {
    let client = client(call, state)?;
    match call.form.get("grant_type") {
        Some(DEVICE_CODE) => poll(call, client, state),
        Some("refresh_token") => refresh(call, client, state),
        Some(_) => refuse(
            400,
            "unsupported_grant_type",
            "the grant type is not supported",
        ),
        None => invalid("grant_type is required"),
    }
}

fn poll(call: &Call<'_>, client: &str, state: &mut State) -> Judged {
    if call.form.get("device_code").is_none() {
        return invalid("device_code is required");
    }
    let rules = state.settings.clone();
    let verifier = call.form.get("code_verifier");
    let Some(grant) = state.device(call.form) else {
        return invalid("Invalid device code");
    };
    let scope = grant.scope.clone();
    let error = |status, code, text| Ok(Answer::oauth_error(status, code, text));
    match grant.poll(client, verifier, call.too_fast, &rules) {
        Poll::OtherClient => refuse(400, "invalid_grant", "the device code is another client's"),
        Poll::Spent => refuse(400, "invalid_grant", "the device code was used before"),
        Poll::BadVerifier(why) => refuse(400, "invalid_grant", why),
        Poll::Expired => error(401, "expired_token", "Device code expired"),
        Poll::SlowDown => error(429, "slow_down", "The client is polling too frequently"),
        Poll::Pending => error(
            400,
            "authorization_pending",
            "The authorization request is still pending",
        ),
        Poll::Denied => error(
            400,
            "access_denied",
            "User denied the authorization request",
        ),
        Poll::Granted => {
            let issued = state.grants.open(client, &scope, true, &rules);
            state.counters.logins_ok += 1;
            Ok(tokens(&issued, state))
        }
    }
}

fn refresh(call: &Call<'_>, client: &str, state: &mut State) -> Judged {
    let Some(token) = call.form.get("refresh_token") else {
        return invalid("refresh_token is required");
    };
    match state.renew(token, client) {
        Renewal::Fresh(issued) | Renewal::InGrace(issued) => Ok(tokens(&issued, state)),
        Renewal::Reused { .. } | Renewal::Revoked | Renewal::OtherClient | Renewal::Unknown => {
            let text = "Invalid refresh token or client_id";
            Ok(Answer::oauth_error(400, "invalid_request", text))
        }
    }
}

fn tokens(issued: &Issued, state: &State) -> Answer {
    let mut body = json!({
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": issued.expires_in(),
        "scope": issued.scope,
    });
    if let Some(refresh) = &issued.refresh {
        body["refresh_token"] = json!(refresh);
    }
    if let Some(url) = &state.settings.resource_url {
        body["resource_url"] = json!(url);
    }
    Answer::json(200, &body)
}

fn client<'a>(call: &Call<'a>, state: &State) -> Result<&'a str, Box<Refused>> {
    match call.form.get("client_id") {
        Some(id) if id == CLIENT_ID || state.more_clients.contains(id) => Ok(id),
        Some(_) => refuse(401, "invalid_client", "client_id is unknown"),
        None => refuse(401, "invalid_client", "client_id is required"),
    }
}

/// A number of seconds as JSON: an integer when it is one.
pub(crate) fn seconds(length: Duration) -> Value {
    if length.subsec_nanos() == 0 {
        json!(length.as_secs())
    } else {
        json!(length.as_secs_f64())
    }
}

fn invalid<T>(why: &str) -> Result<T, Box<Refused>> {
    refuse(400, "invalid_request", why)
}

fn refuse<T>(status: u16, code: &str, why: &str) -> Result<T, Box<Refused>> {
    Err(Refused::new(why, Answer::oauth_error(status, code, why)))
}
