//! MiniMax: user-code device flow with PKCE, in three dialects; the client id selects one.

mod device;
mod dialect;
mod token;

use std::time::Duration;

use serde_json::{Value, json};

use super::chat;
use super::simulated::SimulatedProvider;
use crate::http::{Api, ApiStyle, Body, Call, HandlerResult, Response, Route};
use crate::oauth::TokenFormat;
use crate::pages;
use crate::provider::Provider;
use crate::settings::Settings;
use crate::state::State;
use dialect::base_resp;

const DEVICE_AUTHORIZATION: &str = "/oauth2/device/code";
const TOKEN: &str = "/oauth2/token";
const PAGE: &str = "/oauth-authorize";
const API: &str = "/anthropic";
const CHAT: &str = "/anthropic/v1/messages";

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
            _ => {
                let path = path.strip_prefix(API)?;
                Route::Api(Api::at(ApiStyle::Anthropic, path)?)
            }
        })
    }

    fn has_client(&self, id: &str) -> bool {
        dialect::is_client(id)
    }

    fn settings(&self, base_url: &str) -> Settings {
        Settings {
            code_lifetime: Duration::from_secs(600),
            resource_url: Some(format!("{base_url}{API}")),
            ..Settings::default()
        }
    }

    fn token_format(&self) -> TokenFormat {
        TokenFormat {
            access: "mmoat_testkit_",
            refresh: "mmort_testkit_",
        }
    }

    fn chat_path(&self) -> &str {
        CHAT
    }

    fn env(&self, base_url: &str) -> Vec<(&'static str, String)> {
        vec![("LLM_AUTH_MINIMAX_BASE_URL", base_url.to_owned())]
    }

    fn device_authorization(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        device::authorization(call, PAGE, state)
    }

    fn token(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        token::token(call, state)
    }

    fn revocation(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        token::revoke(call, state)
    }

    fn approval_page(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let title = "Sign in to the simulated MiniMax";
        Ok(pages::device_approval(title, PAGE, call, state))
    }

    /// MiniMax reports a token that it does not accept with status 200.
    fn authorize(&self, _api: Api, call: &Call<'_>, state: &mut State) -> Result<(), Response> {
        let key = call.request.header("x-api-key");
        match chat::family(call.request.bearer().or(key), state) {
            Some(_) => Ok(()),
            None => {
                let body = json!({"base_resp": base_resp(1004, "not login")});
                Err(Response::json(200, &body))
            }
        }
    }
    /// A whole message has MiniMax's status beside the fields of Anthropic.
    fn api(&self, api: Api, call: &Call<'_>, state: &mut State) -> Result<Response, Response> {
        self.authorize(api, call, state)?;
        let mut response = chat::respond(self.provider(), api, call, state)?;
        if let (Api::Messages, Body::Whole(whole)) = (api, &response.body) {
            let mut message: Value = serde_json::from_slice(whole).unwrap_or_default();
            message["base_resp"] = base_resp(0, "success");
            response.body = message.to_string().into();
        }
        Ok(response)
    }
}
