//! The loopback redirect listener of the authorization code flow (RFC 8252 section 7.3).

mod bind;
mod gate;
mod page;
mod paste;
mod server;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use self::gate::{Gate, Verdict};
use self::page::Page;
use self::server::{Arrival, Server};
use crate::clock::deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::prompt::{LoginEvent, UserPrompt};
use crate::secret::Secret;

/// How often the prompt hears how much time is left.
const REMINDER: Duration = Duration::from_secs(15);

/// How long the browser gets to take its page.
const FAREWELL: Duration = Duration::from_secs(2);

/// Listens on a port of this computer's own for the redirect of the authorization server.
///
/// Bound before the authorization URL is shown, to an ephemeral port of 127.0.0.1 and ::1 that
/// no other program can share, and closed when the answer is in. Only a `GET` with the right
/// `Host`, path, `state` and `iss` counts; a favicon, a preconnect, `HEAD`, `OPTIONS` and
/// garbage are answered and change nothing.
///
/// Where the browser cannot reach this computer, the person pastes the final URL or the code:
/// see [`UserPrompt::pasted`]. Whichever comes first counts.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), llm_auth_core::Error> {
/// use std::time::Duration;
///
/// use llm_auth_core::{LoopbackListener, Silent, random_state};
///
/// let state = random_state()?;
/// let listener = LoopbackListener::bind("/oauth2callback")?;
/// println!("redirect URI: {}", listener.redirect_uri());
/// let redirect = listener
///     .wait(&state, None, Duration::from_secs(300), &Silent)
///     .await?;
/// let code = redirect.code().clone();
/// // ... exchange the code, then say so in the browser:
/// redirect.finish(true).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LoopbackListener {
    listeners: Vec<TcpListener>,
    address: SocketAddr,
    path: String,
    redirect_uri: String,
}

/// The authorization server's answer; a browser that brought it still waits for its page.
#[derive(Debug)]
pub struct Redirect {
    code: Secret,
    browser: Option<Browser>,
}

#[derive(Debug)]
struct Browser {
    reply: oneshot::Sender<Page>,
    server: Server,
}

impl LoopbackListener {
    /// Binds 127.0.0.1 and ::1, or the one that there is, at the same port. Must be called within
    /// a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Callback`] if neither can be bound.
    pub fn bind(path: &str) -> Result<Self> {
        let (address, listeners) = bind::loopback().map_err(|source| {
            Error::new(
                ErrorKind::Callback,
                "cannot listen on 127.0.0.1 nor on ::1 for the browser's answer",
            )
            .with_source(source)
        })?;
        Ok(Self {
            redirect_uri: format!("http://{address}{path}"),
            path: path.to_owned(),
            listeners,
            address,
        })
    }

    /// The redirect URI: the literal address and port that are really bound.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits for the one answer that carries this `state`, and this `iss` if it carries any
    /// (RFC 9207 section 2.4), or for a code that the person pastes; every other request and
    /// text is told to the prompt.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`] and other kinds for an error answer (RFC 6749 section 4.1.2.1),
    /// [`ErrorKind::Expired`] if nobody came in time.
    pub async fn wait(
        self,
        state: &Secret,
        issuer: Option<&str>,
        patience: Duration,
        prompt: &dyn UserPrompt,
    ) -> Result<Redirect> {
        let deadline = deadline(patience);
        let gate = Gate::new(self.address, &self.path, state, issuer);
        let (announce, mut arrivals) = mpsc::channel(16);
        let server = Server::start(self.listeners, gate.clone(), announce);
        let mut reminder = Instant::now();
        loop {
            let arrival = tokio::select! {
                // The time goes first: no flood of texts or requests can keep it from coming.
                biased;
                () = sleep_until(reminder) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Error::new(
                            ErrorKind::Expired,
                            "nobody finished the sign-in in the browser in time",
                        ));
                    }
                    prompt.notify(&LoginEvent::Waiting { left });
                    reminder = Instant::now() + REMINDER.min(left);
                    continue;
                }
                arrival = arrivals.recv() => arrival.ok_or_else(|| {
                    Error::new(ErrorKind::Callback, "the redirect listener stopped by itself")
                })?,
                pasted = prompt.pasted() => match gate.judge_pasted(pasted.expose()) {
                    Verdict::Ignored { why, .. } => {
                        // Texts that are always there would keep everybody else from running.
                        yield_now().await;
                        Arrival::Ignored { why }
                    }
                    Verdict::Code(code) => {
                        prompt.notify(&LoginEvent::Answered);
                        // The port is closed right away: no second answer can come.
                        return Ok(Redirect { code, browser: None });
                    }
                    Verdict::Refused(error) => return Err(error),
                },
            };
            match arrival {
                Arrival::Ignored { why } => {
                    tracing::debug!(why, "something that is not the answer was ignored");
                    prompt.notify(&LoginEvent::Ignored { why });
                }
                Arrival::Code { code, reply } => {
                    prompt.notify(&LoginEvent::Answered);
                    let browser = Some(Browser { reply, server });
                    return Ok(Redirect { code, browser });
                }
                Arrival::Refused { error, reply } => {
                    let page = Page::for_error(&error);
                    Browser { reply, server }.farewell(page).await;
                    return Err(error);
                }
            }
        }
    }
}

impl Redirect {
    /// The authorization code: for one exchange, never for a second (RFC 6749 section 4.1.2).
    #[must_use]
    pub fn code(&self) -> &Secret {
        &self.code
    }

    /// Tells the person in the browser how it ended, and closes the port.
    pub async fn finish(self, signed_in: bool) {
        let page = if signed_in { Page::Done } else { Page::Failed };
        if let Some(browser) = self.browser {
            browser.farewell(page).await;
        }
    }
}

impl Browser {
    async fn farewell(self, page: Page) {
        // A browser that has gone away gets no page.
        if self.reply.send(page).is_ok() {
            let _gone = timeout(FAREWELL, self.server.delivered()).await;
        }
    }
}
