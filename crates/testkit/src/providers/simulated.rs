//! What a simulated provider has to define.

use std::fmt;
use std::time::Duration;

use super::chat;
use crate::http::{Api, Call, HandlerResult, Malformed, Rejected, Response, Route};
use crate::oauth::TokenFormat;
use crate::provider::Provider;
use crate::settings::{Approval, Settings};
use crate::state::State;

/// A provider as the dispatcher calls it.
///
/// A handler runs only for a [`Route`] that [`SimulatedProvider::route`] returns. The default of
/// each handler rejects the request, so a provider defines the handlers of its own routes.
pub(crate) trait SimulatedProvider: fmt::Debug + Send + Sync {
    fn provider(&self) -> Provider;

    /// What a path is for; `None` if the provider does not have it.
    fn route(&self, path: &str) -> Option<Route>;

    /// The settings at the start.
    fn settings(&self, base_url: &str) -> Settings;

    fn token_format(&self) -> TokenFormat;

    /// The path of an API call that accepts only a live access token.
    fn chat_path(&self) -> &str;

    /// Whether the client is its own, which decides between providers with the same path.
    fn has_client(&self, _id: &str) -> bool {
        false
    }

    /// The environment variables that make the `llm-auth` command use this server.
    fn env(&self, _base_url: &str) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// How long the page of this path waits before it decides by itself.
    fn page_delay(&self, _path: &str, _approval: Approval) -> Option<Duration> {
        None
    }

    /// The response to a request that cannot be read.
    fn malformed(&self, malformed: &Malformed) -> Response {
        Response::oauth_error(400, "invalid_request", malformed.description())
    }

    fn device_authorization(&self, _call: &Call<'_>, _state: &mut State) -> HandlerResult {
        no_such_endpoint()
    }

    fn token(&self, _call: &Call<'_>, _state: &mut State) -> HandlerResult {
        no_such_endpoint()
    }

    fn revocation(&self, _call: &Call<'_>, _state: &mut State) -> HandlerResult {
        no_such_endpoint()
    }

    fn approval_page(&self, _call: &Call<'_>, _state: &mut State) -> HandlerResult {
        no_such_endpoint()
    }

    fn token_info(&self, _call: &Call<'_>, _state: &State) -> HandlerResult {
        no_such_endpoint()
    }

    /// A public document, such as the keys of ID tokens.
    fn document(&self, _call: &Call<'_>) -> HandlerResult {
        no_such_endpoint()
    }

    /// A message of MCP.
    fn mcp(&self, _call: &Call<'_>, _state: &mut State) -> HandlerResult {
        no_such_endpoint()
    }

    fn registration(&self, _call: &Call<'_>, _state: &mut State) -> HandlerResult {
        no_such_endpoint()
    }

    fn user_info(&self, _call: &Call<'_>, _state: &State) -> HandlerResult {
        no_such_endpoint()
    }

    /// Checks the access token of an API call; `Err` is the rejection in the form of the API.
    fn authorize(&self, api: Api, call: &Call<'_>, state: &mut State) -> Result<(), Response> {
        chat::authorize(call.request.bearer(), api.style(), call, state)
    }

    /// One API call; `Err` is a rejection that the counters show.
    fn api(&self, api: Api, call: &Call<'_>, state: &mut State) -> Result<Response, Response> {
        self.authorize(api, call, state)?;
        chat::respond(self.provider(), api, call, state)
    }
}

fn no_such_endpoint() -> HandlerResult {
    Err(Rejected::new("no such endpoint", not_here()))
}

fn not_here() -> Response {
    Response::new(404, "text/plain; charset=utf-8", "Not here.\n")
}
