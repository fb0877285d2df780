//! The store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use llm_auth_core::store::StoreGuard;
use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey, TokenStore};

use crate::builder::PostgresStoreBuilder;
use crate::row::Stored;
use crate::runtime;
use crate::shared::Shared;

/// How long a waiting caller sleeps before it looks again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// Sessions in a Postgres database, for programs on any number of hosts.
///
/// Its lock is a [lease](llm_auth_core::store::Lease): a holder that dies before it has begun a refresh
/// is overtaken after 10 s, and one that dies in the middle of it after 30 s, by the clock of the
/// database. Nothing of the lock is kept on a connection, so any pooler may stand in between.
///
/// Clones share their connections. Connections belong to a thread of this crate, and no call needs
/// tokio.
///
/// # The URL
///
/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with the [parameters](tokio_postgres::Config) of
/// tokio-postgres. The environment is not read, so host, user and database must be there. `sslmode`:
/// `disable`, or `require` with its synonyms `verify-ca` and `verify-full`, for the certificate is
/// always checked. The default is `disable` on this computer and `require` elsewhere.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_core::{SessionKey, TokenStore as _};
/// use llm_auth_store_postgres::PostgresStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_core::Result<()> {
/// let url = "postgres://app:made-up@db.example/sessions";
/// let store = PostgresStore::builder(url).connect().await?;
/// for key in store.accounts().await? {
///     println!("{key}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pub(crate) shared: Arc<Shared>,
}

impl PostgresStore {
    /// The settings of a store.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # fn main() -> llm_auth_core::Result<()> {
    /// let store = PostgresStore::builder("postgres://app@localhost/sessions").build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(url: &str) -> PostgresStoreBuilder {
        PostgresStoreBuilder::new(url)
    }

    /// The server and the database, without the user and the password.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # fn main() -> llm_auth_core::Result<()> {
    /// let store = PostgresStore::builder("postgres://app:made-up@localhost/sessions").build()?;
    /// assert_eq!(store.place(), "postgres://localhost:5432/sessions");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn place(&self) -> String {
        self.shared.database.place.clone()
    }

    /// Whether no other computer can read on the way to the server: it is this one, or TLS is used.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # fn main() -> llm_auth_core::Result<()> {
    /// let url = "postgres://app@db.example/sessions";
    /// assert!(PostgresStore::builder(url).build()?.is_private());
    /// let url = "postgres://app@db.example/sessions?sslmode=disable";
    /// assert!(!PostgresStore::builder(url).build()?.is_private());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.shared.database.is_private()
    }

    /// Makes the tables, or brings them to the version of this program, under a lock of the database.
    /// The user needs the permission to create a schema, or tables in it. The first use does the same,
    /// unless [`migrates`](PostgresStoreBuilder::migrates) forbids it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_core::Result<()> {
    /// let owner = PostgresStore::builder("postgres://owner@localhost/sessions").build()?;
    /// owner.migrate().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn migrate(&self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        runtime::run(async move { shared.migrate().await }).await
    }

    /// Where copies of what was damaged are: [the crate](crate#what-is-damaged) describes them.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_store_postgres::PostgresStore;
    ///
    /// # fn main() -> llm_auth_core::Result<()> {
    /// let store = PostgresStore::builder("postgres://app:made-up@localhost/sessions").build()?;
    /// let place = "postgres://localhost:5432/sessions (llm_auth.damaged)";
    /// assert_eq!(store.location_of_copies(), place);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn location_of_copies(&self) -> String {
        let shared = &self.shared;
        format!("{} ({}.damaged)", shared.database.place, shared.schema_name)
    }

    /// Waits for the lease, or for other tokens than `known`.
    async fn wait(
        &self,
        key: &SessionKey,
        known: Option<&OAuthToken>,
    ) -> Result<Option<Box<dyn StoreGuard>>> {
        let until = Instant::now() + self.shared.patience;
        let turn = self.shared.turn(key);
        let (_turn, mut seen) = match Arc::clone(&turn).try_lock_owned() {
            Ok(turn) => (turn, None),
            Err(_taken) => {
                let Some(turn) = runtime::within(self.shared.patience, turn.lock_owned()).await?
                else {
                    return Err(self.busy());
                };
                // What those before have waited for may be enough.
                (turn, Some(self.read(key).await?))
            }
        };
        loop {
            let mut stored = match seen.take() {
                Some(stored) => stored,
                None => match self.take(key).await? {
                    Ok(guard) => return Ok(Some(guard)),
                    Err(stored) => stored,
                },
            };
            let mut pause = PAUSES.0;
            // Then the lease has ended, or taking it cuts one that has become too long.
            let ends = Instant::now() + stored.lease;
            loop {
                if known.is_some_and(|known| self.is_changed(key, &stored, known)) {
                    return Ok(None);
                }
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(self.busy());
                }
                if stored.lease.is_zero() || Instant::now() > ends {
                    break;
                }
                let wait = jittered(pause)?.min(stored.lease).min(left);
                runtime::pause(wait, Arc::clone(&self.shared.released)).await?;
                pause = (pause * 2).min(PAUSES.1);
                stored = self.read(key).await?;
            }
        }
    }

    async fn take(
        &self,
        key: &SessionKey,
    ) -> Result<std::result::Result<Box<dyn StoreGuard>, Stored>> {
        let (shared, key) = (Arc::clone(&self.shared), key.clone());
        // The guard is made there, so that one whose caller has gone releases its lease.
        let taken = runtime::run(async move { shared.take(&key).await }).await?;
        Ok(taken.map(|guard| Box::new(guard) as Box<dyn StoreGuard>))
    }

    async fn read(&self, key: &SessionKey) -> Result<Stored> {
        let (shared, key) = (Arc::clone(&self.shared), key.clone());
        runtime::run(async move { shared.read(&key).await }).await
    }

    /// A session that cannot be read is an error of its holder.
    fn is_changed(&self, key: &SessionKey, stored: &Stored, known: &OAuthToken) -> bool {
        match self.shared.session(key, stored) {
            Ok(Some(session)) => !session.has_same_tokens(known),
            // Without a row, another process has only just made it.
            Ok(None) => stored.fence > 0,
            Err(_) => false,
        }
    }

    fn busy(&self) -> Error {
        let message = format!(
            "{}: another process refreshes the session for longer than {} s: try again later",
            self.shared.database.place,
            self.shared.patience.as_secs()
        );
        Error::new(ErrorKind::StoreBusy, message)
    }
}

