//! New sessions, of a sign-in or from elsewhere, and what they replace.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::foreign::Guard;
use super::refresh::finish_with_retries;
use super::{AuthManager, SessionChange, Shared};
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::token::OAuthToken;

/// What became of a new session that may be refused.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Insertion, OAuthToken};
///
/// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
/// # use llm_auth_core::provider::OAuthConfig;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// # let server = SecureUrl::known("https://auth.example/token");
/// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
/// # manager.insert_session(OAuthToken::new("made-up".into(), None)).await?;
/// let new = OAuthToken::new("made-up-2".into(), None);
/// match manager.insert_session_if(new, |_, stored| stored.is_none()).await? {
///     Insertion::Stored(_) => println!("stored"),
///     Insertion::Refused(refused) => println!("there is a session: {:?}", refused.stored),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a refused session is in here, and nowhere else"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller that misses a case would lose a session"
)]
pub enum Insertion {
    /// It is stored.
    Stored(StoredSession),
    /// What is stored stays, and nothing has changed.
    Refused(Box<RefusedSession>),
}

/// A new session that is stored.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Insertion, OAuthToken};
///
/// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
/// # use llm_auth_core::provider::OAuthConfig;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// # let server = SecureUrl::known("https://auth.example/token");
/// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
/// # manager.insert_session(OAuthToken::new("made-up".into(), None)).await?;
/// let new = OAuthToken::new("made-up-2".into(), None);
/// if let Insertion::Stored(stored) = manager.insert_session_if(new, |_, _| true).await? {
///     assert_eq!(stored.token.access.expose(), "made-up-2");
///     assert!(stored.replaced.is_some());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct StoredSession {
    /// The session.
    pub token: Arc<OAuthToken>,
    /// The session that it replaced.
    pub replaced: Option<Arc<OAuthToken>>,
    /// Whether it replaced something that could not be read as a session. A file store moves that
    /// aside; those of Postgres and Redis copy it beside the sessions.
    pub replaced_unreadable: bool,
}

/// A new session that is not stored. The user has approved it: store it under another account, or
/// revoke it.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Insertion, OAuthToken};
///
/// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
/// # use llm_auth_core::provider::OAuthConfig;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// # let server = SecureUrl::known("https://auth.example/token");
/// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
/// # manager.insert_session(OAuthToken::new("made-up".into(), None)).await?;
/// let new = OAuthToken::new("made-up-2".into(), None);
/// if let Insertion::Refused(refused) = manager.insert_session_if(new, |_, _| false).await? {
///     assert_eq!(refused.new.access.expose(), "made-up-2");
///     // It is nowhere else.
///     manager.provider().revoke(&refused.new).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct RefusedSession {
    /// The new session.
    pub new: OAuthToken,
    /// The session that stays stored, if any.
    pub stored: Option<OAuthToken>,
}

/// What a new session would replace.
pub(super) struct Previous {
    /// A session of this provider and account.
    pub(super) session: Option<OAuthToken>,
    /// Something that is no session; the store moves it aside.
    is_unreadable: bool,
}

impl AuthManager {
    /// Verifies that a session could be stored, as [`login`](Self::login) does before prompting.
    ///
    /// # Errors
    ///
    /// The store's error; [`ErrorKind::Config`] if the stored session belongs to another provider
    /// or account.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// manager.check_store().await?;
    /// // A sign-in can be stored now.
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check_store(&self) -> Result<()> {
        self.prepare_store().await.map(drop)
    }

    /// Stores a session that a program obtained without [`login`](Self::login), by driving the
    /// steps of a provider itself.
    ///
    /// # Errors
    ///
    /// The store's error; [`ErrorKind::Config`] if the stored session belongs to another provider
    /// or account.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::OAuthToken;
    ///
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// let session = OAuthToken::new("made-up".into(), None);
    /// manager.insert_session(session).await?;
    /// assert_eq!(manager.token().await?.access.expose(), "made-up");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn insert_session(&self, token: OAuthToken) -> Result<Arc<OAuthToken>> {
        let owned = Arc::clone(&self.shared);
        let always = |_: &_, _: Option<&_>| ControlFlow::<Infallible>::Continue(());
        let work = async move {
            match Box::pin(owned.insert(token, always)).await? {
                Ok(stored) => Ok(stored.token),
                Err((never, _)) => match never {},
            }
        };
        self.run(work).await
    }

    /// As [`insert_session`](Self::insert_session), but only if `may_replace` accepts it, as in
    /// [`login_with`](Self::login_with). If another host stores a session at the same moment, it is
    /// called again with that one.
    ///
    /// # Errors
    ///
    /// As [`insert_session`](Self::insert_session).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{Insertion, OAuthToken};
    ///
    /// # use llm_auth_core::{AuthManager, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_core::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// # let server = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", server).provider()).build();
    /// # manager.insert_session(OAuthToken::new("made-up".into(), None)).await?;
    /// let new = OAuthToken::new("made-up-2".into(), None);
    /// let inserted = manager.insert_session_if(new, |_, stored| stored.is_none()).await?;
    /// assert!(matches!(inserted, Insertion::Refused(_)));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn insert_session_if(
        &self,
        token: OAuthToken,
        mut may_replace: impl FnMut(&OAuthToken, Option<&OAuthToken>) -> bool + Send + 'static,
    ) -> Result<Insertion> {
        let owned = Arc::clone(&self.shared);
        let decide = move |new: &_, stored: Option<&_>| match may_replace(new, stored) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        let work = async move {
            Ok(match Box::pin(owned.insert(token, decide)).await? {
                Ok(stored) => Insertion::Stored(stored),
                Err(((), refused)) => Insertion::Refused(Box::new(refused)),
            })
        };
        self.run(work).await
    }

    /// Verifies that a session could be stored, and returns the one that it would replace.
    pub(super) async fn prepare_store(&self) -> Result<Option<OAuthToken>> {
        let owned = Arc::clone(&self.shared);
        let work = async move {
            // The lock of a holder that sleeps is not taken for a check.
            let mut guard = owned.foreign.lock().await?;
            let previous = owned.previous(&mut guard).await?;
            let ready = guard.prepare(previous.session.as_ref()).await;
            guard.release().await;
            ready.map(|()| previous.session)
        };
        self.run(work).await
    }

    /// Runs a transaction to its end, even if this future is dropped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let shared = &self.shared;
        let task = shared.tasks.spawn(work);
        let task = task.map_err(|error| shared.with_session(error))?;
        task.await.map_err(|error| shared.with_session(error))
    }
}

