//! Whether the API accepts an access token, found out by one cheap request.

use std::time::Duration;

use tokio::time::timeout;

use super::config::OAuthConfig;
use super::protocol::Protocol;
use crate::api_response::{ApiResponse, ApiStatus};
use crate::auth_provider::Api;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{StreamRequest, StreamedResponse};
use crate::secure_url::SecureUrl;
use crate::token::OAuthToken;

/// The most that is read of a response.
const LARGEST: usize = 64 * 1024;

/// The time limit of a check, which a program waits for before its own request.
const TIME: Duration = Duration::from_secs(10);

impl Protocol {
    pub(super) async fn check_access(&self, session: &OAuthToken) -> Result<Option<ApiStatus>> {
        let check = timeout(TIME, self.ask_api(session));
        check.await.unwrap_or_else(|_elapsed| {
            let title = self.config.title();
            let message = format!("{title} does not respond to the check of the access token");
            Err(Error::new(ErrorKind::Transient, message))
        })
    }

    async fn ask_api(&self, session: &OAuthToken) -> Result<Option<ApiStatus>> {
        let in_use = self.in_use(session)?;
        let api = self.api(session)?;
        let endpoint = match endpoint(&in_use.config, &api)? {
            Some(endpoint) => endpoint,
            None => match user_info(&in_use.config, session) {
                // It belongs to the server that issues tokens.
                Some(endpoint) => in_use.of_access().permit(session, endpoint)?.clone(),
                None => return Ok(None),
            },
        };
        let recipients = in_use.of_access();
        // The base of the API may be at a host that the session names and the provider owns.
        if !is_of(&endpoint, &api) {
            recipients.permit_access(session, &endpoint)?;
        }
        let mut response = self.ask(&endpoint, session, &api).await?;
        let is_list = in_use.config.access_check.as_ref();
        let is_list = is_list.is_some_and(|path| !path.is_empty());
        if is_list && response.status() == NOT_FOUND {
            // The base of an API in the style of Anthropic's does not end with its version.
            if let Some(versioned) = versioned(&in_use.config, &api)? {
                response = self.ask(&versioned, session, &api).await?;
            }
            if response.status() == NOT_FOUND {
                return Ok(None);
            }
        }
        let is_json = {
            let mut kinds = response.header("content-type");
            kinds.any(|kind| kind.to_ascii_lowercase().contains("json"))
        };
        let mut body = Vec::new();
        // Another body, such as a stream of events, says nothing and may never end.
        while is_json && body.len() < LARGEST && response.read(&mut body).await? > 0 {}
        let response = ApiResponse::new(response.status(), &body);
        Ok(Some(self.spec.classify_api_response(&response)))
    }

    async fn ask(
        &self,
        endpoint: &SecureUrl,
        session: &OAuthToken,
        api: &Api,
    ) -> Result<StreamedResponse> {
        let mut request = StreamRequest::get(endpoint).bearer(&session.access);
        for (name, value) in &api.headers {
            request = request.header(name, value.clone());
        }
        self.http
            .stream(request.header("accept", "application/json"))
            .await
    }
}

/// Says nothing about a token: the API has no such path.
const NOT_FOUND: u16 = 404;

/// The same endpoint below `v1`, for a base that does not end with a version.
fn versioned(config: &OAuthConfig, api: &Api) -> Result<Option<SecureUrl>> {
    let (Some(path), Some(base)) = (&config.access_check, &api.base) else {
        return Ok(None);
    };
    let base = base.trim_end_matches('/');
    if path.starts_with('/') || base.ends_with("/v1") {
        return Ok(None);
    }
    SecureUrl::new(&format!("{base}/v1/{path}")).map(Some)
}

/// The endpoint of the check at the API; `None` if the provider has none.
fn endpoint(config: &OAuthConfig, api: &Api) -> Result<Option<SecureUrl>> {
    let (Some(path), Some(base)) = (&config.access_check, &api.base) else {
        return Ok(None);
    };
    let base = SecureUrl::new(base)?;
    let url = match path.strip_prefix('/') {
        _ if path.is_empty() => return Ok(Some(base)),
        Some(path) => format!("{}/{path}", base.base()),
        None => format!("{}/{path}", base.as_str().trim_end_matches('/')),
    };
    SecureUrl::new(&url).map(Some)
}

/// A userinfo endpoint takes a token with the scope `openid` (OpenID Connect Core section 5.3.1).
fn user_info<'a>(config: &'a OAuthConfig, session: &OAuthToken) -> Option<&'a SecureUrl> {
    let granted = session.scope.as_deref().unwrap_or(&config.scope);
    let mut scopes = granted.split_whitespace();
    let endpoint = config.endpoints.userinfo.as_ref();
    endpoint.filter(|_| scopes.any(|scope| scope == "openid"))
}

fn is_of(endpoint: &SecureUrl, api: &Api) -> bool {
    let base = api.base.as_deref().map(SecureUrl::new);
    base.is_some_and(|base| base.is_ok_and(|base| base.base() == endpoint.base()))
}
