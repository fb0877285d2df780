//! The loopback redirect listener of the authorization code flow (RFC 8252 section 7.3).

mod bind;
mod callback_response;
mod page;
mod pasted;
mod pending;
mod request;
mod response;
mod server;
mod validator;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::net::TcpListener;

pub use self::callback_response::CallbackResponse;
use self::pending::PendingCallback;
use self::validator::{CallbackValidator, Verdict};
pub use self::validator::{IssuerRule, StateRule};
use crate::clock::deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::loopback_redirect::{LoopbackHost, LoopbackRedirect};
use crate::prompt::UserPrompt;
use crate::secret::Secret;

/// Listens on a local port for the redirect of the authorization server.
///
/// It is bound before the authorization URL is shown, to a port of 127.0.0.1 and ::1 that no other
/// program can share (an ephemeral one, unless the redirect URI names its ports), and closed when the
/// response has arrived. Only a `GET` with the right `Host`, path, `state` and `iss` counts; a favicon
/// request, a preconnect, `HEAD`, `OPTIONS` and garbage get a response and change nothing.
///
/// If the browser cannot reach this computer, the user pastes the final URL or the code: see
/// [`UserPrompt::pasted`]. The first of the two counts.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> Result<(), llm_auth_core::Error> {
/// use std::time::Duration;
///
/// use llm_auth_core::Silent;
/// use llm_auth_core::provider::{LoopbackListener, random_state};
///
/// let state = random_state()?;
/// let listener = LoopbackListener::bind("/oauth2callback")?;
/// println!("redirect URI: {}", listener.redirect_uri());
/// let redirect = listener
///     .wait(&state, None, Duration::from_secs(300), &Silent)
///     .await?;
/// let code = redirect.code().clone();
/// // ... exchange the code, then show the result in the browser:
/// redirect.succeeded().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LoopbackListener {
    listeners: Vec<TcpListener>,
    authority: String,
    path: String,
    redirect_uri: String,
}

impl LoopbackListener {
    /// Binds any free port, avoiding those that browsers block, for a redirect URI with this path
    /// at the literal address.
    ///
    /// # Errors
    ///
    /// As [`bind_to`](Self::bind_to).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::LoopbackListener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let listener = LoopbackListener::bind("/callback")?;
    /// assert!(listener.redirect_uri().ends_with("/callback"));
    /// assert!(LoopbackListener::bind("no slash").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind(path: &str) -> Result<Self> {
        Self::bind_to(&LoopbackRedirect::new(path))
    }

    /// Binds 127.0.0.1 and ::1, or the only one that exists, at the same port. Call it within a
    /// tokio runtime with IO and time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the path is not written as in a URL, or has a query or a fragment;
    /// [`ErrorKind::Callback`] if neither address can be bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::{LoopbackHost, LoopbackListener, LoopbackRedirect};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let mut redirect = LoopbackRedirect::new("/callback");
    /// redirect.host = LoopbackHost::Localhost;
    /// let listener = LoopbackListener::bind_to(&redirect)?;
    /// assert!(listener.redirect_uri().starts_with("http://localhost:"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind_to(redirect: &LoopbackRedirect) -> Result<Self> {
        redirect.check()?;
        let LoopbackRedirect { path, host, ports } = redirect;
        let (address, listeners) =
            bind::loopback(ports).map_err(|source| cannot_listen(ports).with_source(source))?;
        let authority = match host {
            LoopbackHost::Literal => address.to_string(),
            LoopbackHost::Localhost => format!("localhost:{}", address.port()),
        };
        Ok(Self {
            redirect_uri: format!("http://{authority}{path}"),
            // A browser requests `/` for a URL without a path (RFC 9110 section 4.2.3).
            path: match path.is_empty() {
                true => "/".to_owned(),
                false => path.clone(),
            },
            listeners,
            authority,
        })
    }

    /// The redirect URI with the address and port that are really bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::LoopbackListener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let listener = LoopbackListener::bind("/callback")?;
    /// // For the authorization request, and again for the exchange of the code.
    /// println!("{}", listener.redirect_uri());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits for the one response that carries this `state`, and this `iss` if it carries any (RFC
    /// 9207 section 2.4), or for a code that the user pastes. It reports every other request and
    /// text to the prompt.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`] and other kinds for an error response (RFC 6749 section 4.1.2.1),
    /// [`ErrorKind::Expired`] if no response came in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::{ErrorKind, Silent};
    /// use llm_auth_core::provider::{LoopbackListener, random_state};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let listener = LoopbackListener::bind("/callback")?;
    /// let (state, timeout) = (random_state()?, Duration::from_millis(10));
    /// let error = listener.wait(&state, None, timeout, &Silent).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Expired);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait(
        self,
        state: &Secret,
        issuer: Option<&str>,
        timeout: Duration,
        prompt: &dyn UserPrompt,
    ) -> Result<CallbackResponse> {
        let issuer = issuer.map_or(IssuerRule::Unchecked, IssuerRule::IfPresent);
        self.wait_with(state, StateRule::Required, issuer, timeout, prompt)
            .await
    }

    /// As [`wait`](Self::wait), for a server that may not return `state`, or that
    /// always returns `iss`.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use llm_auth_core::Silent;
    /// use llm_auth_core::provider::{IssuerRule, LoopbackListener, StateRule, random_state};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// // Waits for a browser.
    /// let listener = LoopbackListener::bind(&format!("/callback/{}", random_state()?.expose()))?;
    /// let (state, timeout) = (random_state()?, Duration::from_secs(300));
    /// let (rule, issuer) = (StateRule::InPath, IssuerRule::Unchecked);
    /// let response = listener.wait_with(&state, rule, issuer, timeout, &Silent).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_with(
        self,
        state: &Secret,
        rule: StateRule,
        issuer: IssuerRule<'_>,
        timeout: Duration,
        prompt: &dyn UserPrompt,
    ) -> Result<CallbackResponse> {
        let deadline = deadline(timeout);
        let validator = CallbackValidator::new(&self.authority, &self.path, state, rule, issuer);
        let pending = PendingCallback::start(self.listeners, validator, deadline);
        pending.next(prompt).await
    }
}

fn cannot_listen(ports: &[u16]) -> Error {
    let message = match ports {
        [] => "cannot listen on 127.0.0.1 or ::1 for the browser's response".to_owned(),
        ports => {
            let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
            format!(
                "cannot listen on port {} of this computer, which this sign-in requires for the \
                 browser's response: close the program that uses it",
                ports.join(" or ")
            )
        }
    };
    Error::new(ErrorKind::Callback, message)
}

/// The code and the other parameters of a response that came to a page of the program itself.
pub(crate) fn read_response(
    query: &str,
    state: &Secret,
    issuer: IssuerRule<'_>,
) -> Result<(Secret, BTreeMap<String, Secret>)> {
    let validator = CallbackValidator::new("", "", state, StateRule::Required, issuer);
    match validator.validate_response(query) {
        Verdict::Code(grant) => Ok((grant.code, grant.parameters)),
        Verdict::Refused(error) => Err(error),
        Verdict::Ignored { why, .. } => Err(Error::new(
            ErrorKind::StateMismatch,
            format!("this is not the response to the sign-in ({why}): start a new one"),
        )),
    }
}
