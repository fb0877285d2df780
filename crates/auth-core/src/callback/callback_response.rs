//! The authorization response, and the reply to the browser that brought it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::page::Page;
use super::pending::PendingCallback;
use super::server::Server;
use crate::error::{Error, Result};
use crate::prompt::UserPrompt;
use crate::secret::Secret;

/// How long the browser has to receive its page.
const FAREWELL: Duration = Duration::from_secs(2);

/// The authorization server's response; a browser that brought it still waits for its page.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_core::Silent;
/// use llm_auth_core::provider::CallbackResponse;
///
/// # async fn exchange(_: &str) -> llm_auth_core::Result<()> { Ok(()) }
/// async fn redeem(mut response: CallbackResponse) -> llm_auth_core::Result<()> {
///     loop {
///         // Asks the server.
///         match exchange(response.code().expose()).await {
///             Ok(session) => {
///                 response.succeeded().await;
///                 return Ok(session);
///             }
///             // After a pasted code, the browser may still bring the right one.
///             Err(error) => response = response.failed(error, &Silent).await?,
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct CallbackResponse {
    pub(super) code: Secret,
    pub(super) parameters: BTreeMap<String, Secret>,
    pub(super) source: Source,
}

/// How the response came.
#[derive(Debug)]
pub(super) enum Source {
    Browser(Browser),
    /// Pasted: the code may be cut, or no code at all.
    Pasted(Box<PendingCallback>),
}

#[derive(Debug)]
pub(super) struct Browser {
    reply: oneshot::Sender<Page>,
    server: Server,
}

impl CallbackResponse {
    /// The authorization code, for one exchange only (RFC 6749 section 4.1.2).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::{CallbackResponse, Form};
    ///
    /// fn exchange(response: &CallbackResponse) -> Form {
    ///     Form::new()
    ///         .text("grant_type", "authorization_code")
    ///         .secret("code", response.code())
    /// }
    /// ```
    #[must_use]
    pub fn code(&self) -> &Secret {
        &self.code
    }

    /// The other parameters of the response, such as an issued client id. They are the server's, and
    /// a code that was pasted alone has none. Do not show them unsanitized.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::CallbackResponse;
    ///
    /// fn user_id(response: &CallbackResponse) -> Option<&str> {
    ///     Some(response.parameters().get("user_id")?.expose())
    /// }
    /// ```
    #[must_use]
    pub fn parameters(&self) -> &BTreeMap<String, Secret> {
        &self.parameters
    }

    /// Shows a success page in the browser, and closes the port.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::provider::CallbackResponse;
    ///
    /// async fn end(response: CallbackResponse) {
    ///     // The session is stored: the user may close the page.
    ///     response.succeeded().await;
    /// }
    /// ```
    // See decision 0007.
    pub async fn succeeded(self) {
        match self.source {
            Source::Browser(browser) => browser.send_page(Page::Done).await,
            Source::Pasted(pending) => pending.end(Page::Done).await,
        }
    }

    /// Shows an error page in the browser, and closes the port. After a pasted code, alone or in an
    /// address, the sign-in may go on: with the response of the browser, if one came meanwhile, or
    /// with the wait, if the server does not know that code
    /// ([`ErrorKind::Expired`](crate::ErrorKind::Expired)).
    ///
    /// # Errors
    ///
    /// `error`, unless the sign-in goes on; then as
    /// [`LoopbackListener::wait`](crate::provider::LoopbackListener::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Error, Silent};
    /// use llm_auth_core::provider::CallbackResponse;
    ///
    /// async fn next(response: CallbackResponse, error: Error) -> Result<CallbackResponse, Error> {
    ///     response.failed(error, &Silent).await
    /// }
    /// ```
    pub async fn failed(self, error: Error, prompt: &dyn UserPrompt) -> Result<Self> {
        match self.source {
            Source::Browser(browser) => {
                browser.send_page(Page::Failed).await;
                Err(error)
            }
            Source::Pasted(pending) => pending.after(error, prompt).await,
        }
    }

    /// As [`failed`](Self::failed), but the code was not sent to the server: a pasted one is
    /// ignored, and the browser may still bring it with what it lacked.
    pub(crate) async fn not_redeemed(self, error: Error, prompt: &dyn UserPrompt) -> Result<Self> {
        match self.source {
            Source::Pasted(pending) => pending.after_unused(&error, prompt).await,
            Source::Browser(_) => self.failed(error, prompt).await,
        }
    }
}

impl Browser {
    pub(super) fn new(reply: oneshot::Sender<Page>, server: Server) -> Self {
        Self { reply, server }
    }

    pub(super) async fn send_page(self, page: Page) {
        // A browser that is gone gets no page.
        if self.reply.send(page).is_ok() {
            let _gone = timeout(FAREWELL, self.server.delivered()).await;
        }
    }
}
