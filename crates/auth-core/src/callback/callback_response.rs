//! The answer, and what becomes of whoever brought it.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::page::Page;
use super::pending::PendingCallback;
use super::server::Server;
use crate::error::{Error, Result};
use crate::prompt::UserPrompt;
use crate::secret::Secret;

/// How long the browser gets to take its page.
const FAREWELL: Duration = Duration::from_secs(2);

/// The authorization server's answer; a browser that brought it still waits for its page.
#[derive(Debug)]
pub struct CallbackResponse {
    pub(super) code: Secret,
    pub(super) source: Source,
}

/// How the answer came.
#[derive(Debug)]
pub(super) enum Source {
    Browser(Browser),
    /// By hand: the code may be cut, or no code at all.
    Pasted(Box<PendingCallback>),
}

#[derive(Debug)]
pub(super) struct Browser {
    reply: oneshot::Sender<Page>,
    server: Server,
}

impl CallbackResponse {
    /// The authorization code: for one exchange, never for a second (RFC 6749 section 4.1.2).
    #[must_use]
    pub fn code(&self) -> &Secret {
        &self.code
    }

    /// Tells the person in the browser that they are signed in, and closes the port.
    pub async fn succeeded(self) {
        match self.source {
            Source::Browser(browser) => browser.send_page(Page::Done).await,
            Source::Pasted(pending) => pending.end(Page::Done).await,
        }
    }

    /// Tells the person in the browser that it failed, and closes the port. After a code that was
    /// pasted, alone or in an address, it may go on: with the answer of the browser, if one came
    /// meanwhile, or with the wait, if the server does not know that code
    /// ([`ErrorKind::Expired`](crate::ErrorKind::Expired)).
    ///
    /// # Errors
    ///
    /// `error`, unless it goes on; then as [`LoopbackListener::wait`](crate::LoopbackListener::wait).
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
        // A browser that has gone away gets no page.
        if self.reply.send(page).is_ok() {
            let _gone = timeout(FAREWELL, self.server.delivered()).await;
        }
    }
}
