//! What the tests of a provider need on the side of the client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{
    AuthProvider, Error, LoginEvent, ManualClock, OAuthProvider, OAuthProviderBuilder, OAuthToken,
    PollSchedule, ProviderSpec, Result, Timestamp, UserPrompt,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::browser::browse;
use crate::http::Form;
use crate::scripted::ScriptedServer;

/// The time of the clock of [`provider_at`], which stands still: some moment in 2026.
pub const NOW: Timestamp = Timestamp::from_unix_millis(1_790_000_000_000);

/// A schedule that polls every millisecond, if the server names no longer interval.
#[must_use]
pub fn immediate_polls() -> PollSchedule {
    let blink = Duration::from_millis(1);
    PollSchedule::new()
        .default_interval(blink)
        .minimum(blink)
        .cap(blink)
        .slow_down_step(blink)
}

/// A provider at a scripted server: it polls without a wait, its time is [`NOW`], and it trusts the
/// server with sessions that record none.
///
/// # Errors
///
/// As [`OAuthProviderBuilder::base_url`].
pub fn provider_at<S: ProviderSpec + ?Sized>(
    server: &ScriptedServer,
    provider: OAuthProviderBuilder<S>,
) -> Result<OAuthProvider<S>> {
    let base = server.base_url();
    Ok(provider
        .base_url(base)?
        .schedule(immediate_polls())
        .trust_endpoint(base.parse()?)
        .clock(Arc::new(ManualClock::new(NOW)))
        .build())
}

/// A prompt that opens the page of a sign-in and follows its redirects, in a task. It decides
/// nothing: see [`Approval`](crate::Approval).
#[derive(Clone, Copy, Debug, Default)]
pub struct Browser;

impl UserPrompt for Browser {
    fn notify(&self, event: &LoginEvent<'_>) {
        if let LoginEvent::AuthorizationUrl { url, .. } = event {
            let url = (*url).to_owned();
            // What becomes of it is seen at the sign-in.
            drop(tokio::spawn(async move { browse(&url).await }));
        }
    }
}

/// A sign-in with the code flow that waits for the browser. Dropping it ends the sign-in.
#[derive(Debug)]
pub struct PendingSignIn {
    url: String,
    redirect_uri: String,
    task: JoinHandle<Result<OAuthToken>>,
}

/// Passes the authorization URL on, and the redirect URI: providers differ in the parameter for it.
struct Urls(mpsc::UnboundedSender<(String, String)>);

impl UserPrompt for Urls {
    fn notify(&self, event: &LoginEvent<'_>) {
        if let LoginEvent::AuthorizationUrl {
            url, redirect_uri, ..
        } = event
        {
            let _gone = self.0.send(((*url).to_owned(), (*redirect_uri).to_owned()));
        }
    }
}

impl PendingSignIn {
    /// Starts a sign-in and waits for its authorization URL.
    ///
    /// # Errors
    ///
    /// The error of the sign-in if it ends before.
    pub async fn begin(provider: impl AuthProvider + 'static) -> Result<Self> {
        let (sender, mut urls) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move { provider.authenticate(&Urls(sender)).await });
        if let Some((url, redirect_uri)) = urls.recv().await {
            return Ok(Self {
                url,
                redirect_uri,
                task,
            });
        }
        match finished(task.await) {
            Err(error) => Err(error),
            Ok(_) => Err(ended("the sign-in ended without a page in the browser")),
        }
    }

    /// The authorization URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A parameter of the authorization URL, decoded; empty if it has none of that name, or one of
    /// them twice.
    #[must_use]
    pub fn parameter(&self, name: &str) -> String {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let form = Form::parse(query.as_bytes()).unwrap_or_default();
        form.get(name).unwrap_or_default().to_owned()
    }

    /// Opens the authorization URL and follows its redirects, in a task.
    pub fn browse(&self) -> JoinHandle<io::Result<u16>> {
        let url = self.url.clone();
        tokio::spawn(async move { browse(&url).await })
    }

    /// Requests a path with a query where the redirect URI points, in a task: the page may come
    /// only when the sign-in ends. `{STATE}` becomes the `state` of the authorization request.
    pub fn callback(&self, target: &str) -> JoinHandle<io::Result<u16>> {
        let uri = &self.redirect_uri;
        let target = target.replace("{STATE}", &self.parameter("state"));
        let host = uri.strip_prefix("http://").and_then(|rest| {
            let (host, _path) = rest.split_once('/')?;
            Some(host.to_owned())
        });
        let url = format!("http://{}{target}", host.unwrap_or_default());
        tokio::spawn(async move { browse(&url).await })
    }

    /// The redirect URI.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The path of the redirect URI.
    #[must_use]
    pub fn redirect_path(&self) -> String {
        let uri = &self.redirect_uri;
        let rest = uri.strip_prefix("http://").unwrap_or_default();
        rest.find('/').map_or("", |at| &rest[at..]).to_owned()
    }

    /// Waits for the end of the sign-in.
    ///
    /// # Errors
    ///
    /// Those of [`AuthProvider::authenticate`].
    pub async fn session(mut self) -> Result<OAuthToken> {
        finished((&mut self.task).await)
    }
}

impl Drop for PendingSignIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn finished(
    outcome: std::result::Result<Result<OAuthToken>, tokio::task::JoinError>,
) -> Result<OAuthToken> {
    outcome.unwrap_or_else(|_| Err(ended("the sign-in panicked")))
}

fn ended(why: &str) -> Error {
    Error::new(llm_auth_core::ErrorKind::Protocol, why)
}
