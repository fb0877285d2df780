//! The loopback redirect listener of the authorization code flow (RFC 8252 section 7.3).

mod gate;
mod page;
mod server;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use self::gate::Gate;
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
/// Bound before the authorization URL is shown, to an IP literal and an ephemeral port that
/// no other program can share, and closed when the answer is in. Only a `GET` with the right
/// `Host`, path, `state` and `iss` counts; a favicon, a preconnect, `HEAD`, `OPTIONS` and
/// garbage are answered and change nothing.
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
    listener: TcpListener,
    address: SocketAddr,
    path: String,
    redirect_uri: String,
}

/// The authorization server's answer, with the browser still waiting for its page.
#[derive(Debug)]
pub struct Redirect {
    code: Secret,
    reply: oneshot::Sender<Page>,
    server: Server,
}

impl LoopbackListener {
    /// Binds 127.0.0.1, or ::1 where there is no IPv4. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Callback`] if neither can be bound.
    pub fn bind(path: &str) -> Result<Self> {
        let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);
        let listener = listen(v4).or_else(|_no_v4| listen(v6));
        let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = bound.map_err(|source| {
            Error::new(
                ErrorKind::Callback,
                "cannot listen on 127.0.0.1 nor on ::1 for the browser's answer",
            )
            .with_source(source)
        })?;
        Ok(Self {
            redirect_uri: format!("http://{address}{path}"),
            path: path.to_owned(),
            listener,
            address,
        })
    }

    /// The redirect URI: the literal address and port that are really bound.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits for the one answer that carries this `state`, and this `iss` if it carries any
    /// (RFC 9207 section 2.4); every other request is answered and told to the prompt.
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
        let server = Server::start(self.listener, gate, announce);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(
                    ErrorKind::Expired,
                    "nobody finished the sign-in in the browser in time",
                ));
            }
            prompt.notify(&LoginEvent::Waiting { left });
            let reminder = Instant::now() + REMINDER.min(left);
            while let Ok(arrival) = tokio::time::timeout_at(reminder, arrivals.recv()).await {
                match arrival {
                    None => {
                        return Err(Error::new(
                            ErrorKind::Callback,
                            "the redirect listener stopped by itself",
                        ));
                    }
                    Some(Arrival::Ignored { why }) => {
                        tracing::debug!(why, "a request to the redirect URI was ignored");
                        prompt.notify(&LoginEvent::Ignored { why });
                    }
                    Some(Arrival::Code { code, reply }) => {
                        return Ok(Redirect {
                            code,
                            reply,
                            server,
                        });
                    }
                    Some(Arrival::Refused { error, reply }) => {
                        farewell(server, reply, Page::for_error(&error)).await;
                        return Err(error);
                    }
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
        farewell(self.server, self.reply, page).await;
    }
}

async fn farewell(server: Server, reply: oneshot::Sender<Page>, page: Page) {
    // A browser that has gone away gets no page.
    if reply.send(page).is_ok() {
        let _gone = timeout(FAREWELL, server.delivered()).await;
    }
}

/// No `SO_REUSEADDR`: no second program shall take the port (RFC 8252 appendix B.5).
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(address)?;
    socket.listen(64)
}
