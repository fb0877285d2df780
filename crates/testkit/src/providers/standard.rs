//! A provider that follows the RFCs: device flow (RFC 8628), code flow with PKCE (RFC 6749,
//! RFC 7636), refresh with rotation, revocation (RFC 7009) and userinfo. A test configures it.

mod authorize;
mod client;
mod config;
mod mcp;
mod token;

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

pub use config::StandardProvider;

use super::chat;
use super::consent::ConsentPage;
use super::simulated::SimulatedProvider;
use crate::http::{Api, ApiStyle, Call, HandlerResult, Rejected, Response, Route, encode, reject};
use crate::oauth::{DEVICE_CODE, TokenFormat, challenge_if_any, device_authorization, keys};
use crate::pages;
use crate::provider::Provider;
use crate::settings::{Approval, Settings};
use crate::state::State;

impl SimulatedProvider for StandardProvider {
    fn provider(&self) -> Provider {
        self.provider
    }

    fn route(&self, path: &str) -> Option<Route> {
        let routes = [
            (&self.device_authorization_path, Route::DeviceAuthorization),
            (&self.verification_path, Route::ApprovalPage),
            (&self.authorization_path, Route::ApprovalPage),
            (&self.token_path, Route::Token),
            (&self.revocation_path, Route::Revocation),
            (&self.user_info_path, Route::UserInfo),
            (&self.chat_path, Route::Api(Api::ChatCompletions)),
            (&self.discovery_path, Route::Document),
            (&self.keys_path, Route::Document),
            (&self.resource_metadata_path(), Route::Document),
            (&self.mcp_path, Route::Mcp),
        ];
        let mut routes = routes.into_iter();
        let route = routes.find_map(|(own, route)| (own == path).then_some(route));
        let registers = self.registers_clients && path == mcp::REGISTRATION;
        let route = route.or_else(|| registers.then_some(Route::Registration));
        route.or_else(|| self.api_at(path).map(Route::Api))
    }

    fn settings(&self, _base_url: &str) -> Settings {
        Settings::default()
    }

    fn token_format(&self) -> TokenFormat {
        self.tokens
    }

    fn chat_path(&self) -> &str {
        &self.chat_path
    }

    fn has_client(&self, id: &str) -> bool {
        id == self.client_id
    }

    fn env(&self, base_url: &str) -> Vec<(&'static str, String)> {
        let Some((base, client)) = self.variables else {
            return Vec::new();
        };
        vec![
            (base, base_url.to_owned()),
            (client, self.client_id.clone()),
        ]
    }

    fn page_delay(&self, path: &str, approval: Approval) -> Option<Duration> {
        match approval {
            Approval::AutoAfter(time) if path == self.authorization_path => Some(time),
            _ => None,
        }
    }

    fn device_authorization(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let client = self.client(call, state)?;
        let scope = match self.granted_scope(call.form) {
            Ok(scope) => scope,
            Err((code, why)) => return reject(400, code, &why),
        };
        let challenge =
            challenge_if_any(call.form).or_else(|why| reject(400, "invalid_request", why))?;
        let grant = state.open_device(&client, &scope, challenge);
        let page = format!("{}{}", call.base_url, self.verification_path);
        let mut body = device_authorization(grant, &page);
        let code = encode(&grant.user_code);
        body["verification_uri_complete"] = json!(format!("{page}?user_code={code}"));
        Ok(Response::json(200, &body))
    }

    fn token(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let client = self.client(call, state)?;
        match call.form.get("grant_type") {
            Some(DEVICE_CODE) => token::poll(call, &client, state),
            Some("authorization_code") => {
                token::exchange(call, &client, self.id_tokens.as_ref(), state)
            }
            Some("refresh_token") => token::refresh(call, &client, state),
            Some(_) => {
                let why = "the grant type is not supported";
                reject(400, "unsupported_grant_type", why)
            }
            None => reject(400, "invalid_request", "grant_type is required"),
        }
    }

    fn revocation(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        let client = self.client(call, state)?;
        token::revoke(call, &client, state)
    }

