//! Poe: a code with PKCE is exchanged for an API key, which may expire. Each user brings a client.

use hyper::Method;
use serde_json::json;

use super::consent::{self, ConsentPage};
use super::keys;
use super::simulated::SimulatedProvider;
use crate::http::{Api, ApiStyle, Call, HandlerResult, Rejected, Response, Route, reject};
use crate::oauth::{
    AuthorizationRequest, Issued, Redemption, TokenFormat, is_local_redirect, public_client,
};
use crate::provider::Provider;
use crate::settings::{NEVER, Settings};
use crate::state::State;

const PAGE: &str = "/oauth/authorize";

const CONSENT: ConsentPage<'static> = ConsentPage {
    title: "Sign in to the simulated Poe",
    // The page's own is Hugging Face's too, and the form names no client.
    path: "/poe/authorize",
    issues: None,
};

const CLIENT: &str = "client_testkit-poe";

#[derive(Debug)]
pub(super) struct Poe;

impl SimulatedProvider for Poe {
    fn provider(&self) -> Provider {
        Provider::Poe
    }

    fn route(&self, path: &str) -> Option<Route> {
        Some(match path {
            PAGE => Route::ApprovalPage,
            path if path == CONSENT.path => Route::ApprovalPage,
            "/token" => Route::Token,
            "/usage/current_balance" => Route::Api(Api::Account),
            _ => Route::Api(Api::at(ApiStyle::OpenAi, path)?),
        })
    }

    fn settings(&self, _base_url: &str) -> Settings {
        keys::settings()
    }

    fn token_format(&self) -> TokenFormat {
        keys::tokens("sk-poe-testkit-")
    }

    fn chat_path(&self) -> &str {
        "/v1/chat/completions"
    }

    fn has_client(&self, id: &str) -> bool {
        id == CLIENT
    }

    fn env(&self, base_url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("LLM_AUTH_POE_BASE_URL", base_url.to_owned()),
            ("LLM_AUTH_POE_CLIENT_ID", CLIENT.to_owned()),
        ]
    }

    fn token(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let known = |id: &str| id == CLIENT || state.more_clients.contains(id);
        let client = public_client(call.form, known)?.to_owned();
        match call.form.get("grant_type") {
            Some("authorization_code") => {}
            Some(_) => return reject(400, "unsupported_grant_type", "Unsupported grant_type"),
            None => return reject(400, "invalid_request", "grant_type is required"),
        }
        match state.redeem(call.form, &client) {
            Some(Redemption::Granted(request)) => {
                let issued = state.exchange(call.form, &request);
                Ok(key(&issued))
            }
            Some(Redemption::Expired) => {
                let text = "the code has expired";
                Ok(Response::oauth_error(400, "invalid_grant", text))
            }
            Some(Redemption::BadVerifier(why)) => reject(400, "invalid_grant", why),
            Some(_) | None => reject(400, "invalid_grant", "the code is spent or another's"),
        }
    }

    fn approval_page(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        if call.request.method == Method::POST {
            return Ok(CONSENT.decide(call, state));
        }
        let request = read(call, state)?;
        Ok(CONSENT.show(request, state))
    }
}

fn key(issued: &Issued) -> Response {
    let expires_in = (issued.lifetime < NEVER).then(|| issued.expires_in());
    let body = json!({"api_key": issued.access, "api_key_expires_in": expires_in});
    Response::json(200, &body)
}

/// The request, if it is valid.
fn read(call: &Call<'_>, state: &State) -> Result<AuthorizationRequest, Box<Rejected>> {
    let form = call.form;
    let reject = |why| consent::reject(400, "invalid_request", why);
    let client_id = form.get("client_id").unwrap_or_default();
    if client_id != CLIENT && !state.more_clients.contains(client_id) {
        return reject("client_id is missing or unknown");
    }
    let redirect_uri = form.get("redirect_uri").unwrap_or_default();
    if !is_local_redirect(redirect_uri) {
        return reject("redirect_uri is neither registered nor on this computer");
    }
    if form.get("response_type") != Some("code") {
        return reject("response_type must be code");
    }
    if form.get("scope") != Some("apikey:create") {
        return reject("scope must be apikey:create");
    }
    keys::request(call, client_id, redirect_uri, "apikey:create")
}
