//! OpenRouter: a code with PKCE is exchanged for an API key that does not expire. There are no
//! clients, and without an address to go back to, the page shows the code.

use hyper::Method;
use serde_json::json;

use super::consent::{self, ConsentPage};
use super::keys;
use super::simulated::SimulatedProvider;
use crate::http::{Api, ApiStyle, Call, HandlerResult, Malformed, Rejected, Response, Route};
use crate::oauth::{AuthorizationRequest, Redemption, TokenFormat, is_local_redirect};
use crate::pages;
use crate::provider::Provider;
use crate::settings::Settings;
use crate::state::State;

const CONSENT: ConsentPage<'static> = ConsentPage {
    title: "Sign in to the simulated OpenRouter",
    path: "/auth",
    issues: None,
};

/// All programs are one client.
const CLIENT: &str = "any-program";

/// In place of an address to go back to.
const SHOWN: &str = "(the code is shown)";

#[derive(Debug)]
pub(super) struct OpenRouter;

impl SimulatedProvider for OpenRouter {
    fn provider(&self) -> Provider {
        Provider::OpenRouter
    }

    fn route(&self, path: &str) -> Option<Route> {
        Some(match path {
            path if path == CONSENT.path => Route::ApprovalPage,
            "/api/v1/auth/keys" => Route::Keys,
            "/api/v1/key" => Route::Api(Api::Account),
            _ => Route::Api(Api::at(ApiStyle::OpenAi, path.strip_prefix("/api")?)?),
        })
    }

    fn settings(&self, _base_url: &str) -> Settings {
        keys::settings()
    }

    fn token_format(&self) -> TokenFormat {
        keys::tokens("sk-or-v1-testkit-")
    }

    fn chat_path(&self) -> &str {
        "/api/v1/chat/completions"
    }

    fn env(&self, base_url: &str) -> Vec<(&'static str, String)> {
        vec![("LLM_AUTH_OPENROUTER_BASE_URL", base_url.to_owned())]
    }

    fn malformed(&self, malformed: &Malformed) -> Response {
        error(400, malformed.description())
    }

    fn token(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let form = call.form;
        let Some(code) = form.get("code") else {
            return reject(400, "code is required");
        };
        if form.get("code_challenge_method") != Some("S256") {
            return reject(400, "Invalid code_challenge_method");
        }
        // The exchange names no address; the verifier alone decides.
        let redirect_uri = state.redirect_of(code).unwrap_or_default();
        let form = form.clone().with("redirect_uri", &redirect_uri);
        match state.redeem(&form, CLIENT) {
            Some(Redemption::Granted(request)) => {
                let issued = state.exchange(&form, &request);
                let body = json!({"key": issued.access, "user_id": "user_testkit"});
                Ok(Response::json(200, &body))
            }
            Some(Redemption::Expired) => Ok(error(403, "Invalid code or code_verifier")),
            Some(_) | None => reject(403, "Invalid code or code_verifier"),
        }
    }

    fn approval_page(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let response = match call.request.method == Method::POST {
            true => CONSENT.decide(call, state),
            false => CONSENT.show(read(call)?, state),
        };
        Ok(sent_back(response))
    }
}

/// The request, if it is valid.
fn read(call: &Call<'_>) -> Result<AuthorizationRequest, Box<Rejected>> {
    let form = call.form;
    let redirect_uri = form.get("callback_url").unwrap_or(SHOWN);
    if redirect_uri != SHOWN && !is_local_redirect(redirect_uri) {
        return consent::reject(
            409,
            "invalid_callback",
            "callback_url is not on this computer",
        );
    }
    keys::request(call, CLIENT, redirect_uri, "")
}

/// A redirect as OpenRouter has it: the code, and `state` if one was sent and the user approved.
/// Without an address, the page that shows the code.
fn sent_back(mut response: Response) -> Response {
    let Some(callback) = &mut response.callback else {
        return response;
    };
    let parameters = &mut callback.parameters;
    let is_denial = parameters.iter().any(|(name, _)| name == "error");
    if callback.redirect_uri == SHOWN {
        let code = parameters.iter().find(|(name, _)| name == "code");
        let text = match code {
            Some((_, code)) => format!("Copy this code into your program: {code}"),
            None => "Nothing was given away.".to_owned(),
        };
        return pages::message(200, CONSENT.title, &text);
    }
    parameters.retain(|(name, value)| match name.as_str() {
        "code" | "error" => true,
        "state" => !is_denial && !value.is_empty(),
        _ => false,
    });
    response
}

fn error(status: u16, message: &str) -> Response {
    Response::json(
        status,
        &json!({"error": {"code": status, "message": message}}),
    )
}

fn reject<T>(status: u16, why: &str) -> Result<T, Box<Rejected>> {
    Err(Rejected::new(why, error(status, why)))
}
