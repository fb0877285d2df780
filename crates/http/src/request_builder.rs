//! The session on one request of reqwest.

use llm_auth_core::{AuthManager, Error, ErrorKind, OAuthToken, Result};
use reqwest::RequestBuilder;

use crate::credential::Credential;
use crate::origin::named;

/// Puts a session on a request by hand, without middleware.
///
/// # Examples
///
/// ```no_run
/// # async fn run(manager: llm_auth_core::AuthManager) -> Result<(), Box<dyn std::error::Error>> {
/// use llm_auth_http::{RequestBuilderExt as _, same_origin_redirects};
///
/// let token = manager.token().await?;
/// let client = reqwest::Client::builder().redirect(same_origin_redirects()).build()?;
/// let request = client.get("https://api.example/v1/models");
/// let response = request.session(&manager, &token)?.send().await?;
/// # Ok(())
/// # }
/// ```
pub trait RequestBuilderExt: Sized {
    /// Adds the access token and the headers that the vendor wants, as `SessionClient` does. The client
    /// must not follow redirects to other origins: build it with
    /// [`same_origin_redirects`](crate::same_origin_redirects).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the request goes to another origin than the session's API, or is not
    /// valid.
    fn session(self, manager: &AuthManager, token: &OAuthToken) -> Result<Self>;
}

impl RequestBuilderExt for RequestBuilder {
    fn session(self, manager: &AuthManager, token: &OAuthToken) -> Result<Self> {
        let (client, request) = self.build_split();
        let mut request = request.map_err(|source| {
            Error::new(ErrorKind::Config, "the request is not valid").with_source(source)
        })?;
        let put =
            Credential::new(manager, token).and_then(|credential| credential.put_on(&mut request));
        put.map_err(|error| named(error, manager))?;
        Ok(Self::from_parts(client, request))
    }
}
