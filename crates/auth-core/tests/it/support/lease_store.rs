//! A store of one session whose lock is a lease, with a clock that tests set.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_core::store::{Lease, LeaseRequest, StoreGuard};
use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey, TokenStore, async_trait};
use tokio::sync::watch;

/// What all hosts share.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub session: Option<OAuthToken>,
    revision: u64,
    fence: u64,
    /// The fence of the holder; released leases have none.
    holder: Option<u64>,
    is_over: bool,
}

#[derive(Debug)]
pub struct LeaseStore {
    row: watch::Sender<Row>,
    /// What a holder may do with its lease, by its own clock.
    granted: Mutex<Duration>,
    refuse_extend: Mutex<bool>,
    /// How many more saves fail.
    failing: Mutex<u32>,
    /// Who refreshes a session right after the next save, whose response is lost.
    refreshed_to: Mutex<Option<OAuthToken>>,
}

#[derive(Debug)]
struct LeaseGuard {
    store: Arc<LeaseStore>,
    /// `None` for one that only changes what it has seen, like the lease.
    fence: Option<u64>,
    revision: u64,
    before: Option<OAuthToken>,
    lease: Option<Lease>,
}

/// A host's connection to the store.
#[derive(Clone, Debug)]
pub struct Host(pub Arc<LeaseStore>);

impl Host {
    pub fn holding(token: OAuthToken) -> Self {
        Self(Arc::new(LeaseStore {
            row: watch::Sender::new(Row {
                session: Some(token),
                ..Row::default()
            }),
            granted: Mutex::new(Duration::from_secs(30)),
            refuse_extend: Mutex::new(false),
            failing: Mutex::new(0),
            refreshed_to: Mutex::default(),
        }))
    }

    pub fn row(&self) -> Row {
        self.0.row.borrow().clone()
    }

    /// After a failover.
    pub fn restore(&self, row: Row) {
        self.0.row.send_replace(row);
    }

    /// Another holder stores the session.
    pub fn store(&self, token: OAuthToken) {
        self.0.row.send_modify(|row| {
            row.session = Some(token);
            row.revision += 1;
        });
    }

    /// As if the holder slept for longer than its lease.
    pub fn end_lease(&self) {
        self.0.row.send_modify(|row| row.is_over = true);
    }

    pub fn is_held(&self) -> bool {
        self.row().holder.is_some()
    }

    /// How often the lock was taken.
    pub fn takes(&self) -> u64 {
        self.row().fence
    }

    pub fn grant(&self, length: Duration) {
        *self.0.granted.lock().unwrap() = length;
    }

    pub fn refuse_extend(&self) {
        *self.0.refuse_extend.lock().unwrap() = true;
    }

    /// The store is away for so many saves.
    pub fn fail_saves(&self, count: u32) {
        *self.0.failing.lock().unwrap() = count;
    }

    /// The response to the next save is lost, and another host refreshes the session to these tokens.
    pub fn lose_next_response(&self, successor: OAuthToken) {
        *self.0.refreshed_to.lock().unwrap() = Some(successor);
    }

    fn take(&self) -> Option<Box<dyn StoreGuard>> {
        let request = LeaseRequest::now();
        let mut taken = None;
        self.0.row.send_modify(|row| {
            if row.holder.is_some() && !row.is_over {
                return;
            }
            row.fence += 1;
            row.holder = Some(row.fence);
            row.is_over = false;
            taken = Some(row.clone());
        });
        let row = taken?;
        let granted = *self.0.granted.lock().unwrap();
        Some(Box::new(LeaseGuard {
            store: Arc::clone(&self.0),
            fence: Some(row.fence),
            revision: row.revision,
            before: row.session,
            lease: Some(request.granted(granted)),
        }))
    }
}

#[async_trait]
impl TokenStore for Host {
    async fn load(&self, _key: &SessionKey) -> Result<Option<OAuthToken>> {
        Ok(self.row().session)
    }

    async fn lock(&self, _key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let mut changes = self.0.row.subscribe();
        loop {
            if let Some(guard) = self.take() {
                return Ok(guard);
            }
            changes.changed().await.unwrap();
        }
    }

