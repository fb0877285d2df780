//! Who owns the life of a session.

mod advisory;
mod builder;
mod change;
mod demand;
#[cfg(all(test, shuttle))]
mod model;
mod renewal;
mod retry;
mod single_flight;
mod snapshot;
mod sync;
mod work;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::advisory::Advisory;
pub use self::advisory::{DEFAULT_ADVISORY_WINDOW, SessionKeeper};
pub use self::builder::{AuthManagerBuilder, DEFAULT_EXPIRY_MARGIN};
use self::change::Changes;
pub use self::change::{SessionChange, SessionWatch};
use self::demand::Demand;
use self::renewal::Unsaved;
use self::single_flight::SingleFlight;
use self::snapshot::Snapshot;
use self::work::Work;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::prompt::UserPrompt;
use crate::provider::{AuthProvider, Revocation};
use crate::session::SessionKey;
use crate::store::{StoreGuard, TokenStore};
use crate::token::OAuthToken;

/// Signs in, keeps the session, renews it and hands out its access token.
///
/// However many tasks and processes ask, one expiry causes one renewal. A renewal is a
/// transaction of its own: dropping the future of a caller drops only its waiting. The
/// store holds a successor durably before anybody sees its access token. Clones share one session.
///
/// Every call needs a tokio runtime with time enabled.
///
/// # Examples
///
/// ```no_run
/// # async fn run(provider: impl llm_auth_core::AuthProvider + 'static) -> Result<(), llm_auth_core::Error> {
/// use llm_auth_core::{AuthManager, FileTokenStore, Silent};
///
/// let manager = AuthManager::builder(provider)
///     .store(FileTokenStore::file("session.json"))
///     .build();
/// if manager.load().await?.is_none() {
///     manager.login(&Silent).await?;
/// }
/// let token = manager.token().await?;
/// println!("{} characters", token.access.expose().len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AuthManager {
    shared: Arc<Shared>,
}

struct Shared {
    provider: Arc<dyn AuthProvider>,
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    key: SessionKey,
    expiry_margin: Duration,
    advisory: Advisory,
    changes: Changes,
    snapshot: Snapshot,
    unsaved: Mutex<Option<Box<Unsaved>>>,
    flight: SingleFlight,
    work: Work,
}

/// What is left of a token's life must be enough for the way to the API.
const LAST_MOMENT: Duration = Duration::from_secs(5);

/// What a [`logout`](AuthManager::logout) did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Logout {
    /// Whether there was anything to forget.
    pub was_signed_in: bool,
    /// What the vendor said; `None` where there was nothing to tell it.
    pub revocation: Option<Result<Revocation>>,
}

impl AuthManager {
    /// A manager for sessions of this provider; see the builder for the defaults.
    pub fn builder(provider: impl AuthProvider + 'static) -> AuthManagerBuilder {
        Self::builder_shared(Arc::new(provider))
    }

    /// The same, for a provider that many managers share, as in a service with many accounts.
    pub fn builder_shared(provider: Arc<dyn AuthProvider>) -> AuthManagerBuilder {
        AuthManagerBuilder::new(provider)
    }

    /// Which session this is about.
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        &self.shared.key
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &dyn AuthProvider {
        self.shared.provider.as_ref()
    }

    /// Signs a person in and stores the session. No lock is held while the person thinks.
    ///
    /// That the store can be written is proved before the person is asked.
    ///
    /// # Errors
    ///
    /// What [`AuthProvider::authenticate`] and the store say; [`ErrorKind::Config`] if the
    /// store holds a session of another provider.
    pub async fn login(&self, prompt: &dyn UserPrompt) -> Result<Arc<OAuthToken>> {
        self.check_store().await?;
        let shared = &self.shared;
        let token = shared.provider.authenticate(prompt).await;
        self.adopt(token.map_err(|error| shared.named(error))?)
            .await
    }

