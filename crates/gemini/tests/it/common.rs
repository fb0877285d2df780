//! A user with a browser.
use llm_auth_gemini::{
    AuthProvider as _, Gemini, GeminiProvider, LoginEvent, OAuthClient, OAuthProviderBuilder,
    OAuthToken, ProviderSpec as _, Result, UserPrompt,
};
use reqwest::Url;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[derive(Debug)]
struct Browser(mpsc::UnboundedSender<Url>);

impl UserPrompt for Browser {
    fn notify(&self, event: &LoginEvent<'_>) {
        if let LoginEvent::AuthorizationUrl { url, .. } = event {
            let _closed = self.0.send(Url::parse(url).unwrap());
        }
    }
}

/// A sign-in that waits for the browser.
pub(crate) struct SignIn {
    pub(crate) url: Url,
    pub(crate) task: JoinHandle<Result<OAuthToken>>,
}

pub(crate) async fn begin(provider: &GeminiProvider) -> SignIn {
    let (say, mut hear) = mpsc::unbounded_channel();
    let provider = provider.clone();
    let task = tokio::spawn(async move { provider.authenticate(&Browser(say)).await });
    let url = hear.recv().await.expect("a sign-in shows its URL");
    SignIn { url, task }
}

impl SignIn {
    pub(crate) fn parameter(&self, name: &str) -> String {
        let mut pairs = self.url.query_pairs().filter(|(known, _)| known == name);
        let found = pairs
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default();
        assert!(pairs.next().is_none(), "{name} stands twice");
        found
    }

    /// Requests a target at the redirect URI's host, in a task: the page may come late.
    pub(crate) fn ask(&self, target: &str) -> JoinHandle<u16> {
        let url = Url::parse(&self.parameter("redirect_uri"))
            .unwrap()
            .join(target)
            .unwrap();
        tokio::spawn(async move { get(url).await })
    }

    /// Opens the authorization URL and follows it to the end.
    pub(crate) fn browse(&self) -> JoinHandle<u16> {
        let url = self.url.clone();
        tokio::spawn(async move { get(url).await })
    }
}

pub(crate) fn provider_at(base: &str, id: &str, secret: &str) -> OAuthProviderBuilder<Gemini> {
    Gemini::with_client(OAuthClient::new(id, Some(secret.into())))
        .builder()
        .base_url(base)
        .unwrap()
        // The sessions of some tests record no server.
        .trust_endpoint(base.parse().unwrap())
}

/// Follows redirects, as a browser does.
async fn get(url: Url) -> u16 {
    // All requests go to loopback, but the client requires a TLS provider all the same.
    let _there_already = rustls::crypto::ring::default_provider().install_default();
    reqwest::get(url).await.unwrap().status().as_u16()
}
