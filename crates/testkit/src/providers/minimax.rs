//! MiniMax: user-code device flow with PKCE, in three dialects; the client id selects one.

use std::time::Duration;

use serde_json::{Value, json};

use super::chat;
use super::simulated::SimulatedProvider;
use crate::http::{Call, HandlerResult, Rejected, Response, Route, encode};
use crate::oauth::{
    self, Issued, Poll, RefreshOutcome, TokenFormat, device_authorization, token_response,
};
use crate::pages;
use crate::provider::Provider;
use crate::settings::{ExpiryUnit, RejectionForm, Settings};
use crate::state::State;

const PORTAL: &str = "78257093-7e40-4613-99e0-527b14b39113";
const MMX: &str = "659cf4c1-615c-45f6-a5f6-4bf15eb476e5";
const CODE: &str = "mcode-public";
const USER_CODE: &str = "urn:ietf:params:oauth:grant-type:user_code";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const DEVICE_AUTHORIZATION: &str = "/oauth2/device/code";
const TOKEN: &str = "/oauth2/token";
const PAGE: &str = "/oauth-authorize";
const CHAT: &str = "/anthropic/v1/messages";
const NO_LONGER: &str = "this refresh token can no longer be used, start a new authorization";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Dialect {
    /// `status` and `expired_in`; polls with the grant type `user_code`.
    Portal,
    /// The same shapes; polls with the grant type `device_code` and the user code.
    Mmx,
    /// RFC 8628.
    Code,
}

struct Client<'a> {
    id: &'a str,
    dialect: Dialect,
}

impl Client<'_> {
    fn reject<T>(&self, status: u16, code: &str, why: &str) -> Result<T, Box<Rejected>> {
        Err(Rejected::new(why, self.error(status, code, why)))
    }

    fn error(&self, status: u16, code: &str, text: &str) -> Response {
        let mut body = json!({"error": code, "error_description": text});
        if self.dialect != Dialect::Code {
            body["base_resp"] = base_resp(1000, text);
        }
        Response::json(status, &body)
    }
}

#[derive(Debug)]
pub(super) struct MiniMax;

impl SimulatedProvider for MiniMax {
    fn provider(&self) -> Provider {
        Provider::MiniMax
    }

    fn route(&self, path: &str) -> Option<Route> {
        Some(match path {
            "/oauth/code" => Route::Moved(DEVICE_AUTHORIZATION),
            "/oauth/token" => Route::Moved(TOKEN),
            DEVICE_AUTHORIZATION => Route::DeviceAuthorization,
            TOKEN => Route::Token,
            "/oauth2/revoke" => Route::Revocation,
            PAGE => Route::ApprovalPage,
            CHAT => Route::Chat,
            _ => return None,
        })
    }

    fn settings(&self, base_url: &str) -> Settings {
        Settings {
            code_lifetime: Duration::from_secs(600),
            resource_url: Some(format!("{base_url}/anthropic")),
            ..Settings::default()
        }
    }

    fn token_format(&self) -> TokenFormat {
        TokenFormat {
            access: "mmoat_testkit_",
            refresh: "mmort_testkit_",
        }
    }

    fn chat_path(&self) -> &'static str {
        CHAT
    }

    fn env(&self, base_url: &str) -> Vec<(&'static str, String)> {
        vec![("LLM_AUTH_MINIMAX_BASE_URL", base_url.to_owned())]
    }

    fn device_authorization(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        device(call, state)
    }

    fn token(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        token(call, state)
    }

    fn revocation(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        revoke(call, state)
    }

    fn approval_page(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let title = "Sign in to the simulated MiniMax";
        Ok(pages::device_approval(title, PAGE, call, state))
    }

    fn chat(&self, call: &Call<'_>, state: &mut State) -> Result<Response, Response> {
        let key = call.request.header("x-api-key");
        if chat::family(call.request.bearer().or(key), state).is_none() {
            let body = json!({"base_resp": base_resp(1004, "not login")});
            return Err(Response::json(200, &body));
        }
        let text = chat::last_message(call)?;
        let text = chat::reply(self.provider(), &text);
        let body = json!({
            "id": "msg_testkit",
            "type": "message",
            "role": "assistant",
            "model": "testkit",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "base_resp": base_resp(0, "success"),
        });
        Ok(Response::json(200, &body))
    }
}