    /// Proves that a sign-in could be stored, as [`login`](Self::login) does before it asks the
    /// person.
    ///
    /// # Errors
    ///
    /// What the store says; [`ErrorKind::Config`] if it holds a session of another provider.
    pub async fn check_store(&self) -> Result<()> {
        let shared = &self.shared;
        let (mut guard, stored) = shared.lock_for_login().await?;
        let ready = guard.prepare(stored.as_ref()).await;
        ready.map_err(|error| shared.named(error))
    }

    /// Stores a session that was obtained without [`login`](Self::login), by the steps of a
    /// provider that a program drives itself.
    ///
    /// # Errors
    ///
    /// What the store says; [`ErrorKind::Config`] if it holds a session of another provider.
    pub async fn adopt(&self, token: OAuthToken) -> Result<Arc<OAuthToken>> {
        let owned = Arc::clone(&self.shared);
        let work = async move {
            let (guard, previous) = owned.lock_for_login().await?;
            owned.store_login(guard, previous, token).await
        };
        self.shared.work.own(work).await
    }

    /// As [`adopt`](Self::adopt), where what is stored by then may be replaced: `fits` is asked
    /// under the store's lock, with `None` if nothing is stored that can be read. `None` if it
    /// may not; then nothing is changed, and `token` is given up.
    ///
    /// # Errors
    ///
    /// As [`adopt`](Self::adopt).
    pub async fn adopt_if(
        &self,
        token: OAuthToken,
        fits: impl FnOnce(Option<&OAuthToken>) -> bool + Send + 'static,
    ) -> Result<Option<Arc<OAuthToken>>> {
        let owned = Arc::clone(&self.shared);
        let work = async move {
            let (guard, previous) = owned.lock_for_login().await?;
            if !fits(previous.as_ref()) {
                return Ok(None);
            }
            owned.store_login(guard, previous, token).await.map(Some)
        };
        self.shared.work.own(work).await
    }

    /// The session as it is stored, without renewing it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// What the store says; [`ErrorKind::Config`] if it is a session of another provider.
    pub async fn load(&self) -> Result<Option<Arc<OAuthToken>>> {
        let shared = &self.shared;
        let seen = shared.snapshot.epoch();
        let stored = shared.store.load(&shared.key).await;
        let stored = stored.map_err(|error| shared.named(error))?;
        let stored = shared.own_session(stored)?.map(Arc::new);
        // What was read without the lock may be old by now.
        shared.snapshot.set_if_unchanged(seen, stored.clone());
        Ok(stored)
    }

