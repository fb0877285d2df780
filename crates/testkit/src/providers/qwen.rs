//! Qwen: device flow with PKCE for a public client.

use std::time::Duration;

use serde_json::json;

use super::simulated::SimulatedProvider;
use crate::faults::firewall_page;
use crate::http::{
    Api, ApiStyle, Call, HandlerResult, Malformed, Rejected, Response, Route, encode, reject,
};
use crate::oauth::{
    self, DEVICE_CODE, Issued, Poll, RefreshOutcome, TokenFormat, device_authorization,
    token_response,
};
use crate::pages;
use crate::provider::Provider;
use crate::settings::Settings;
use crate::state::State;

const CLIENT_ID: &str = "f0304373b74a44d2b584a3fb70ca9e56";
const SCOPES: [&str; 4] = ["openid", "profile", "email", "model.completion"];
const PAGE: &str = "/authorize";
const CHAT: &str = "/v1/chat/completions";

#[derive(Debug)]
pub(super) struct Qwen;

impl SimulatedProvider for Qwen {
    fn provider(&self) -> Provider {
        Provider::Qwen
    }

    fn route(&self, path: &str) -> Option<Route> {
        Some(match path {
            "/api/v1/oauth2/device/code" => Route::DeviceAuthorization,
            "/api/v1/oauth2/token" => Route::Token,
            PAGE => Route::ApprovalPage,
            _ => Route::Api(Api::at(ApiStyle::OpenAi, path)?),
        })
    }

    fn settings(&self, base_url: &str) -> Settings {
        Settings {
            code_lifetime: Duration::from_secs(1800),
            resource_url: Some(base_url.to_owned()),
            ..Settings::default()
        }
    }

    fn token_format(&self) -> TokenFormat {
        TokenFormat {
            access: "testkit-qwen-access-",
            refresh: "testkit-qwen-refresh-",
        }
    }

    fn chat_path(&self) -> &str {
        CHAT
    }

    fn env(&self, base_url: &str) -> Vec<(&'static str, String)> {
        vec![("LLM_AUTH_QWEN_BASE_URL", base_url.to_owned())]
    }

    /// The firewall in front of Qwen sends its own page to a client without a name.
    fn malformed(&self, malformed: &Malformed) -> Response {
        match malformed {
            Malformed::NoUserAgent => firewall_page(),
            Malformed::Request(why) => Response::oauth_error(400, "invalid_request", why),
        }
    }

    fn device_authorization(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let client = public_client(call, state)?;
        let scope = call.form.get("scope").unwrap_or_default();
        if scope.is_empty() || !scope.split(' ').all(|one| SCOPES.contains(&one)) {
            return reject(400, "invalid_scope", "scope is missing or unknown");
        }
        let challenge = oauth::challenge(call.form).or_else(invalid)?;
        let grant = state.open_device(client, scope, Some(challenge));
        let page = format!("{}{PAGE}", call.base_url);
        let mut body = device_authorization(grant, &page);
        let code = encode(&grant.user_code);
        body["verification_uri_complete"] =
            json!(format!("{page}?user_code={code}&client=qwen-code"));
        Ok(Response::json(200, &body))
    }

    fn token(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let client = public_client(call, state)?;
        match call.form.get("grant_type") {
            Some(DEVICE_CODE) => poll(call, client, state),
            Some("refresh_token") => refresh(call, client, state),
            Some(_) => {
                let why = "the grant type is not supported";
                reject(400, "unsupported_grant_type", why)
            }
            None => invalid("grant_type is required"),
        }
    }

    fn approval_page(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let title = "Sign in to the simulated Qwen";
        Ok(pages::device_approval(title, PAGE, call, state))
    }
}

fn public_client<'a>(call: &Call<'a>, state: &State) -> Result<&'a str, Box<Rejected>> {
    let known = |id: &str| id == CLIENT_ID || state.more_clients.contains(id);
    oauth::public_client(call.form, known)
}

fn poll(call: &Call<'_>, client: &str, state: &mut State) -> HandlerResult {
    if call.form.get("device_code").is_none() {
        return invalid("device_code is required");
    }
    let Some(outcome) = state.poll(call.form, client, call.too_fast) else {
        return invalid("Invalid device code");
    };
    let error = |status, code, text| Ok(Response::oauth_error(status, code, text));
    match outcome {
        Poll::OtherClient => reject(400, "invalid_grant", "the device code is another client's"),
        Poll::Spent => reject(400, "invalid_grant", "the device code was used before"),
        Poll::BadVerifier(why) => reject(400, "invalid_grant", why),
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
        Poll::Granted(scope) => {
            let issued = state.sign_in(client, &scope, true);
            Ok(tokens(&issued, state))
        }
    }
}

fn refresh(call: &Call<'_>, client: &str, state: &mut State) -> HandlerResult {
    let Some(token) = call.form.get("refresh_token") else {
        return invalid("refresh_token is required");
    };
    Ok(match state.refresh(token, client) {
        RefreshOutcome::Fresh(issued) | RefreshOutcome::InGrace(issued) => tokens(&issued, state),
        RefreshOutcome::Reused { .. }
        | RefreshOutcome::Revoked
        | RefreshOutcome::OtherClient
        | RefreshOutcome::Unknown => {
            let text = "Invalid refresh token or client_id";
            Response::oauth_error(400, "invalid_request", text)
        }
    })
}

fn tokens(issued: &Issued, state: &State) -> Response {
    let mut body = token_response(issued);
    if let Some(url) = &state.settings.resource_url {
        body["resource_url"] = json!(url);
    }
    Response::json(200, &body)
}

fn invalid<T>(why: &str) -> Result<T, Box<Rejected>> {
    reject(400, "invalid_request", why)
}
