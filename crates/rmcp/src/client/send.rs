//! The way to the server: every request with the session's token.

use std::sync::Arc;

use super::{Failure, SessionClient, messages, origin, refusal};
use crate::http::{StreamRequest, StreamedResponse};
use crate::{Error, ErrorKind, OAuthToken, Result, SecureUrl};

/// A response with any status but 401, and the token of its request.
pub(super) struct Sent {
    pub(super) response: StreamedResponse,
    pub(super) token: Arc<OAuthToken>,
    pub(super) url: SecureUrl,
}

impl Sent {
    /// The first value of a header that does not repeat the token: no server that does is quoted.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let access = self.token.access.expose();
        let mut values = self.response.header(name);
        values.find(|value| !value.contains(access))
    }
}

impl SessionClient {
    /// Sends a request. If the server refuses the token, refreshes the session and sends the request
    /// once more: a server that refuses a token has done nothing else.
    pub(super) async fn send(
        &self,
        uri: &str,
        request: StreamRequest,
    ) -> std::result::Result<Sent, Failure> {
        let url = messages::url(uri)?;
        let sent = self.send_to(&url, request).await.map_err(Failure::Client)?;
        match sent.response.status() {
            403 => Err(refusal::of_scope(&sent)),
            _ => Ok(sent),
        }
    }

    async fn send_to(&self, url: &SecureUrl, request: StreamRequest) -> Result<Sent> {
        let mut token = self.manager.token().await?;
        let mut is_retry = false;
        loop {
            let request = self.with_token(url, request.clone(), &token)?;
            let response = self.http.stream(request).await?;
            if response.status() != 401 {
                let url = url.clone();
                return Ok(Sent {
                    response,
                    token,
                    url,
                });
            }
            if is_retry {
                self.refusals.refused_again(&token);
                return Err(self.refuses_the_session(url));
            }
            drop(response);
            let fresh = self.refusals.retry_with(&self.manager, &token).await?;
            token = fresh.ok_or_else(|| self.refuses_the_session(url))?;
            is_retry = true;
        }
    }

    /// Sends a request with the stored token, and refreshes nothing for it: the end of a session on
    /// the server is not worth a new one here.
    pub(super) async fn send_as_is(
        &self,
        uri: &str,
        request: StreamRequest,
    ) -> std::result::Result<(), Failure> {
        let url = messages::url(uri)?;
        let stored = self.manager.load().await.map_err(Failure::Client)?;
        let Some(token) = stored else { return Ok(()) };
        let request = self.with_token(&url, request, &token);
        let response = self.http.stream(request.map_err(Failure::Client)?).await;
        match response.map_err(Failure::Client)?.status() {
            // Servers need not offer it.
            200..=299 | 405 => Ok(()),
            status => Err(refusal::of_status(status, &url)),
        }
    }

    fn with_token(
        &self,
        url: &SecureUrl,
        request: StreamRequest,
        token: &OAuthToken,
    ) -> Result<StreamRequest> {
        let of_session = |error: Error| error.with_session(self.manager.key());
        let headers = origin::check(&self.manager, token, url)?;
        let request = headers.into_iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        Ok(request.bearer(token.bearer().map_err(of_session)?))
    }

    fn refuses_the_session(&self, url: &SecureUrl) -> Error {
        let message = format!(
            "{} refuses the access token, even a fresh one: sign in again",
            url.host()
        );
        Error::new(ErrorKind::NotSignedIn, message)
            .with_status(401)
            .with_session(self.manager.key())
    }
}
