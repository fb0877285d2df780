//! One session under its lease.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use llm_auth_core::store::{Lease, LeaseRequest, StoreGuard};
use llm_auth_core::{ErrorKind, OAuthToken, Result, SessionKey};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::names;
use crate::random;
use crate::row::{self, Row};
use crate::scripts::{self, Call, Claim, Next, Outcome};
use crate::store::Inner;

/// Between two tries to release a lease.
const RELEASE_PAUSE: Duration = Duration::from_millis(500);

/// A lease that may be held, and is released when this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    store: Arc<Inner>,
    name: String,
    /// Random: after a failover, the server may give out a fencing number again.
    holder: String,
    may_hold: bool,
}

#[derive(Debug)]
pub(crate) struct RedisGuard {
    hold: Hold,
    session: SessionKey,
    claim: Claim,
    /// What the lease was taken with, for the first `load`.
    first: Option<Result<Option<OAuthToken>>>,
    /// The session of the claim's revision; `None` without a readable one.
    before: Option<OAuthToken>,
    /// What has that revision could not be read, and is copied when it is replaced or removed.
    is_damaged: bool,
    /// `None` for one that only changes what it has seen.
    lease: Option<Lease>,
    /// A removal whose reply did not come, likewise.
    removed_as: Option<String>,
    /// A save whose reply did not come: it is tried again as the same revision.
    tried: Option<(String, OAuthToken)>,
}

impl Hold {
    pub(crate) fn new(store: &Arc<Inner>, name: &str) -> Result<Self> {
        Ok(Self {
            store: Arc::clone(store),
            name: name.to_owned(),
            holder: random::id()?,
            may_hold: false,
        })
    }

    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    /// From now on it may be held, although no reply says so.
    pub(crate) fn asks(&mut self) {
        self.may_hold = true;
    }

    pub(crate) fn has_nothing(&mut self) {
        self.may_hold = false;
    }

    pub(crate) async fn release(mut self) {
        self.may_hold = false;
        let (name, holder) = (self.name.clone(), self.holder.clone());
        release(Arc::clone(&self.store), name, holder).await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.may_hold {
            return;
        }
        // Without a runtime, the lease ends by itself.
        if let Ok(runtime) = Handle::try_current() {
            let (store, name) = (Arc::clone(&self.store), self.name.clone());
            let holder = self.holder.clone();
            runtime.spawn(release(store, name, holder));
        }
    }
}

/// If the server is away just now, it is tried again in the background until the lease has ended: no
/// other caller waits for the lease longer than for the server.
async fn release(store: Arc<Inner>, name: String, holder: String) {
    let call = scripts::release(&name, &holder);
    let Err(error) = store.call(&name, &call).await else {
        return;
    };
    tracing::debug!(%error, "a lease could not be released");
    let failed = Instant::now();
    drop(tokio::spawn(async move {
        while failed.elapsed() < store.lease {
            sleep(RELEASE_PAUSE).await;
            if store.call(&name, &call).await.is_ok() {
                break;
            }
        }
    }));
}

impl RedisGuard {
    /// Under a lease that was just taken, or without one.
    pub(crate) fn new(
        hold: Hold,
        session: &SessionKey,
        row: Row,
        fence: i64,
        lease: Option<Lease>,
    ) -> Self {
        let first = hold.store.session(&row, session, &hold.name);
        Self {
            session: session.clone(),
            claim: Claim {
                holder: hold.holder.clone(),
                fence,
                revision: row.revision,
            },
            before: first.as_ref().ok().cloned().flatten(),
            is_damaged: is_damaged(&first),
            first: Some(first),
            lease,
            removed_as: None,
            tried: None,
            hold,
        }
    }

    async fn call(&self, call: &Call) -> Result<()> {
        let (store, name) = (&self.hold.store, &self.hold.name);
        let replied = store.call(name, call).await;
        let reply = replied.map_err(|error| error.with_session(&self.session))?;
        match reply.outcome {
            Outcome::Done => Ok(()),
            _ => Err(store
                .connections
                .site
                .lost(name)
                .with_session(&self.session)),
        }
    }

