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
    #[must_use]
    pub fn code(&self) -> &Secret {
        &self.code
    }

    /// The other parameters of the response, such as an issued client id. They are the server's, and
    /// a code that was pasted alone has none. Do not show them unsanitized.
    #[must_use]
    pub fn parameters(&self) -> &BTreeMap<String, Secret> {
        &self.parameters
    }

    /// Shows a success page in the browser, and closes the port.
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
    pub async fn failed(self, error: Error, prompt: &dyn UserPrompt) -> Result<Self> {
        match self.source {
            Source::Browser(browser) => {
                browser.send_page(Page::Failed).await;
                Err(error)
            }
            Source::Pasted(pending) => pending.after(error, prompt).await,
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