    /// A session whose access token is good for at least the expiry margin, renewed if need be.
    ///
    /// In the advisory window before that, a renewal is begun beside the traffic and the token
    /// that is still good is given; that such a renewal fails is told to [`watch`](Self::watch)
    /// and in [`SessionNotes::last_failure`](crate::SessionNotes), and to nobody else.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSignedIn`] or [`ErrorKind::RefreshRejected`] if only a new sign-in
    /// helps, a transient kind if a later call may succeed, a store error otherwise.
    pub async fn token(&self) -> Result<Arc<OAuthToken>> {
        let shared = &self.shared;
        let now = shared.clock.now();
        if let Some(token) = shared.snapshot.fresh_for(shared.advisory.window(), now) {
            return Ok(token);
        }
        let margin = shared.expiry_margin;
        let demand = Demand::fresh_for(margin, now);
        match self.obtain(demand).await {
            Ok(token) => {
                if !token.is_fresh_for(shared.advisory.window(), shared.clock.now()) {
                    shared.renew_beside();
                }
                Ok(token)
            }
            // The margin is for the way to the API: what is still good is better than nothing.
            Err(error) if error.is_transient() => shared.still_good().ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// Looks at the session without owning it, if its access token is good for the expiry margin:
    /// nothing is counted, allocated or renewed. For code on the path of every request; where
    /// this says `None`, ask [`token`](Self::token).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(manager: llm_auth_core::AuthManager) -> llm_auth_core::Result<()> {
    /// let header = match manager.with_fresh(|token| format!("Bearer {}", token.access.expose())) {
    ///     Some(header) => header,
    ///     None => format!("Bearer {}", manager.token().await?.access.expose()),
    /// };
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_fresh<T>(&self, look: impl FnOnce(&OAuthToken) -> T) -> Option<T> {
        let shared = &self.shared;
        let now = shared.clock.now();
        shared.snapshot.with_fresh(shared.expiry_margin, now, look)
    }

    /// Hears of what happens to the session from now on: sign-ins, renewals, their failures.
    #[must_use]
    pub fn watch(&self) -> SessionWatch {
        self.shared.changes.watch()
    }

    /// A session whose access token is good for at least `minimum`, renewed if need be. If the
    /// vendor's tokens do not live that long, a fresh one is given.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token).
    pub async fn token_valid_for(&self, minimum: Duration) -> Result<Arc<OAuthToken>> {
        let demand = Demand::valid_for(minimum, self.shared.clock.now());
        self.obtain(demand).await
    }

    async fn obtain(&self, demand: Demand) -> Result<Arc<OAuthToken>> {
        let shared = &self.shared;
        if let Some(token) = shared.snapshot.get()
            && demand.is_met_by(&token, shared.clock.now())
        {
            return Ok(token);
        }
        match self.load().await? {
            None => Err(shared.not_signed_in()),
            Some(token) if demand.is_met_by(&token, shared.clock.now()) => Ok(token),
            Some(_) => shared.renewed(demand).await,
        }
    }

    /// Another session than this one, whose access token was refused by an API: renews only if
    /// it is still the current one.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token).
    pub async fn invalidate(&self, refused: &OAuthToken) -> Result<Arc<OAuthToken>> {
        let demand = Demand::other_than(refused, self.shared.clock.now());
        self.shared.renewed(demand).await
    }

    /// Tells the vendor that the session is over, where that is possible, and forgets it here
    /// in any case.
    ///
    /// # Errors
    ///
    /// What the store says. That the vendor did not confirm is no error but told in [`Logout`].
    pub async fn logout(&self) -> Result<Logout> {
        self.forgotten(true).await
    }

    /// Forgets the session here and tells the vendor nothing, where somebody else goes on with
    /// the same grant; whether there was one.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn forget(&self) -> Result<bool> {
        Ok(self.forgotten(false).await?.was_signed_in)
    }

    async fn forgotten(&self, tell: bool) -> Result<Logout> {
        let owned = Arc::clone(&self.shared);
        let work = async move { owned.forget_session(tell).await };
        self.shared.work.own(work).await
    }

    /// Waits until everything that was begun is stored: renewals go on after their callers are
    /// dropped. Call it before the process ends.
    pub async fn settle(&self) {
        self.shared.work.idle().await;
    }
}

impl Shared {
    /// One renewal for all who ask at the same time.
    async fn renewed(self: &Arc<Self>, demand: Demand) -> Result<Arc<OAuthToken>> {
        let token = self.fly(&demand).await?;
        if demand.accepts(&token, self.clock.now()) {
            return Ok(token);
        }
        // That flight had begun for somebody who needed less.
        self.begin(&demand).await
    }

    /// Joins the renewal under way, or begins one; it goes on whoever waits for it.
    fn fly(
        self: &Arc<Self>,
        demand: &Demand,
    ) -> impl Future<Output = Result<Arc<OAuthToken>>> + Send + 'static {
        self.flight.join_or_start(|| self.begin(demand))
    }

