//! Notifications about a session, so that a program need not poll.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::error::Error;
use crate::token::OAuthToken;

/// One thing that happened to a session.
///
/// # Examples
///
/// ```
/// use llm_auth_core::SessionChange;
///
/// fn line(change: &SessionChange) -> String {
///     match change {
///         SessionChange::SignedOut => "signed out".to_owned(),
///         SessionChange::Over(error) => format!("{error}: sign in again"),
///         SessionChange::RefreshFailed(error) => format!("{error}: retrying"),
///         _ => "signed in".to_owned(),
///     }
/// }
///
/// assert_eq!(line(&SessionChange::SignedOut), "signed out");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionChange {
    /// Another process had refreshed the session, and this manager loaded it.
    Reloaded(Arc<OAuthToken>),
    /// The session is over: the server rejected the refresh token permanently.
    Over(Error),
    /// The session was refreshed.
    Refreshed(Arc<OAuthToken>),
    /// A refresh failed for now.
    RefreshFailed(Error),
    /// A refreshed session could not be stored; it is kept in memory and tried again.
    SaveFailed(Error),
    /// A user signed in.
    SignedIn(Arc<OAuthToken>),
    /// A user signed out.
    SignedOut,
}

/// A receiver of the changes of one session from its creation on.
///
/// A slow receiver sees only the latest change.
///
/// # Examples
///
/// ```no_run
/// # async fn run(manager: llm_auth_core::AuthManager) {
/// use llm_auth_core::SessionChange;
///
/// let mut watch = manager.watch();
/// while let Some(change) = watch.changed().await {
///     match change {
///         SessionChange::Refreshed(token) => println!("good until {:?}", token.expires_at),
///         SessionChange::Over(error) => println!("{error}: sign in again"),
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct SessionWatch {
    latest: watch::Receiver<Option<SessionChange>>,
}

impl SessionWatch {
    /// Waits for the next change; `None` when the manager is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SessionChange;
    ///
    /// # use llm_auth_core::{AuthManager, OAuthToken, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # manager.insert_session(OAuthToken::new("made-up".into(), None)).await?;
    /// let mut watch = manager.watch();
    /// manager.logout().await?;
    /// assert!(matches!(watch.changed().await, Some(SessionChange::SignedOut)));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn changed(&mut self) -> Option<SessionChange> {
        self.latest.changed().await.ok()?;
        self.latest.borrow_and_update().clone()
    }
}

/// The sender of changes. Most sessions of a large service have no watcher, and then there is no
/// channel.
#[derive(Debug, Default)]
pub(super) struct Changes {
    latest: OnceLock<watch::Sender<Option<SessionChange>>>,
}

impl Changes {
    pub(super) fn send(&self, change: SessionChange) {
        if let Some(latest) = self.latest.get() {
            latest.send_replace(Some(change));
        }
    }

    pub(super) fn watch(&self) -> SessionWatch {
        SessionWatch {
            latest: self
                .latest
                .get_or_init(|| watch::Sender::new(None))
                .subscribe(),
        }
    }
}