    fn approval_page(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        if call.request.path == self.verification_path {
            let path = &self.verification_path;
            return Ok(pages::device_approval(self.title, path, call, state));
        }
        let page = ConsentPage {
            title: self.title,
            path: &self.authorization_path,
            issues: self.issues(),
        };
        if call.request.method == Method::POST {
            return Ok(page.decide(call, state));
        }
        let request = authorize::read(self, call, state)?;
        Ok(page.show(request, state))
    }

    fn document(&self, call: &Call<'_>) -> HandlerResult {
        if call.request.path == self.resource_metadata_path() {
            let issuer = &self.metadata(call.base_url)["issuer"];
            let metadata = self.resource_metadata(call.base_url, issuer);
            return Ok(Response::json(200, &metadata));
        }
        if call.request.path != self.keys_path {
            return Ok(Response::json(200, &self.metadata(call.base_url)));
        }
        if self.id_tokens.is_none() {
            return Err(Rejected::new(
                "the keys of ID tokens, of which there are none",
                Response::new(404, "text/plain; charset=utf-8", "Not here.\n"),
            ));
        }
        Ok(Response::json(200, &keys()))
    }

    fn mcp(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        Ok(mcp::respond(self, call, state))
    }

    fn registration(&self, call: &Call<'_>, state: &mut State) -> HandlerResult {
        mcp::register(call, state)
    }

    fn user_info(&self, call: &Call<'_>, state: &State) -> HandlerResult {
        let token = call.request.bearer();
        if token.is_some_and(|token| state.grants.live(token).is_some()) {
            return Ok(Response::json(200, &self.user));
        }
        let response = Response::oauth_error(401, "invalid_token", "the access token is not live")
            .header("WWW-Authenticate", "Bearer error=\"invalid_token\"");
        match token {
            Some(_) => Ok(response),
            None => Err(Rejected::new("no access token", response)),
        }
    }

    fn authorize(&self, api: Api, call: &Call<'_>, state: &mut State) -> Result<(), Response> {
        let header = |name| call.request.header(name);
        let token = call.request.bearer();
        let token = token.or_else(|| header(self.token_header.as_deref()?));
        chat::authorize(token, style(api, call), call, state)
    }

    fn api(&self, api: Api, call: &Call<'_>, state: &mut State) -> Result<Response, Response> {
        self.authorize(api, call, state)?;
        let api = match api {
            Api::Models(_) => Api::Models(style(api, call)),
            api => api,
        };
        chat::respond(self.provider(), api, call, state)
    }
}

impl StandardProvider {
    /// What it says of itself (OpenID Connect Discovery section 3). Without ID tokens, its issuer is
    /// the URL that the path of the document begins with.
    fn metadata(&self, base_url: &str) -> Value {
        let at = |path: &str| format!("{base_url}{path}");
        let (place, _) = self
            .discovery_path
            .split_once("/.well-known/")
            .unwrap_or_default();
        let mut metadata = json!({
            "issuer": at(place),
            "token_endpoint": at(&self.token_path),
            "authorization_endpoint": at(&self.authorization_path),
            "device_authorization_endpoint": at(&self.device_authorization_path),
            "revocation_endpoint": at(&self.revocation_path),
            "userinfo_endpoint": at(&self.user_info_path),
            "code_challenge_methods_supported": ["S256"],
        });
        if self.takes_client_documents {
            metadata["client_id_metadata_document_supported"] = json!(true);
        }
        if self.registers_clients {
            metadata["registration_endpoint"] = json!(at(mcp::REGISTRATION));
        }
        if let Some(tokens) = &self.id_tokens {
            metadata["issuer"] = json!(tokens.issuer);
            metadata["jwks_uri"] = json!(at(&self.keys_path));
        }
        metadata
    }
}

/// The style of a call. All APIs have the same list of models, so the headers of the client decide.
fn style(api: Api, call: &Call<'_>) -> ApiStyle {
    if !matches!(api, Api::Models(_)) {
        return api.style();
    }
    let headers = &call.request.headers;
    let of_google = |name: &hyper::header::HeaderName| name.as_str().starts_with("x-goog-");
    if headers.contains_key("anthropic-version") {
        ApiStyle::Anthropic
    } else if headers.keys().any(of_google) {
        ApiStyle::Google
    } else {
        api.style()
    }
}
