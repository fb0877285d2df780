//! MiniMax's authorization server and its three dialects, told apart by the client id.

use serde_json::{Value, json};

use crate::http::request::encode;
use crate::http::response::{Answer, Judged, Refused};
use crate::kit::Kit;
use crate::oauth::device_code::{DeviceGrant, Poll};
use crate::oauth::pkce;
use crate::oauth::tokens::{Issued, Renewal};
use crate::providers::qwen::seconds;
use crate::server::dispatch::Call;
use crate::settings::{ExpiryUnit, RefusalForm};
use crate::state::State;

const PORTAL: &str = "78257093-7e40-4613-99e0-527b14b39113";
const MMX: &str = "659cf4c1-615c-45f6-a5f6-4bf15eb476e5";
const CODE: &str = "mcode-public";
const USER_CODE: &str = "urn:ietf:params:oauth:grant-type:user_code";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
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
    fn refuse<T>(&self, status: u16, code: &str, why: &str) -> Result<T, Box<Refused>> {
        Err(Refused::new(why, self.error(status, code, why)))
    }

    fn error(&self, status: u16, code: &str, text: &str) -> Answer {
        let mut body = json!({"error": code, "error_description": text});
        if self.dialect != Dialect::Code {
            body["base_resp"] = base_resp(1000, text);
        }
        Answer::json(status, &body)
    }
}

/// The former paths only point at the new ones.
pub(crate) fn moved(kit: &Kit, to: &str) -> Answer {
    let location = format!("{}{to}", kit.base_url);
    Answer::new(307, "text/plain; charset=utf-8", "").header("Location", &location)
}

pub(crate) fn device(call: &Call<'_>, state: &mut State) -> Judged {
    let client = client(call, state)?;
    let form = call.form;
    let scope = form.get("scope").unwrap_or_default();
    let challenge = match pkce::challenge(form) {
        Ok(challenge) => challenge,
        Err(why) => return client.refuse(400, "invalid_request", why),
    };
    match client.dialect {
        Dialect::Code if !form.has_scope("agent.default") => {
            return client.refuse(400, "invalid_scope", "scope must hold agent.default");
        }
        Dialect::Code if form.get("audience") != Some("agent-backend") => {
            return client.refuse(400, "invalid_target", "audience must be agent-backend");
        }
        Dialect::Portal | Dialect::Mmx if scope.is_empty() => {
            return client.refuse(400, "invalid_scope", "scope is required");
        }
        Dialect::Portal | Dialect::Mmx if form.get("state").is_none() => {
            return client.refuse(400, "invalid_request", "state is required");
        }
        Dialect::Code | Dialect::Portal | Dialect::Mmx => {}
    }
    let rules = state.settings.clone();
    let grant = state.add_device(DeviceGrant::new(client.id, scope, challenge, &rules));
    let page = format!("{}/oauth-authorize", call.kit.base_url);
    if client.dialect == Dialect::Code {
        return Ok(Answer::json(
            200,
            &json!({
                "device_code": grant.device_code,
                "user_code": grant.user_code,
                "verification_uri": page,
                "expires_in": grant.lifetime.as_secs(),
                "interval": seconds(grant.interval),
            }),
        ));
    }
    let millis = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let code = encode(&grant.user_code);
    Ok(Answer::json(
        200,
        &json!({
            "user_code": grant.user_code,
            "verification_uri": format!("{page}?user_code={code}&client=testkit"),
            "expired_in": call.kit.clock.now_ms().saturating_add(millis(grant.lifetime)),
            "interval": millis(grant.interval),
            "state": form.get("state"),
            "has_benefit": false,
            "base_resp": base_resp(0, "success"),
        }),
    ))
}

pub(crate) fn token(call: &Call<'_>, state: &mut State) -> Judged {
    let client = client(call, state)?;
    match (client.dialect, call.form.get("grant_type")) {
        (_, Some("refresh_token")) => refresh(call, &client, state),
        (Dialect::Portal, Some(USER_CODE)) | (Dialect::Mmx | Dialect::Code, Some(DEVICE_CODE)) => {
            poll(call, &client, state)
        }
        (_, Some(_)) => client.refuse(
            400,
            "unsupported_grant_type",
            "the grant type is not this client's",
        ),
        (_, None) => client.refuse(400, "invalid_request", "grant_type is required"),
    }
}

fn poll(call: &Call<'_>, client: &Client<'_>, state: &mut State) -> Judged {
    // MiniMax Code falls back to the user code when the server gave no device code.
    let named = match client.dialect {
        Dialect::Portal | Dialect::Mmx => call.form.get("user_code"),
        Dialect::Code => call
            .form
            .get("device_code")
            .or_else(|| call.form.get("user_code")),
    };
    if named.is_none() {
        return client.refuse(400, "invalid_request", "the code is missing");
    }
    let rules = state.settings.clone();
    let verifier = call.form.get("code_verifier");
    let Some(grant) = state.device(call.form) else {
        return client.refuse(400, "invalid_grant", "the code was never issued here");
    };
    let scope = grant.scope.clone();
    let status = |name, number, error, text| Ok(client.progress(name, number, error, text));
    match grant.poll(client.id, verifier, call.too_fast, &rules) {
        Poll::OtherClient => client.refuse(400, "invalid_grant", "the code is another client's"),
        Poll::Spent => client.refuse(400, "invalid_grant", "the code was used before"),
        Poll::BadVerifier(why) => client.refuse(400, "invalid_grant", why),
        Poll::Expired => status("expired", 1000, "expired_token", "the code has expired"),
        Poll::SlowDown => status("slow_down", 0, "slow_down", "polling too fast"),
        Poll::Pending => status("pending", 0, "authorization_pending", "not approved yet"),
        Poll::Denied => status("denied", 1000, "access_denied", "the person said no"),
        Poll::Granted => {
            let issued = state.grants.open(client.id, &scope, true, &rules);
            state.counters.logins_ok += 1;
            Ok(client.tokens(&issued, call.kit, state))
        }
    }
}

