//! A vendor without a network, and a store that breaks on demand.

pub(crate) mod lease_store;
pub(crate) mod script;
pub(crate) mod socket;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_core::store::StoreGuard;
use llm_auth_core::{
    AuthManager, AuthProvider, Clock as _, Error, ErrorKind, MemoryTokenStore, OAuthToken, Result,
    Revocation, SessionKey, SystemClock, Timestamp, TokenStore, UserPrompt, async_trait,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The fake vendor's response to a refresh.
#[derive(Clone, Debug, Default)]
pub enum Response {
    #[default]
    Rotate,
    WithoutRefreshToken,
    Refuse,
    /// Refuses `r1` alone.
    RefuseFirst,
    /// With a status alone, which is no verdict.
    Dismiss,
    Unavailable {
        lost: bool,
    },
    /// 429 with `Retry-After`, in seconds.
    Limited(u64),
    /// A new refresh token, and the old access token once more.
    SameAccess,
    /// An error that no later call corrects.
    Misconfigured,
    Panic,
    Hang,
}

/// Refreshes `a1`/`r1` to `a2`/`r2` and so on.
#[derive(Clone, Debug)]
pub struct FakeProvider(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    refreshes: AtomicUsize,
    sign_ins: AtomicUsize,
    revoked: Mutex<Vec<String>>,
    answer: Mutex<Response>,
    meanwhile: Mutex<Meanwhile>,
    lifetime: Mutex<Duration>,
    held: watch::Sender<bool>,
    asked: watch::Sender<usize>,
}

/// What another process does during a refresh.
#[derive(Default)]
struct Meanwhile(Option<Box<dyn FnOnce() + Send>>);

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl Default for FakeProvider {
    fn default() -> Self {
        Self(Arc::new(Inner {
            refreshes: AtomicUsize::new(0),
            sign_ins: AtomicUsize::new(0),
            revoked: Mutex::default(),
            answer: Mutex::default(),
            meanwhile: Mutex::default(),
            lifetime: Mutex::new(Duration::from_secs(3600)),
            held: watch::Sender::new(false),
            asked: watch::Sender::new(0),
        }))
    }
}

impl FakeProvider {
    pub fn answer(&self, answer: Response) {
        *self.0.answer.lock().unwrap() = answer;
    }

    /// Does this once, in the middle of the next refresh or revocation.
    pub fn meanwhile(&self, what: impl FnOnce() + Send + 'static) {
        self.0.meanwhile.lock().unwrap().0 = Some(Box::new(what));
    }

    pub fn lifetime(&self, lifetime: Duration) {
        *self.0.lifetime.lock().unwrap() = lifetime;
    }

    pub fn refreshes(&self) -> usize {
        self.0.refreshes.load(Ordering::SeqCst)
    }

    pub fn sign_ins(&self) -> usize {
        self.0.sign_ins.load(Ordering::SeqCst)
    }

    /// The refresh tokens that were revoked.
    pub fn revoked(&self) -> Vec<String> {
        self.0.revoked.lock().unwrap().clone()
    }

    /// Refreshes and sign-ins wait from now on.
    pub fn hold(&self) {
        self.0.held.send_replace(true);
    }

    pub fn release(&self) {
        self.0.held.send_replace(false);
    }

    /// Waits until the vendor has received a request for a refresh or a sign-in.
    pub async fn asked(&self) {
        self.0
            .asked
            .subscribe()
            .wait_for(|count| *count > 0)
            .await
            .unwrap();
    }

    fn do_meanwhile(&self) {
        let what = self.0.meanwhile.lock().unwrap().0.take();
        if let Some(what) = what {
            what();
        }
    }

    async fn wait_if_held(&self) {
        self.0.asked.send_modify(|count| *count += 1);
        let mut held = self.0.held.subscribe();
        held.wait_for(|held| !held).await.unwrap();
    }
}

#[async_trait]
impl AuthProvider for FakeProvider {
    fn name(&self) -> &str {
        "fake"
    }

    async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        self.wait_if_held().await;
        self.0.sign_ins.fetch_add(1, Ordering::SeqCst);
        Ok(session("a1", "r1", 3600))
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        self.wait_if_held().await;
        self.0.refreshes.fetch_add(1, Ordering::SeqCst);
        self.do_meanwhile();
        let answer = self.0.answer.lock().unwrap().clone();
        let lifetime = self.0.lifetime.lock().unwrap().as_secs();
        let generation: u32 = current.access.expose()[1..].parse().unwrap();
        let (access, refresh) = (
            format!("a{}", generation + 1),
            format!("r{}", generation + 1),
        );
        let mut token = session(&access, &refresh, i64::try_from(lifetime).unwrap());
        let refused = || {
            Error::new(
                ErrorKind::RefreshRejected,
                "rejected the refresh: invalid_grant",
            )
        };
        match answer {
            Response::RefuseFirst if generation == 1 => Err(refused()),
            Response::Rotate | Response::RefuseFirst => Ok(token),
            Response::WithoutRefreshToken => {
                token.refresh = None;
                Ok(token)
            }
            Response::Refuse => Err(refused()),
            Response::Dismiss => Err(refused().with_verdict(false)),
            Response::Unavailable { lost } => {
                Err(Error::new(ErrorKind::Transient, "in trouble").with_response_lost(lost))
            }
            Response::Limited(seconds) => {
                let wait = Some(Duration::from_secs(seconds));
                Err(Error::new(ErrorKind::RateLimited, "too many").with_retry_after(wait))
            }
            Response::SameAccess => {
                token.access = current.access.clone();
                Ok(token)
            }
            Response::Misconfigured => Err(Error::new(ErrorKind::Config, "a wrong client")),
            Response::Panic => panic!("as asked"),
            Response::Hang => std::future::pending().await,
        }
    }

    async fn revoke(&self, token: &OAuthToken) -> Result<Revocation> {
        let refresh = token.refresh.as_ref().unwrap().expose().to_owned();
        self.0.revoked.lock().unwrap().push(refresh);
        self.do_meanwhile();
        Ok(Revocation::Confirmed)
    }
}