    fn begin(
        self: &Arc<Self>,
        demand: &Demand,
    ) -> impl Future<Output = Result<Arc<OAuthToken>>> + Send + 'static {
        self.advisory.tried();
        let (owned, demand) = (Arc::clone(self), demand.clone());
        self.work.own(async move { owned.renew(&demand).await })
    }

    /// The session that is known, if its access token is not over.
    fn still_good(&self) -> Option<Arc<OAuthToken>> {
        let token = self.snapshot.get()?;
        let good = token.is_valid_for(LAST_MOMENT, self.clock.now());
        good.then_some(token)
    }

    /// The lock, and what a sign-in would replace.
    async fn lock_for_login(&self) -> Result<(Box<dyn StoreGuard>, Option<OAuthToken>)> {
        let mut guard = self.lock().await?;
        let previous = self.replaceable(guard.as_mut()).await?;
        Ok((guard, previous))
    }

    async fn store_login(
        &self,
        mut guard: Box<dyn StoreGuard>,
        previous: Option<OAuthToken>,
        mut token: OAuthToken,
    ) -> Result<Arc<OAuthToken>> {
        if let Some(previous) = previous {
            token.extra = previous.extra;
        }
        token.notes.provider = Some(self.key.provider().to_owned());
        token.notes.signed_in_at = Some(self.clock.now());
        guard
            .save(&token)
            .await
            .map_err(|error| self.named(error))?;
        self.drop_unsaved();
        let token = self.publish(token);
        self.changes
            .tell(SessionChange::SignedIn(Arc::clone(&token)));
        Ok(token)
    }

    async fn forget_session(&self, tell: bool) -> Result<Logout> {
        let mut guard = self.lock().await?;
        let stored = match guard.load().await {
            Err(error) if error.kind() == ErrorKind::Corrupt => None,
            stored => self.own_session(stored.map_err(|error| self.named(error))?)?,
        };
        // The one to revoke is the newest, be it not stored yet.
        let newest = stored
            .as_ref()
            .map(|token| self.take_unsaved(token).unwrap_or_else(|| token.clone()));
        let revocation = match &newest {
            Some(token) if tell && !token.is_refused() => Some(self.provider.revoke(token).await),
            _ => None,
        };
        guard.remove().await.map_err(|error| self.named(error))?;
        self.drop_unsaved();
        self.snapshot.set(None);
        self.changes.tell(SessionChange::SignedOut);
        Ok(Logout {
            was_signed_in: stored.is_some(),
            revocation: revocation.map(|said| said.map_err(|error| self.named(error))),
        })
    }

    async fn lock(&self) -> Result<Box<dyn StoreGuard>> {
        let guard = self.store.lock(&self.key).await;
        guard.map_err(|error| self.named(error))
    }

    /// What a new sign-in would replace: nothing, something unreadable (the store keeps that
    /// aside), or a session of this very provider.
    async fn replaceable(&self, guard: &mut dyn StoreGuard) -> Result<Option<OAuthToken>> {
        match guard.load().await {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            stored => self.own_session(stored.map_err(|error| self.named(error))?),
        }
    }

    /// A credential goes only to the server that it is from (RFC 6749 section 10.4).
    fn own_session(&self, stored: Option<OAuthToken>) -> Result<Option<OAuthToken>> {
        match stored
            .as_ref()
            .and_then(|token| token.notes.provider.as_deref())
        {
            Some(other) if other != self.key.provider() => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{} holds a session of {}",
                    self.store.place(&self.key),
                    crate::text::clean(other, 40, &[])
                ),
            )
            .with_session(&self.key)),
            _ => Ok(stored),
        }
    }

    fn publish(&self, token: OAuthToken) -> Arc<OAuthToken> {
        let token = Arc::new(token);
        self.snapshot.set(Some(Arc::clone(&token)));
        token
    }

    fn drop_unsaved(&self) {
        *self.unsaved.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn not_signed_in(&self) -> Error {
        Error::new(ErrorKind::NotSignedIn, "nobody is signed in").with_session(&self.key)
    }

    fn named(&self, error: Error) -> Error {
        error.with_session(&self.key)
    }
}

impl fmt::Debug for AuthManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthManager")
            .field("key", &self.shared.key)
            .field("provider", &self.shared.provider)
            .field("store", &self.shared.store)
            .field("expiry_margin", &self.shared.expiry_margin)
            .finish_non_exhaustive()
    }
}
