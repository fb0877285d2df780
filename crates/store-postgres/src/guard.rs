//! The lease of one session. See decisions 0061 and 0062.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use llm_auth_core::store::{Lease, LeaseRequest, StoreGuard};
use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey};
use llm_auth_sealing::Sealed;

use crate::row::{self, Stored};
use crate::runtime;
use crate::shared::{Holder, Shared};
use crate::statements::{NO_FENCE, Save};

/// Between two tries to release a lease.
const RELEASE_PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct PostgresGuard {
    shared: Arc<Shared>,
    key: SessionKey,
    /// Random for each lease.
    holder: Holder,
    fence: i64,
    /// As it was last read or stored here: if it is another one, another holder has stored a session.
    revision: i64,
    /// The session with that revision; `None` if there is none that can be read.
    before: Option<OAuthToken>,
    /// What has that revision could not be read, and is copied when it is replaced or removed.
    is_damaged: bool,
    /// What was read when the lease was taken, for the first `load`.
    taken: Option<Stored>,
    /// `None` for one that only changes what it has seen.
    lease: Option<Lease>,
    is_held: bool,
}

impl PostgresGuard {
    pub(crate) fn new(
        shared: Arc<Shared>,
        key: SessionKey,
        holder: Holder,
        stored: Stored,
        lease: Option<Lease>,
    ) -> Self {
        let session = shared.session(&key, &stored);
        Self {
            is_damaged: is_damaged(&session),
            before: session.ok().flatten(),
            fence: lease.map_or(NO_FENCE, |_| stored.fence),
            revision: stored.revision,
            taken: Some(stored),
            shared,
            key,
            holder,
            is_held: lease.is_some(),
            lease,
        }
    }

    fn lost(&self) -> Error {
        let message = format!(
            "{}: another process has taken the session over: nothing was changed, try again",
            self.shared.database.place
        );
        Error::new(ErrorKind::LeaseLost, message)
    }

    fn seal(&self, session: &OAuthToken) -> Result<Sealed> {
        let shared = &self.shared;
        row::sealed(session, shared.keys.as_ref(), &shared.tenant, &self.key)
    }

    /// Runs a statement to its end, even if the caller is dropped.
    async fn run<T: Send + 'static, F>(
        &self,
        statement: impl FnOnce(Arc<Shared>, SessionKey, i64, Holder) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (shared, key) = (Arc::clone(&self.shared), self.key.clone());
        runtime::run(statement(shared, key, self.fence, self.holder)).await
    }

    async fn read(&self) -> Result<Stored> {
        self.run(|shared, key, _, _| async move { shared.read(&key).await })
            .await
    }

    async fn store(&mut self, session: &OAuthToken, is_last: bool) -> Result<()> {
        let before = self.before.as_ref();
        // Without a lease, what it has seen is all that counts.
        let is_new =
            self.lease.is_none() || before.is_none_or(|before| !before.has_same_tokens(session));
        let save = Save {
            is_new,
            is_last,
            is_over_damage: self.is_damaged,
        };
        let (sealed, revision) = (self.seal(session)?, self.revision);
        let saved = self
            .run(move |shared, key, fence, holder| async move {
                let target = shared.target(&key, (fence, &holder));
                shared
                    .statements
                    .save(target, revision, &sealed, save)
                    .await
            })
            .await?;
        self.revision = match saved {
            Some(revision) => revision,
            // The response to an earlier try may have been lost.
            None if is_new => {
                let is_it = |found: &OAuthToken| found.has_same_tokens(session);
                self.find(|found| found.is_some_and(is_it)).await?
            }
            None => return Err(self.lost()),
        };
        self.taken = None;
        self.before = Some(session.clone());
        self.is_damaged = false;
        if is_last {
            self.is_held = false;
            self.shared.released.notify_waiters();
        }
        Ok(())
    }

    /// The revision of what is stored, if it is that already.
    async fn find(&self, is_it: impl FnOnce(Option<&OAuthToken>) -> bool) -> Result<i64> {
        let stored = self.read().await?;
        match self.shared.session(&self.key, &stored) {
            Ok(found) if is_it(found.as_ref()) => Ok(stored.revision),
            _ => Err(self.lost()),
        }
    }

    /// Lets the lease go. If the database is away just now, it is tried again in the background until
    /// the lease has ended, so that no one waits for it longer than for the database.
    fn let_go(&mut self) -> impl Future<Output = Result<()>> + Send + 'static {
        let is_held = std::mem::replace(&mut self.is_held, false);
        let (shared, key) = (Arc::clone(&self.shared), self.key.clone());
        let (fence, holder, lease) = (self.fence, self.holder, self.lease);
        async move {
            if !is_held {
                return Ok(());
            }
            let release = async move || {
                let target = shared.target(&key, (fence, &holder));
                let released = shared.statements.release(target).await;
                shared.released.notify_waiters();
                released
            };
            let Err(error) = release().await else {
                return Ok(());
            };
            tracing::debug!(%error, "a lease could not be released");
            let again = async move {
                while lease.is_some_and(|lease| !lease.remaining().is_zero()) {
                    tokio::time::sleep(RELEASE_PAUSE).await;
                    if release().await.is_ok() {
                        break;
                    }
                }
            };
            drop(tokio::spawn(again));
            Ok(())
        }
    }
}