pub fn session(access: &str, refresh: &str, seconds: i64) -> OAuthToken {
    let now = SystemClock.now().as_unix_millis();
    let expires_at = Timestamp::from_unix_millis(now + seconds * 1000);
    let mut token = OAuthToken::new(access.into(), expires_at);
    token.refresh = Some(refresh.into());
    token
}

pub fn expired_session(access: &str, refresh: &str) -> OAuthToken {
    session(access, refresh, -10)
}

/// The key of the fake vendor's only account.
pub fn key() -> SessionKey {
    SessionKey::new("fake", "default")
}

/// A manager whose store, the one returned with it, holds `token`.
pub async fn manager_of(
    provider: &FakeProvider,
    token: OAuthToken,
) -> (AuthManager, MemoryTokenStore) {
    let store = MemoryTokenStore::new();
    let mut guard = store.lock(&key()).await.unwrap();
    guard.save(&token).await.unwrap();
    drop(guard);
    let manager = AuthManager::builder(provider.clone())
        .store(store.clone())
        .build();
    (manager, store)
}

/// A store whose disk fills up on demand.
#[derive(Debug, Default)]
pub struct Brittle {
    held: Arc<Mutex<Option<OAuthToken>>>,
    pub refuse_prepare: AtomicBool,
    pub refuse_save: Arc<AtomicBool>,
    pub misbehaves: Arc<Mutex<Misbehaviour>>,
    /// Without the lock.
    pub loads: Arc<AtomicUsize>,
    pub locked_loads: Arc<AtomicUsize>,
    lock: Arc<tokio::sync::Mutex<()>>,
}

/// What a store does that no store should do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Misbehaviour {
    #[default]
    None,
    PanicsInSave,
    HangsInSave,
    PanicsInPrepare,
    PanicsInLock,
    HangsInLock,
    PanicsInLoad,
    RefusesLock,
    RefusesRemove,
}

impl Misbehaviour {
    async fn here(self, panics: Self, hangs: Self) {
        assert_ne!(self, panics, "as asked");
        if self == hangs {
            std::future::pending::<()>().await;
        }
    }
}