fn device(call: &Call<'_>, state: &mut State) -> HandlerResult {
    let client = client(call, state)?;
    let form = call.form;
    let scope = form.get("scope").unwrap_or_default();
    let challenge = match oauth::challenge(form) {
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
    let grant = state.open_device(client.id, scope, challenge);
    let page = format!("{}{PAGE}", call.base_url);
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

fn token(call: &Call<'_>, state: &mut State) -> HandlerResult {
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

fn poll(call: &Call<'_>, client: &Client<'_>, state: &mut State) -> HandlerResult {
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
fn revoke(call: &Call<'_>, state: &mut State) -> HandlerResult {
    let client = client(call, state)?;
    if client.dialect != Dialect::Code {
        let why = "revocation is not open to this client";
        return client.reject(400, "unauthorized_client", why);
    }
    let Some(token) = call.form.get("token") else {
        return client.reject(400, "invalid_request", "token is required");
    };
    let found = state.grants.family_of(token);
    let found = found.map(|(id, family)| (id, family.client_id == client.id));
    match found {
        Some((_, false)) => {
            return client.reject(400, "invalid_grant", "the token is another client's");
        }
        Some((family, true)) => {
            state.revoke(family);
        }
        // A token that is not known is as good as revoked (RFC 7009 section 2.2).
        None => {}
    }
    Ok(Response::json(200, &json!({})))
}

impl Client<'_> {
    /// How a device flow stands: a `status` with 200, or an error body of RFC 8628.
    fn progress(&self, status: &str, number: i64, error: &str, text: &str) -> Response {
        if self.dialect == Dialect::Code {
            return Response::oauth_error(400, error, text);
        }
        let message = if number == 0 { "success" } else { error };
        let body = json!({"status": status, "base_resp": base_resp(number, message)});
        Response::json(200, &body)
    }

    fn tokens(&self, issued: &Issued, call: &Call<'_>, state: &State) -> Response {
        if self.dialect == Dialect::Code {
            return Response::json(200, &token_response(issued));
        }
        let seconds = i64::try_from(issued.expires_in()).unwrap_or(i64::MAX);
        let lifetime_ms = i64::try_from(issued.lifetime.as_millis()).unwrap_or(i64::MAX);
        let now_ms = call.clock.now_ms();
        let mut body = json!({
            "access_token": issued.access,
            "status": "success",
            "expired_in": match state.settings.expiry_unit {
                ExpiryUnit::EpochMillis => now_ms.saturating_add(lifetime_ms),
                ExpiryUnit::EpochSeconds => (now_ms / 1000).saturating_add(seconds),
                ExpiryUnit::RelativeSeconds => seconds,
            },
            "notification_message": "Signed in at the simulated MiniMax.",
            "base_resp": base_resp(0, "success"),
        });
        if let Some(url) = &state.settings.resource_url {
            body["resource_url"] = json!(url);
        }
        if let Some(refresh) = &issued.refresh {
            body["refresh_token"] = json!(refresh);
        }
        Response::json(200, &body)
    }
}

fn client<'a>(call: &Call<'a>, state: &State) -> Result<Client<'a>, Box<Rejected>> {
    let id = call.form.get("client_id").unwrap_or_default();
    let dialect = match id {
        PORTAL => Dialect::Portal,
        MMX => Dialect::Mmx,
        CODE => Dialect::Code,
        other if state.more_clients.contains(other) => Dialect::Portal,
        _ => {
            let why = "client_id is missing or unknown";
            let response = Response::oauth_error(401, "invalid_client", why);
            return Err(Rejected::new(why, response));
        }
    };
    Ok(Client { id, dialect })
}

fn base_resp(code: i64, message: &str) -> Value {
    json!({"status_code": code, "status_msg": message})
}
