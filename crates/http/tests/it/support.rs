//! Providers, sessions and clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use llm_auth_core::provider::{Client, DeviceFlow, Flow, OAuthConfig};
use llm_auth_core::{
    Api, ApiResponse, ApiStatus, AuthManager, AuthProvider, Clock as _, Error, ErrorKind,
    OAuthToken, ProviderSpec as _, Result, SecureUrl, Silent, SystemClock, UserPrompt, async_trait,
};
use llm_auth_http::SessionClient;
use llm_auth_testkit::{Approval, ScriptedServer, Testkit, immediate_polls};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use serde_json::{Value, json};

/// Longer than any test takes, so that one that hangs fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Where the scripted servers have their API.
pub(crate) const PATH: &str = "/v1/models";

/// A header that the made-up vendor wants.
pub(crate) const VENDOR: &str = "x-made-up-project";

pub(crate) fn http() -> reqwest::ClientBuilder {
    // All requests go to loopback, but the client requires a TLS provider all the same.
    let _there_already = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}

pub(crate) fn client(manager: &AuthManager) -> ClientWithMiddleware {
    SessionClient::new(manager.clone()).build(http()).unwrap()
}

/// Simulated providers that approve everything.
pub(crate) async fn kit() -> Testkit {
    let builder = Testkit::builder().approval(Approval::Auto);
    builder.interval(Duration::ZERO).start().await.unwrap()
}

/// A manager that is signed in at the simulated standard provider.
pub(crate) async fn standard(kit: &Testkit) -> AuthManager {
    let url = |path: &str| SecureUrl::new(&format!("{}/standard/{path}", kit.base_url())).unwrap();
    let mut config = OAuthConfig::new("standard", url("token"));
    config.endpoints.device_authorization = Some(url("device/code"));
    config.endpoints.api_base = Some(url("v1"));
    config.client = Client::known("testkit-client");
    config.flows = vec![Flow::Device(DeviceFlow::default())];
    let provider = config.builder().schedule(immediate_polls()).build();
    signed_in(AuthManager::builder(provider).build()).await
}

pub(crate) async fn signed_in(manager: AuthManager) -> AuthManager {
    manager.login(&Silent).await.unwrap();
    manager
}

/// A chat with the simulated standard provider.
pub(crate) fn chat(kit: &Testkit, client: &ClientWithMiddleware, stream: bool) -> RequestBuilder {
    let body = json!({
        "model": "m",
        "stream": stream,
        "messages": [{"role": "user", "content": "hello"}],
    });
    json_request(client, &kit.standard().chat_url(), &body)
}

pub(crate) fn json_request(
    client: &ClientWithMiddleware,
    url: &str,
    body: &Value,
) -> RequestBuilder {
    let request = client.post(url).header("content-type", "application/json");
    request.body(body.to_string())
}

/// Refreshes `made-up-access-1` to `made-up-access-2` and so on, without a network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vendor {
    api: String,
    pub(crate) in_success: bool,
    pub(crate) ends: bool,
    pub(crate) refreshes: Arc<AtomicUsize>,
}

impl Vendor {
    pub(crate) fn at(server: &ScriptedServer) -> Self {
        Self {
            api: format!("{}/v1/", server.base_url()),
            ..Self::default()
        }
    }

    /// The API is at this server instead.
    pub(crate) fn move_to(&mut self, base: &str) {
        self.api = base.to_owned();
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::SeqCst)
    }

    /// A manager with the session `made-up-access-1`.
    pub(crate) async fn manager(&self) -> AuthManager {
        let manager = AuthManager::builder(self.clone()).build();
        manager.insert_session(session(1)).await.unwrap();
        manager
    }
}

/// A session that lives for an hour.
pub(crate) fn session(number: usize) -> OAuthToken {
    let in_an_hour = SystemClock.now().after(Duration::from_secs(3600));
    let access = format!("made-up-access-{number}");
    let mut session = OAuthToken::new(access.into(), in_an_hour);
    session.refresh = Some(format!("made-up-refresh-{number}").into());
    session
}

#[async_trait]
impl AuthProvider for Vendor {
    fn name(&self) -> &str {
        "made-up"
    }

    async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        Ok(session(1))
    }

    async fn refresh(&self, _current: &OAuthToken) -> Result<OAuthToken> {
        let before = self.refreshes.fetch_add(1, Ordering::SeqCst);
        match self.ends {
            true => Err(Error::new(ErrorKind::RefreshRejected, "it is over").with_verdict(true)),
            false => Ok(session(before + 2)),
        }
    }

    fn api(&self, _session: &OAuthToken) -> Result<Api> {
        let mut api = Api::default();
        api.base = Some(self.api.clone());
        api.headers = vec![(VENDOR.to_owned(), "made-up".to_owned())];
        Ok(api)
    }

    fn api_errors_in_success(&self) -> bool {
        self.in_success
    }

    fn classify_api_response(&self, response: &ApiResponse<'_>) -> ApiStatus {
        match response.member(&["code"]).as_deref() {
            Some("refused") => ApiStatus::RefreshNeeded,
            Some("denied") => ApiStatus::PolicyDenied,
            _ => response.by_status(),
        }
    }
}

/// The `Authorization` header of each request that a server received.
pub(crate) fn credentials(server: &ScriptedServer) -> Vec<Option<String>> {
    let requests = server.requests().into_iter();
    requests
        .map(|mut request| request.headers.remove("authorization"))
        .collect()
}

pub(crate) fn bearer(number: usize) -> Option<String> {
    Some(format!("Bearer made-up-access-{number}"))
}

/// The library's error in one of the middleware.
pub(crate) fn of_session(error: &reqwest_middleware::Error) -> &Error {
    match error {
        reqwest_middleware::Error::Middleware(error) => error.downcast_ref().unwrap(),
        reqwest_middleware::Error::Reqwest(error) => panic!("{error}"),
    }
}
