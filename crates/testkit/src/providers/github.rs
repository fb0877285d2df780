//! GitHub: the device flow of a GitHub App or an OAuth App. Errors come with status 200, and
//! responses are form parameters unless the request asks for JSON.

use serde_json::{Value, json};

use super::simulated::SimulatedProvider;
use crate::http::{self, Api, ApiStyle, Call, HandlerResult, Rejected, Response, Route, encode};
use crate::oauth::{
    DEVICE_CODE, Issued, Poll, RefreshOutcome, TokenFormat, device_authorization, token_response,
};
use crate::pages;
use crate::provider::Provider;
use crate::settings::Settings;
use crate::state::State;

const PAGE: &str = "/login/device";

const GITHUB_APP: &str = "Iv23testkit-app";
/// Its tokens do not expire, and come without a refresh token.
const OAUTH_APP: &str = "Ov23testkit-app";

#[derive(Debug)]
pub(super) struct GitHub;

impl SimulatedProvider for GitHub {
    fn provider(&self) -> Provider {
        Provider::GitHub
    }

    fn route(&self, path: &str) -> Option<Route> {
        Some(match path {
            "/login/device/code" => Route::DeviceAuthorization,
            "/login/oauth/access_token" => Route::Token,
            PAGE => Route::ApprovalPage,
            "/user" => Route::Api(Api::Account),
            _ => Route::Api(Api::at(ApiStyle::OpenAi, path)?),
        })
    }

    fn settings(&self, _base_url: &str) -> Settings {
        Settings::default()
    }

    fn token_format(&self) -> TokenFormat {
        TokenFormat {
            access: "ghu_testkit",
            refresh: "ghr_testkit",
        }
    }

    fn chat_path(&self) -> &str {
        "/v1/chat/completions"
    }

    fn has_client(&self, id: &str) -> bool {
        [GITHUB_APP, OAUTH_APP].contains(&id)
    }

    fn env(&self, base_url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("LLM_AUTH_GITHUB_BASE_URL", base_url.to_owned()),
            ("LLM_AUTH_GITHUB_CLIENT_ID", GITHUB_APP.to_owned()),
        ]
    }

    fn device_authorization(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        if call.form.get("client_id").is_none() {
            return http::reject(400, "invalid_request", "client_id is required");
        }
        let Some(client) = self.client(call, state) else {
            let response = Response::json(404, &json!({"error": "Not Found"}));
            return Err(Rejected::new("no app has this client_id", response));
        };
        let scope = call.form.get("scope").unwrap_or_default();
        let grant = state.open_device(&client, scope, None);
        let page = format!("{}{PAGE}", call.base_url);
        Ok(respond(call, &device_authorization(grant, &page)))
    }

    fn token(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let Some(client) = self.client(call, state) else {
            let why = "The client_id and/or client_secret passed are incorrect.";
            return reject(call, "incorrect_client_credentials", why);
        };
        match call.form.get("grant_type") {
            Some(DEVICE_CODE) => poll(call, &client, state),
            Some("refresh_token") => refresh(call, &client, state),
            _ => reject(call, "unsupported_grant_type", "no such grant type"),
        }
    }

    fn approval_page(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let title = "Sign in to the simulated GitHub";
        Ok(pages::device_approval(title, PAGE, call, state))
    }
}

impl GitHub {
    fn client(&self, call: &Call<'_>, state: &State) -> Option<String> {
        let id = call.form.get("client_id")?;
        let is_known = self.has_client(id) || state.more_clients.contains(id);
        is_known.then(|| id.to_owned())
    }
}

fn poll(call: &Call<'_>, client: &str, state: &mut State) -> HandlerResult {
    let error = |code, text| Ok(respond(call, &error(code, text)));
    match state.poll(call.form, client, call.too_fast) {
        None | Some(Poll::OtherClient | Poll::Spent | Poll::BadVerifier(_)) => {
            let why = "The device_code provided is not valid.";
            reject(call, "incorrect_device_code", why)
        }
        Some(Poll::Expired) => error("expired_token", "This 'device_code' has expired."),
        Some(Poll::Pending) => error(
            "authorization_pending",
            "The authorization request is still pending.",
        ),
        Some(Poll::Denied) => error("access_denied", "The authorization request was denied."),
        Some(Poll::SlowDown) => {
            let mut body = self::error("slow_down", "Too many requests have been made.");
            let interval = state.required_interval(call.form);
            body["interval"] = json!(interval.as_secs_f64());
            Ok(respond(call, &body))
        }
        Some(Poll::Granted(scope)) => {
            let issued = state.sign_in(client, &scope, client != OAUTH_APP);
            Ok(tokens(call, client, &issued))
        }
    }
}

fn refresh(call: &Call<'_>, client: &str, state: &mut State) -> HandlerResult {
    let token = call.form.get("refresh_token").unwrap_or_default();
    Ok(match state.refresh(token, client) {
        RefreshOutcome::Fresh(issued) | RefreshOutcome::InGrace(issued) => {
            tokens(call, client, &issued)
        }
        RefreshOutcome::Reused { .. }
        | RefreshOutcome::Revoked
        | RefreshOutcome::OtherClient
        | RefreshOutcome::Unknown => {
            let text = "The refresh token passed is incorrect or expired.";
            respond(call, &error("bad_refresh_token", text))
        }
    })
}

fn tokens(call: &Call<'_>, client: &str, issued: &Issued) -> Response {
    let mut body = token_response(issued);
    body["token_type"] = json!("bearer");
    if client == OAUTH_APP {
        body["expires_in"] = Value::Null;
    }
    if issued.refresh.is_some() {
        body["refresh_token_expires_in"] = json!(15_897_600);
    }
    respond(call, &body)
}

fn error(code: &str, description: &str) -> Value {
    json!({
        "error": code,
        "error_description": description,
        "error_uri": "https://docs.github.com",
    })
}

fn reject(call: &Call<'_>, code: &str, why: &str) -> HandlerResult {
    Err(Rejected::new(why, respond(call, &error(code, why))))
}

/// A body in the form that the request asks for, without members that are `null`.
fn respond(call: &Call<'_>, body: &Value) -> Response {
    let mut members = body.as_object().cloned().unwrap_or_default();
    members.retain(|_, value| !value.is_null());
    let accepted = call.request.header("accept").unwrap_or_default();
    if accepted.contains("application/json") {
        return Response::json(200, &Value::Object(members));
    }
    let text = |value: &Value| match value {
        Value::String(text) => encode(text),
        other => encode(&other.to_string()),
    };
    let pairs = members.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    let media_type = "application/x-www-form-urlencoded; charset=utf-8";
    Response::new(200, media_type, pairs.join("&"))
}