    /// Extends the lease, and stores the same tokens with other records.
    async fn note(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        let (store, name) = (&self.hold.store, &self.hold.name);
        let data = stored.map(|stored| row::data(stored, store.keys.as_ref(), name));
        let call = scripts::note(name, &self.claim, store.lease, data.transpose()?);
        let (request, length) = (LeaseRequest::now(), store.lease);
        self.call(&call).await?;
        self.lease = Some(request.granted(length));
        if stored.is_some() {
            self.first = None;
            self.before = stored.cloned();
        }
        Ok(())
    }

    /// The key for a copy of what is replaced, if that could not be read.
    fn copies(&self) -> Option<String> {
        self.is_damaged.then(|| names::copies(&self.hold.name))
    }

    async fn set(&mut self, token: &OAuthToken, is_last: bool) -> Result<()> {
        let before = self.before.as_ref();
        // Without a lease, what it has seen is all that counts.
        let is_new =
            self.lease.is_none() || before.is_none_or(|before| !before.has_same_tokens(token));
        let next = match self.tried.take() {
            Some((next, tried)) if tried == *token => next,
            _ => random::id()?,
        };
        let (store, name) = (&self.hold.store, &self.hold.name);
        let data = row::data(token, store.keys.as_ref(), name)?;
        let to = match is_new {
            true => Next::Revision(&next),
            false => Next::Same,
        };
        let call = scripts::save(name, &self.claim, to, is_last, Some(data), self.copies());
        if let Err(error) = self.call(&call).await {
            self.tried = is_new.then(|| (next, token.clone()));
            return Err(error);
        }
        if is_new {
            self.claim.revision = next;
        }
        self.before = Some(token.clone());
        (self.first, self.is_damaged) = (None, false);
        if is_last {
            self.hold.has_nothing();
        }
        Ok(())
    }
}

/// A key that is wrong or missing is no damage.
fn is_damaged(session: &Result<Option<OAuthToken>>) -> bool {
    matches!(session, Err(error) if error.kind() == ErrorKind::Corrupt)
}

#[async_trait]
impl StoreGuard for RedisGuard {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        if let Some(first) = self.first.take() {
            return first;
        }
        let (store, name) = (&self.hold.store, &self.hold.name);
        let row = store.row(name).await?;
        let loaded = store.session(&row, &self.session, name);
        // What is written from now on follows what the caller sees now.
        self.is_damaged = is_damaged(&loaded);
        self.before = loaded.as_ref().ok().cloned().flatten();
        self.claim.revision = row.revision;
        loaded
    }

    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        match stored {
            // There are no such tokens yet, so it replaces what is there.
            Some(stored) if self.is_damaged => {
                self.note(None).await?;
                self.set(stored, false).await
            }
            _ => self.note(stored).await,
        }
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        self.set(token, false).await
    }

    async fn finish(&mut self, token: &OAuthToken) -> Result<()> {
        self.set(token, true).await
    }

    async fn extend(&mut self) -> Result<()> {
        self.note(None).await
    }

    fn lease(&self) -> Option<Lease> {
        self.lease
    }

    async fn remove(&mut self) -> Result<()> {
        let next = match self.removed_as.take() {
            Some(next) => next,
            None => random::id()?,
        };
        let (name, to) = (&self.hold.name, Next::Revision(&next));
        let call = scripts::save(name, &self.claim, to, false, None, self.copies());
        if let Err(error) = self.call(&call).await {
            self.removed_as = Some(next);
            return Err(error);
        }
        self.claim.revision = next;
        (self.before, self.first, self.is_damaged) = (None, None, false);
        Ok(())
    }

    async fn release(self: Box<Self>) {
        if self.hold.may_hold {
            self.hold.release().await;
        }
    }
}
