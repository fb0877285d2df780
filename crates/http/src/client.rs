//! A client of the crate reqwest-middleware.

use std::sync::Arc;

use async_trait::async_trait;
use http::Extensions;
use llm_auth_core::AuthManager;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};

use crate::redirect::same_origin_redirects;
use crate::session::{self, Session};

/// Makes a client of reqwest that puts the access token of a session on its requests, as middleware
/// of the crate reqwest-middleware.
///
/// A request to the origin (scheme, host and port) of the session's API gets `Authorization: Bearer`,
/// in place of one that it has already: SDKs send a placeholder if they have no key. It also gets the
/// headers that the vendor wants, except those that it has already. A request to any other origin is
/// an error, or is sent as it is after [`pass_other_origins`](Self::pass_other_origins).
///
/// The client follows redirects within one origin only, as [`same_origin_redirects`] does. That is
/// why this makes the client, and is not middleware for any client.
///
/// If the API refuses the token, the middleware reports that to the manager, which refreshes the
/// session if it is still the stored one, and sends the request once more, if its body can be sent
/// again. Otherwise the refusal is returned, and the next request has the new token. A fresh token
/// that is refused too is not refreshed for a minute. What is a refusal, the provider decides
/// ([`classify_api_response`](llm_auth_core::AuthProvider::classify_api_response)).
///
/// Responses are returned as they come. Only JSON of at most 16 KiB may be read before: that of an
/// error, and that of a success if the provider reports errors in it (MiniMax). Event streams never
/// are.
///
/// Errors of the manager are in [`Error::Middleware`].
///
/// # Examples
///
/// ```no_run
/// # async fn run(manager: llm_auth_core::AuthManager) -> Result<(), Box<dyn std::error::Error>> {
/// use llm_auth_http::SessionClient;
///
/// let client = SessionClient::new(manager).build(reqwest::Client::builder())?;
/// let response = client.get("https://api.example/v1/models").send().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionClient(Arc<Session>);

impl SessionClient {
    /// With the session of this manager. Clones share what they know of it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// use llm_auth_http::SessionClient;
    ///
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// let client = SessionClient::new(manager);
    /// ```
    pub fn new(manager: AuthManager) -> Self {
        Self(Arc::new(Session::new(manager)))
    }

    /// Sends requests to other origins too, as they are: without the credential. By default they are
    /// errors, since a wrong base URL is found sooner so.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// use llm_auth_http::SessionClient;
    ///
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// // The client also downloads files from elsewhere.
    /// let client = SessionClient::new(manager).pass_other_origins();
    /// ```
    pub fn pass_other_origins(self) -> Self {
        Self(Arc::new(self.0.passing_others()))
    }

    /// The client, with these settings. Their redirect policy is replaced.
    ///
    /// # Errors
    ///
    /// As [`reqwest::ClientBuilder::build`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn run(manager: llm_auth_core::AuthManager) -> reqwest::Result<()> {
    /// use std::time::Duration;
    ///
    /// use llm_auth_http::SessionClient;
    ///
    /// let settings = reqwest::Client::builder().connect_timeout(Duration::from_secs(10));
    /// let client = SessionClient::new(manager).build(settings)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn build(self, settings: reqwest::ClientBuilder) -> reqwest::Result<ClientWithMiddleware> {
        self.build_with(settings, |client| client)
    }

    /// The client, with other middleware too. The session comes last, so that each attempt of
    /// middleware that retries has a valid token, and so that no middleware changes a request that has
    /// one.
    ///
    /// # Errors
    ///
    /// As [`reqwest::ClientBuilder::build`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn run(
    /// #     manager: llm_auth_core::AuthManager,
    /// #     retries: impl reqwest_middleware::Middleware,
    /// # ) -> reqwest::Result<()> {
    /// use llm_auth_http::SessionClient;
    ///
    /// let settings = reqwest::Client::builder();
    /// let client = SessionClient::new(manager).build_with(settings, |client| client.with(retries))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn build_with(
        self,
        settings: reqwest::ClientBuilder,
        add: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> reqwest::Result<ClientWithMiddleware> {
        let client = settings.redirect(same_origin_redirects()).build()?;
        let client = add(ClientBuilder::new(client));
        Ok(client.with(SessionMiddleware(self.0)).build())
    }
}

/// Not public: with a client that follows redirects elsewhere, it would not be safe.
pub(crate) struct SessionMiddleware(pub(crate) Arc<Session>);

#[async_trait]
impl Middleware for SessionMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let session = Arc::clone(&self.0);
        let attempt = session.begin(&mut request, Request::try_clone).await;
        let Some(attempt) = attempt.map_err(Error::middleware)? else {
            return next.run(request, extensions).await;
        };
        let response = next.clone().run(request, extensions).await?;
        match attempt.review(response).await.map_err(Error::middleware)? {
            session::Next::Return(response) => Ok(response),
            session::Next::Send(request, attempt) => {
                let response = next.run(request, extensions).await?;
                Ok(attempt.end(response).await)
            }
        }
    }
}