impl Shared {
    pub(super) async fn previous(&self, guard: &mut Guard<'_>) -> Result<Previous> {
        match guard.load().await {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(Previous {
                session: None,
                is_unreadable: true,
            }),
            stored => Ok(Previous {
                session: self.check_owner(stored?)?,
                is_unreadable: false,
            }),
        }
    }

    /// Stores a session, if what is stored now lets `decide` continue. That is read again for as long
    /// as another host stores one in between, which is done with a refresh in flight.
    async fn insert<B>(
        self: &Arc<Self>,
        token: OAuthToken,
        mut decide: impl FnMut(&OAuthToken, Option<&OAuthToken>) -> ControlFlow<B>,
    ) -> Result<std::result::Result<StoredSession, (B, RefusedSession)>> {
        // The end of the process waits for the session that the user has just approved.
        let _critical = engine::critical();
        let mut changes = Changes::default();
        let signed_in = self.as_new(token.clone());
        let mut replaced = None;
        loop {
            let mut guard = self.foreign.lock_optimistically().await?;
            let previous = self.previous(&mut guard).await?;
            // The response to an attempt was lost, and another host has refreshed it since.
            let is_stored =
                |stored: &OAuthToken| changes.has_some() && is_same_sign_in(stored, &signed_in);
            if let Some(stored) = previous.session.clone().filter(is_stored) {
                let replaced = replaced.unwrap_or(previous);
                return self.inserted(guard, replaced, stored, Ok(())).await.map(Ok);
            }
            if let ControlFlow::Break(why) = decide(&token, previous.session.as_ref()) {
                guard.release().await;
                let refused = RefusedSession {
                    new: token,
                    stored: previous.session,
                };
                return Ok(Err((why, refused)));
            }
            let mut new = signed_in.clone();
            if let Some(previous) = &previous.session {
                new.extra = previous.extra.clone();
            }
            match finish_with_retries(&mut guard, &new).await {
                Err(error) if changes.allow_another(&error) => {
                    replaced.get_or_insert(previous);
                    guard.release().await;
                }
                saved => return self.inserted(guard, previous, new, saved).await.map(Ok),
            }
        }
    }

    fn as_new(&self, mut token: OAuthToken) -> OAuthToken {
        token.metadata.provider = Some(self.key().provider().to_owned());
        token.metadata.account = Some(self.key().account().to_owned());
        token.metadata.signed_in_at = Some(self.now());
        token
    }

    async fn inserted(
        self: &Arc<Self>,
        guard: Guard<'_>,
        previous: Previous,
        token: OAuthToken,
        saved: Result<()>,
    ) -> Result<StoredSession> {
        // Before a file's lock is released: later, another holder may keep a newer one.
        let published = match saved {
            Ok(()) => {
                self.unsaved.clear();
                self.cool_down.succeeded();
                Ok(self.publish(token))
            }
            Err(error) => {
                self.unsaved.keep_sign_in(token, previous.session.clone());
                Err(error)
            }
        };
        guard.release().await;
        let token = match published {
            Ok(token) => token,
            Err(error) => {
                self.changes.send(SessionChange::SaveFailed(error.clone()));
                self.save_later();
                return Err(error);
            }
        };
        self.changes
            .send(SessionChange::SignedIn(Arc::clone(&token)));
        self.tell_observer();
        Ok(StoredSession {
            token,
            replaced: previous.session.map(Arc::new),
            replaced_unreadable: previous.is_unreadable,
        })
    }
}

/// Whether a session is this one, or one that it was refreshed to.
pub(super) fn is_same_sign_in(one: &OAuthToken, other: &OAuthToken) -> bool {
    let (one, other) = (&one.metadata, &other.metadata);
    one.signed_in_at.is_some()
        && (one.signed_in_at, &one.server) == (other.signed_in_at, &other.server)
}

/// How often what was read has changed before it could be replaced or removed.
#[derive(Default)]
pub(super) struct Changes(u32);

impl Changes {
    /// Sessions change once in an hour or so.
    const MOST: u32 = 5;

    /// Whether the error is such a change, and one that may be followed by another attempt.
    pub(super) fn allow_another(&mut self, error: &Error) -> bool {
        let is_change = error.kind() == ErrorKind::LeaseLost;
        self.0 += u32::from(is_change);
        is_change && self.0 <= Self::MOST
    }

    pub(super) fn has_some(&self) -> bool {
        self.0 > 0
    }
}