#[async_trait]
impl StoreGuard for PostgresGuard {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        let stored = match self.taken.take() {
            Some(stored) => stored,
            None => self.read().await?,
        };
        self.revision = stored.revision;
        let session = self.shared.session(&self.key, &stored);
        self.is_damaged = is_damaged(&session);
        self.before = session.as_ref().ok().cloned().flatten();
        session
    }

    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        let Some(session) = stored else {
            return self.extend().await;
        };
        if self.is_damaged {
            // There are no such tokens yet, so it replaces what is there.
            self.extend().await?;
            return self.store(session, false).await;
        }
        let (request, length) = (LeaseRequest::now(), self.shared.lease);
        let (sealed, revision) = (self.seal(session)?, self.revision);
        let is_mine = self
            .run(move |shared, key, fence, holder| async move {
                let target = shared.target(&key, (fence, &holder));
                let statements = &shared.statements;
                statements.prepare(target, revision, length, &sealed).await
            })
            .await?;
        if !is_mine {
            return Err(self.lost());
        }
        self.lease = Some(request.granted(length));
        self.taken = None;
        Ok(())
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        self.store(token, false).await
    }

    async fn finish(&mut self, token: &OAuthToken) -> Result<()> {
        self.store(token, true).await
    }

    async fn extend(&mut self) -> Result<()> {
        let (request, length) = (LeaseRequest::now(), self.shared.lease);
        let revision = self.revision;
        let is_mine = self
            .run(move |shared, key, fence, holder| async move {
                let target = shared.target(&key, (fence, &holder));
                shared.statements.extend(target, revision, length).await
            })
            .await?;
        if !is_mine {
            return Err(self.lost());
        }
        self.lease = Some(request.granted(length));
        Ok(())
    }

    fn lease(&self) -> Option<Lease> {
        self.lease
    }

    async fn remove(&mut self) -> Result<()> {
        let (revision, is_damaged) = (self.revision, self.is_damaged);
        let removed = self
            .run(move |shared, key, fence, holder| async move {
                let target = shared.target(&key, (fence, &holder));
                let statements = &shared.statements;
                statements.remove(target, revision, is_damaged).await
            })
            .await?;
        self.revision = match removed {
            Some(revision) => revision,
            // The response to an earlier try may have been lost.
            None => self.find(|found| found.is_none()).await?,
        };
        self.taken = None;
        self.before = None;
        self.is_damaged = false;
        Ok(())
    }

    async fn release(mut self: Box<Self>) {
        let letting_go = self.let_go();
        if let Err(error) = runtime::run(letting_go).await {
            tracing::debug!(%error, "a lease is not released and ends by itself");
        }
    }
}

impl Drop for PostgresGuard {
    /// In the background; if that fails, the lease ends by itself.
    fn drop(&mut self) {
        if self.is_held
            && let Ok(handle) = runtime::handle()
        {
            drop(handle.spawn(self.let_go()));
        }
    }
}

/// A key that is wrong or missing is no damage.
fn is_damaged(session: &Result<Option<OAuthToken>>) -> bool {
    matches!(session, Err(error) if error.kind() == ErrorKind::Corrupt)
}

impl std::fmt::Debug for PostgresGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresGuard")
            .field("key", &self.key)
            .field("fence", &self.fence)
            .field("revision", &self.revision)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}
