//! The way to the server: every request with the session's token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::{StreamRequest, StreamedResponse};
use crate::{AuthManager, HttpClient, OAuthToken, Refusals, Secret, SecureUrl};

use super::budget::Budget;
use super::failure::{Failure, Reason};
use super::messages::Messages;
use super::output::Output;
use super::pending::Ticket;
use super::scopes;
use super::session::{Headers, Session};
use super::tasks::Tasks;
use super::tools::Tools;

/// What all messages of a bridge share.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) manager: AuthManager,
    pub(super) http: HttpClient,
    pub(super) url: SecureUrl,
    /// The command that signs in again.
    pub(super) sign_in: String,
    pub(super) output: Output,
    pub(super) session: Session,
    pub(super) tools: Tools,
    pub(super) tasks: Tasks,
    pub(super) budget: Budget,
    /// Held while a session begins again.
    pub(super) replaying: tokio::sync::Mutex<()>,
    refusals: Refusals,
    /// The access token that lacked scopes last.
    narrow: Mutex<Option<Secret>>,
}

/// A response with any status but 401, and the token of its request.
pub(super) struct Sent {
    pub(super) response: StreamedResponse,
    pub(super) token: Arc<OAuthToken>,
}

impl Relay {
    pub(super) fn new(
        manager: AuthManager,
        http: HttpClient,
        url: SecureUrl,
        sign_in: String,
        output: Output,
    ) -> Self {
        Self {
            manager,
            http,
            url,
            sign_in,
            output,
            session: Session::default(),
            tools: Tools::default(),
            tasks: Tasks::default(),
            budget: Budget::default(),
            replaying: tokio::sync::Mutex::default(),
            refusals: Refusals::default(),
            narrow: Mutex::default(),
        }
    }

    pub(super) fn host(&self) -> String {
        self.url.host()
    }

    /// The messages of a response with a status of success.
    ///
    /// # Errors
    ///
    /// If its content is of another type.
    pub(super) fn messages(&self, response: StreamedResponse) -> Result<Messages, Failure> {
        Messages::new(response, &self.host(), self.budget.share())
    }

    /// A `POST` of a message with these headers.
    pub(super) fn post_of(&self, text: &str, headers: &Headers) -> StreamRequest {
        let request = StreamRequest::post(&self.url, text)
            .header("Accept", "application/json, text/event-stream");
        with_headers(request, headers)
    }

    /// A `GET` of a stream of events, after the event with this id.
    pub(super) fn get_of(&self, headers: &Headers, after: Option<&str>) -> StreamRequest {
        let request = StreamRequest::get(&self.url).header("Accept", "text/event-stream");
        let request = with_headers(request, headers);
        match after {
            Some(id) => request.header("Last-Event-ID", id),
            None => request,
        }
    }

    pub(super) fn delete_of(&self, headers: &Headers) -> StreamRequest {
        with_headers(StreamRequest::delete(&self.url), headers)
    }

    /// Sends a request. If the server refuses the token, refreshes the session and sends the request
    /// once more: a server that refuses a token has done nothing else.
    ///
    /// # Errors
    ///
    /// If the session has no token that the server takes, if the scopes do not suffice, or if no
    /// response came.
    pub(super) async fn send(&self, request: StreamRequest) -> Result<Sent, Failure> {
        self.send_of(None, request).await
    }

    /// As [`send`](Self::send), for a request of the agent.
    pub(super) async fn send_of(
        &self,
        ticket: Option<&Ticket>,
        request: StreamRequest,
    ) -> Result<Sent, Failure> {
        let mark = |is_sent| {
            if let Some(ticket) = ticket {
                self.output.mark_sent(ticket, is_sent);
            }
        };
        let of_session = |error| Failure::of_session(&error, &self.sign_in);
        let mut token = self.token().await.map_err(of_session)?;
        let mut is_retry = false;
        loop {
            let access = token.bearer().map_err(of_session)?;
            mark(true);
            let response = self.http.stream(request.clone().bearer(access)).await;
            let response = response.map_err(|error| Failure::of_request(&error, &self.host()))?;
            match response.status() {
                401 if is_retry => {
                    self.refusals.refused_again(&token);
                    return Err(self.refuses_the_session());
                }
                401 => {
                    mark(false);
                    drop(response);
                    let fresh = self.refusals.retry_with(&self.manager, &token).await;
                    let fresh = fresh.map_err(of_session)?;
                    token = fresh.ok_or_else(|| self.refuses_the_session())?;
                    is_retry = true;
                }
                403 => {
                    let scopes = scopes::missing(response.header("www-authenticate"));
                    // No server that repeats the token is quoted.
                    let repeats = |scopes: &String| scopes.contains(token.access.expose());
                    let scopes = scopes.map(|scopes| match repeats(&scopes) {
                        true => String::new(),
                        false => scopes,
                    });
                    return match scopes {
                        Some(scopes) => {
                            *self.narrow() = Some(token.access.clone());
                            Err(self.wants_scopes(&token, &scopes))
                        }
                        None => Ok(Sent { response, token }),
                    };
                }
                _ => return Ok(Sent { response, token }),
            }
        }
    }

    /// Sends a request with the stored token, whatever the server thinks of it: nothing is refreshed
    /// for it.
    pub(super) async fn send_as_is(&self, request: StreamRequest) {
        let Ok(Some(session)) = self.manager.load().await else {
            return;
        };
        if let Ok(access) = session.bearer() {
            let _response = self.http.stream(request.bearer(access)).await;
        }
    }

    async fn token(&self) -> crate::Result<Arc<OAuthToken>> {
        let awaits_sign_in = self.narrow().is_some();
        if awaits_sign_in {
            // Only the store knows of a sign-in by another process.
            self.manager.load().await?;
        }
        let token = self.manager.token().await?;
        self.narrow().take_if(|narrow| *narrow != token.access);
        Ok(token)
    }

    fn narrow(&self) -> MutexGuard<'_, Option<Secret>> {
        self.narrow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuses_the_session(&self) -> Failure {
        let message = format!(
            "{} refuses the access token of {}, even a fresh one: run `{}`",
            self.host(),
            self.manager.key(),
            self.sign_in,
        );
        Failure::new(Reason::SignInRequired, message).with_status(401)
    }

    fn wants_scopes(&self, session: &OAuthToken, scopes: &str) -> Failure {
        let host = self.host();
        let message = if scopes.is_empty() {
            format!(
                "{host} requires more scopes than this session has, and does not name them: sign in \
                 again with more: run `{}`",
                self.sign_in
            )
        } else {
            format!(
                "{host} requires the scopes \"{scopes}\", which this session does not have: sign in \
                 again with them: run `{} --scope {}`",
                self.sign_in,
                scopes::wanted(session, scopes)
            )
        };
        Failure::new(Reason::InsufficientScope, message).with_status(403)
    }
}

fn with_headers(request: StreamRequest, headers: &Headers) -> StreamRequest {
    headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}