    async fn lock_unless_changed(
        &self,
        _key: &SessionKey,
        known: &OAuthToken,
    ) -> Result<Option<Box<dyn StoreGuard>>> {
        let mut changes = self.0.row.subscribe();
        loop {
            let stored = self.row().session;
            if stored.is_none_or(|stored| !stored.has_same_tokens(known)) {
                return Ok(None);
            }
            if let Some(guard) = self.take() {
                return Ok(Some(guard));
            }
            changes.changed().await.unwrap();
        }
    }

    async fn lock_optimistically(&self, _key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let row = self.row();
        Ok(Box::new(LeaseGuard {
            store: Arc::clone(&self.0),
            fence: None,
            revision: row.revision,
            before: row.session,
            lease: None,
        }))
    }

    fn may_lose_saves(&self) -> bool {
        true
    }

    fn location(&self, _key: &SessionKey) -> String {
        "a shared store".into()
    }
}

impl LeaseGuard {
    fn change(&self, is_successor: bool, change: impl FnOnce(&mut Row)) -> Result<()> {
        let mut is_done = false;
        self.store.row.send_modify(|row| {
            let is_mine = self.fence.is_some() && row.holder == self.fence && !row.is_over;
            is_done = is_mine || is_successor && row.revision == self.revision;
            if is_done {
                change(row);
                if self.fence.is_none() {
                    row.holder = None;
                }
            }
        });
        match is_done {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::LeaseLost, "another host took over")),
        }
    }

    fn renew(&mut self) -> Result<()> {
        let request = LeaseRequest::now();
        self.change(false, |_| {})?;
        self.lease = Some(request.granted(*self.store.granted.lock().unwrap()));
        Ok(())
    }

    fn is_successor(&self, token: &OAuthToken) -> bool {
        let before = self.before.as_ref();
        self.lease.is_none() || before.is_none_or(|before| !before.has_same_tokens(token))
    }

    fn set(&mut self, token: &OAuthToken, is_last: bool) -> Result<()> {
        let (is_new, fence) = (self.is_successor(token), self.fence);
        self.change(is_new, |row| {
            row.session = Some(token.clone());
            row.revision += u64::from(is_new);
            if is_last && fence.is_some() && row.holder == fence {
                row.holder = None;
            }
        })?;
        self.revision += u64::from(is_new);
        self.before = Some(token.clone());
        Ok(())
    }
}

#[async_trait]
impl StoreGuard for LeaseGuard {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        let row = self.store.row.borrow().clone();
        self.revision = row.revision;
        self.before = row.session.clone();
        Ok(row.session)
    }

    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        match stored {
            Some(stored) => self.set(stored, false)?,
            None => self.change(false, |_| {})?,
        }
        self.renew()
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        self.set(token, false)
    }

    async fn finish(&mut self, token: &OAuthToken) -> Result<()> {
        let left = self.store.failing.lock().unwrap().checked_sub(1);
        if let Some(left) = left {
            *self.store.failing.lock().unwrap() = left;
            return Err(Error::new(ErrorKind::Store, "no connection"));
        }
        self.set(token, true)?;
        let successor = self.store.refreshed_to.lock().unwrap().take();
        let Some(mut successor) = successor else {
            return Ok(());
        };
        successor.metadata = token.metadata.clone();
        self.revision -= 1;
        Host(Arc::clone(&self.store)).store(successor);
        Err(Error::new(ErrorKind::Store, "no response"))
    }

    async fn extend(&mut self) -> Result<()> {
        let is_refused = *self.store.refuse_extend.lock().unwrap();
        match is_refused {
            true => Err(Error::new(ErrorKind::Store, "no connection")),
            false => self.renew(),
        }
    }

    fn lease(&self) -> Option<Lease> {
        self.lease
    }

    async fn remove(&mut self) -> Result<()> {
        let seen = self.revision;
        self.change(true, |row| {
            if row.revision == seen {
                row.session = None;
                row.revision += 1;
            }
        })?;
        self.load().await.map(drop)
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        let fence = self.fence;
        self.store.row.send_modify(|row| {
            if fence.is_some() && row.holder == fence {
                row.holder = None;
            }
        });
    }
}