fn refresh(call: &Call<'_>, client: &Client<'_>, state: &mut State) -> Judged {
    let Some(token) = call.form.get("refresh_token") else {
        return client.refuse(400, "invalid_request", "refresh_token is required");
    };
    if client.dialect == Dialect::Code {
        if call.form.get("audience") != Some("agent-backend") {
            return client.refuse(400, "invalid_target", "audience must be agent-backend");
        }
        if call.form.get("scope").is_some() && !call.form.has_scope("agent.default") {
            return client.refuse(400, "invalid_scope", "scope must hold agent.default");
        }
    }
    let renewal = state.renew(token, client.id);
    if let Renewal::Fresh(issued) | Renewal::InGrace(issued) = renewal {
        return Ok(client.tokens(&issued, call.kit, state));
    }
    let form = match client.dialect {
        Dialect::Code => RefusalForm::OauthError,
        Dialect::Portal | Dialect::Mmx => state.settings.refusal_form,
    };
    let reused = matches!(renewal, Renewal::Reused { .. });
    Ok(match form {
        RefusalForm::OauthError => Answer::oauth_error(400, "invalid_grant", NO_LONGER),
        RefusalForm::BaseResp => {
            Answer::json(400, &json!({"base_resp": base_resp(1, "invalid_grant")}))
        }
        RefusalForm::StatusError => {
            let word = if reused {
                "refresh_token_reused"
            } else {
                "invalid_refresh_token"
            };
            let body = json!({"status": "error", "base_resp": base_resp(5, word)});
            Answer::json(200, &body)
        }
    })
}

/// RFC 7009; only the dialect of MiniMax Code has it.
pub(crate) fn revoke(call: &Call<'_>, state: &mut State) -> Judged {
    let client = client(call, state)?;
    if client.dialect != Dialect::Code {
        let why = "revocation is not open to this client";
        return client.refuse(400, "unauthorized_client", why);
    }
    let Some(token) = call.form.get("token") else {
        return client.refuse(400, "invalid_request", "token is required");
    };
    let found = state.grants.family_of(token);
    let found = found.map(|(id, family)| (id, family.client_id == client.id));
    match found {
        Some((_, false)) => {
            return client.refuse(400, "invalid_grant", "the token is another client's");
        }
        Some((family, true)) => {
            state.counters.families_revoked += u64::from(state.grants.revoke(family));
        }
        // A token that is not known is as good as revoked (RFC 7009 section 2.2).
        None => {}
    }
    Ok(Answer::json(200, &json!({})))
}

impl Client<'_> {
    /// How a device flow stands: a `status` with 200, or an error body of RFC 8628.
    fn progress(&self, status: &str, number: i64, error: &str, text: &str) -> Answer {
        if self.dialect == Dialect::Code {
            return Answer::oauth_error(400, error, text);
        }
        let message = if number == 0 { "success" } else { error };
        let body = json!({"status": status, "base_resp": base_resp(number, message)});
        Answer::json(200, &body)
    }

    fn tokens(&self, issued: &Issued, kit: &Kit, state: &State) -> Answer {
        let mut body = json!({"access_token": issued.access});
        let seconds = i64::try_from(issued.expires_in()).unwrap_or(i64::MAX);
        if self.dialect == Dialect::Code {
            body["token_type"] = json!("Bearer");
            body["expires_in"] = json!(seconds);
            body["scope"] = json!(issued.scope);
        } else {
            let now_ms = kit.clock.now_ms();
            let lifetime_ms = i64::try_from(issued.lifetime.as_millis()).unwrap_or(i64::MAX);
            body["status"] = json!("success");
            body["expired_in"] = json!(match state.settings.expiry_unit {
                ExpiryUnit::EpochMillis => now_ms.saturating_add(lifetime_ms),
                ExpiryUnit::EpochSeconds => (now_ms / 1000).saturating_add(seconds),
                ExpiryUnit::RelativeSeconds => seconds,
            });
            body["notification_message"] = json!("Signed in at the simulated MiniMax.");
            body["base_resp"] = base_resp(0, "success");
            if let Some(url) = &state.settings.resource_url {
                body["resource_url"] = json!(url);
            }
        }
        if let Some(refresh) = &issued.refresh {
            body["refresh_token"] = json!(refresh);
        }
        Answer::json(200, &body)
    }
}

fn client<'a>(call: &Call<'a>, state: &State) -> Result<Client<'a>, Box<Refused>> {
    let id = call.form.get("client_id").unwrap_or_default();
    let dialect = match id {
        PORTAL => Dialect::Portal,
        MMX => Dialect::Mmx,
        CODE => Dialect::Code,
        other if state.more_clients.contains(other) => Dialect::Portal,
        _ => {
            let why = "client_id is missing or unknown";
            let answer = Answer::oauth_error(401, "invalid_client", why);
            return Err(Refused::new(why, answer));
        }
    };
    Ok(Client { id, dialect })
}

fn base_resp(code: i64, message: &str) -> Value {
    json!({"status_code": code, "status_msg": message})
}
