//! Google for Gemini: authorization code with PKCE for a desktop client.

mod api;
mod authorize;
mod token;

use std::time::Duration;

use hyper::Method;
use serde_json::json;

use super::consent::ConsentPage;
use super::simulated::SimulatedProvider;
use crate::http::{Api, ApiStyle, Call, HandlerResult, Response, Route, reject};
use crate::oauth::{Client, TokenFormat};
use crate::provider::Provider;
use crate::settings::{Approval, Rotation, Settings};
use crate::state::State;

const CONSENT: ConsentPage<'static> = ConsentPage {
    title: "Sign in to the simulated Google",
    path: "/o/oauth2/v2/auth",
    issues: None,
};
const TOKEN: &str = "/token";
const REVOCATION: &str = "/revoke";
const CHAT: &str = "/v1beta/models/gemini-testkit:generateContent";

#[derive(Debug)]
pub(super) struct Gemini {
    client: Client,
}

impl Gemini {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }
}

impl SimulatedProvider for Gemini {
    fn provider(&self) -> Provider {
        Provider::Gemini
    }

    fn route(&self, path: &str) -> Option<Route> {
        Some(match path {
            path if path == CONSENT.path => Route::ApprovalPage,
            TOKEN => Route::Token,
            // Google's own library revokes with the token in the query.
            REVOCATION => Route::RevocationByQuery,
            "/tokeninfo" => Route::TokenInfo,
            "/oauth2/v2/userinfo" => Route::UserInfo,
            _ => Route::Api(Api::at(ApiStyle::Google, path)?),
        })
    }

    fn settings(&self, _base_url: &str) -> Settings {
        Settings {
            code_lifetime: Duration::from_secs(60),
            rotation: Rotation::Omit,
            issuer: Some("https://accounts.google.com".to_owned()),
            ..Settings::default()
        }
    }

    fn token_format(&self) -> TokenFormat {
        TokenFormat {
            access: "ya29.testkit-",
            refresh: "1//testkit-",
        }
    }

    fn chat_path(&self) -> &str {
        CHAT
    }

    fn has_client(&self, id: &str) -> bool {
        id == self.client.id
    }

    fn env(&self, base_url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("LLM_AUTH_GEMINI_BASE_URL", base_url.to_owned()),
            ("LLM_AUTH_GEMINI_CLIENT_ID", self.client.id.clone()),
            ("LLM_AUTH_GEMINI_CLIENT_SECRET", self.client.secret.clone()),
            // The API requires one of a client of the user's own.
            (
                "LLM_AUTH_GEMINI_QUOTA_PROJECT",
                "testkit-project".to_owned(),
            ),
        ]
    }

    fn page_delay(&self, _path: &str, approval: Approval) -> Option<Duration> {
        match approval {
            Approval::AutoAfter(time) => Some(time),
            Approval::Manual | Approval::Auto | Approval::AutoAfterPolls(_) | Approval::Deny => {
                None
            }
        }
    }

    fn token(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let others = &state.more_clients;
        let client = self.client.authenticate(others, call.request, call.form)?;
        let client = client.to_owned();
        match call.form.get("grant_type") {
            Some("authorization_code") => token::exchange(call, &client, state),
            Some("refresh_token") => token::refresh(call, &client, state),
            Some(_) => reject(400, "unsupported_grant_type", "Invalid grant_type"),
            None => token::missing("grant_type"),
        }
    }

    fn revocation(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        token::revoke(call, state)
    }

    fn approval_page(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        if call.request.method == Method::POST {
            return Ok(CONSENT.decide(call, state));
        }
        let known = |id: &str| id == self.client.id || state.more_clients.contains(id);
        let request = authorize::read(call, known)?;
        Ok(CONSENT.show(request, state))
    }

    fn token_info(&self, call: &Call<'_>, state: &State) -> HandlerResult {
        Ok(api::token_info(call, state))
    }

    fn user_info(&self, call: &Call<'_>, state: &State) -> HandlerResult {
        Ok(api::user_info(call, state))
    }

    fn authorize(&self, _api: Api, call: &Call<'_>, state: &mut State) -> Result<(), Response> {
        api::authorize(call, state)
    }
}

/// A client file of the kind `installed`, as Google's console exports it.
pub(crate) fn client_file(base_url: &str, client: &Client) -> String {
    let file = json!({"installed": {
        "client_id": client.id,
        "project_id": "testkit-project",
        "auth_uri": format!("{base_url}{}", CONSENT.path),
        "token_uri": format!("{base_url}{TOKEN}"),
        "revoke_uri": format!("{base_url}{REVOCATION}"),
        "client_secret": client.secret,
        "redirect_uris": ["http://127.0.0.1"],
    }});
    format!("{file:#}\n")
}