#[derive(Debug)]
struct BrittleGuard {
    held: Arc<Mutex<Option<OAuthToken>>>,
    refuse_prepare: bool,
    refuse_save: Arc<AtomicBool>,
    misbehaves: Arc<Mutex<Misbehaviour>>,
    loads: Arc<AtomicUsize>,
    _lock: tokio::sync::OwnedMutexGuard<()>,
}

impl Brittle {
    pub fn holding(token: OAuthToken) -> Arc<Self> {
        let store = Self::default();
        store.hold(token);
        Arc::new(store)
    }

    /// Stores without the lock.
    pub fn hold(&self, token: OAuthToken) {
        *self.held.lock().unwrap() = Some(token);
    }

    pub fn misbehave(&self, how: Misbehaviour) {
        *self.misbehaves.lock().unwrap() = how;
    }

    pub fn held(&self) -> Option<OAuthToken> {
        self.held.lock().unwrap().clone()
    }
}

#[async_trait]
impl TokenStore for Brittle {
    async fn load(&self, _key: &SessionKey) -> Result<Option<OAuthToken>> {
        let (how, held) = (*self.misbehaves.lock().unwrap(), self.held());
        self.loads.fetch_add(1, Ordering::SeqCst);
        assert_ne!(how, Misbehaviour::PanicsInLoad, "as asked");
        Ok(held)
    }

    async fn lock(&self, _key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let how = *self.misbehaves.lock().unwrap();
        if how == Misbehaviour::RefusesLock {
            return Err(Error::new(ErrorKind::StoreBusy, "another process has it"));
        }
        how.here(Misbehaviour::PanicsInLock, Misbehaviour::HangsInLock)
            .await;
        Ok(Box::new(BrittleGuard {
            held: Arc::clone(&self.held),
            refuse_prepare: self.refuse_prepare.load(Ordering::SeqCst),
            refuse_save: Arc::clone(&self.refuse_save),
            misbehaves: Arc::clone(&self.misbehaves),
            loads: Arc::clone(&self.locked_loads),
            _lock: Arc::clone(&self.lock).lock_owned().await,
        }))
    }

    fn location(&self, _key: &SessionKey) -> String {
        "a brittle store".into()
    }
}

#[async_trait]
impl StoreGuard for BrittleGuard {
    async fn load(&mut self) -> Result<Option<OAuthToken>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        Ok(self.held.lock().unwrap().clone())
    }

    async fn prepare(&mut self, stored: Option<&OAuthToken>) -> Result<()> {
        let how = *self.misbehaves.lock().unwrap();
        assert_ne!(how, Misbehaviour::PanicsInPrepare, "as asked");
        if self.refuse_prepare {
            return Err(Error::new(ErrorKind::Store, "no space"));
        }
        if let Some(stored) = stored {
            *self.held.lock().unwrap() = Some(stored.clone());
        }
        Ok(())
    }

    async fn save(&mut self, token: &OAuthToken) -> Result<()> {
        let how = *self.misbehaves.lock().unwrap();
        how.here(Misbehaviour::PanicsInSave, Misbehaviour::HangsInSave)
            .await;
        if self.refuse_save.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Store, "no space"));
        }
        *self.held.lock().unwrap() = Some(token.clone());
        Ok(())
    }

    async fn remove(&mut self) -> Result<()> {
        if *self.misbehaves.lock().unwrap() == Misbehaviour::RefusesRemove {
            return Err(Error::new(ErrorKind::Store, "read-only"));
        }
        *self.held.lock().unwrap() = None;
        Ok(())
    }
}

/// A caller whose refresh the provider has received and not yet answered.
pub async fn caller_in_mid_refresh(
    provider: &FakeProvider,
    manager: &AuthManager,
) -> JoinHandle<Result<Arc<OAuthToken>>> {
    provider.hold();
    let caller = tokio::spawn({
        let manager = manager.clone();
        async move { manager.token().await }
    });
    provider.asked().await;
    caller
}