#[async_trait]
impl TokenStore for PostgresStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<OAuthToken>> {
        let stored = self.read(key).await?;
        self.shared.session(key, &stored)
    }

    async fn lock(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let waited = self.wait(key, None).await?;
        waited.ok_or_else(|| self.busy())
    }

    async fn lock_unless_changed(
        &self,
        key: &SessionKey,
        known: &OAuthToken,
    ) -> Result<Option<Box<dyn StoreGuard>>> {
        self.wait(key, Some(known)).await
    }

    async fn lock_optimistically(&self, key: &SessionKey) -> Result<Box<dyn StoreGuard>> {
        let (shared, key) = (Arc::clone(&self.shared), key.clone());
        let guard = runtime::run(async move { shared.look(&key).await }).await?;
        Ok(Box::new(guard))
    }

    /// Unless the server has a synchronous standby: a failover to another one loses what was saved
    /// last. Before the first use, true.
    fn may_lose_saves(&self) -> bool {
        !self.shared.survives_failover.load(Ordering::Acquire)
    }

    fn location(&self, _key: &SessionKey) -> String {
        let shared = &self.shared;
        format!(
            "{} ({}.sessions)",
            shared.database.place, shared.schema_name
        )
    }
}

/// Between half and one and a half of it, so that waiters on many hosts do not come at once.
fn jittered(pause: Duration) -> Result<Duration> {
    let random = getrandom::u32().map_err(|_source| {
        Error::new(ErrorKind::System, "the system provides no random numbers")
    })?;
    Ok(pause / 2 + pause.mul_f64(f64::from(random) / f64::from(u32::MAX)))
}
