//! What the handles and the guards of one store share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use llm_auth_core::store::{LeaseRequest, ServerFault};
use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey};
use llm_auth_sealing::SealingKeys;
use tokio::sync::{Notify, OnceCell};

use crate::errors::wrong;
use crate::guard::PostgresGuard;
use crate::pool::Database;
use crate::row::Stored;
use crate::schema::{self, Server};
use crate::statements::{Statements, Target};

/// A holder begins its request within that time after it has taken the lease.
const TO_BEGIN: Duration = Duration::from_secs(10);

type Turn = Arc<tokio::sync::Mutex<()>>;

pub(crate) struct Shared {
    pub(crate) database: Arc<Database>,
    pub(crate) statements: Statements,
    pub(crate) keys: Option<SealingKeys>,
    pub(crate) tenant: String,
    /// The name of the schema, and the same quoted.
    pub(crate) schema_name: String,
    pub(crate) schema: String,
    pub(crate) migrates: bool,
    pub(crate) accepts_fsync_off: bool,
    /// From `prepare` or `extend` to the end of a request.
    pub(crate) lease: Duration,
    /// How long a caller waits for the lease of another holder.
    pub(crate) patience: Duration,
    /// The server and its tables, once they were found good.
    pub(crate) checked: OnceCell<Server>,
    /// Whether the server confirms a save only once a standby has it too.
    pub(crate) survives_failover: AtomicBool,
    /// One waiter for each session reads the table.
    turns: Mutex<HashMap<SessionKey, Turn>>,
    /// A lease of this store has ended.
    pub(crate) released: Arc<Notify>,
}

impl Shared {
    #[expect(
        clippy::too_many_arguments,
        reason = "the builder's settings, one each"
    )]
    pub(crate) fn new(
        database: Arc<Database>,
        keys: Option<SealingKeys>,
        tenant: String,
        schema_name: String,
        schema: String,
        migrates: bool,
        accepts_fsync_off: bool,
        lease: Duration,
        patience: Duration,
    ) -> Self {
        Self {
            database,
            statements: Statements::new(&schema),
            keys,
            tenant,
            schema_name,
            schema,
            migrates,
            accepts_fsync_off,
            lease,
            patience,
            checked: OnceCell::new(),
            survives_failover: AtomicBool::new(false),
            turns: Mutex::default(),
            released: Arc::default(),
        }
    }

    /// Looks once at the server and its tables; a failure is not kept.
    pub(crate) async fn check(&self) -> Result<&Server> {
        self.checked.get_or_try_init(|| self.examine()).await
    }

    async fn examine(&self) -> Result<Server> {
        let database = &self.database;
        let server = schema::server(database).await?;
        if !server.fsync && !self.accepts_fsync_off {
            let what = "`fsync` is off, so that a power cut may lose every session";
            let advice = "turn it on, or call `accept_fsync_off`";
            return Err(wrong(
                &database.place,
                ServerFault::NotDurable,
                what,
                advice,
            ));
        }
        let mut version = schema::version(database, &self.schema).await?;
        if version < schema::VERSION && self.migrates {
            self.migrate().await?;
            version = schema::version(database, &self.schema).await?;
        }
        schema::check_version(database, version)?;
        schema::check_tables(database, &self.schema).await?;
        let has_standby = !server.standbys.trim().is_empty();
        self.survives_failover.store(has_standby, Ordering::Release);
        Ok(server)
    }

    pub(crate) async fn migrate(&self) -> Result<()> {
        schema::migrate(&self.database, &self.schema_name, &self.schema).await
    }

    pub(crate) fn target<'a>(&'a self, key: &'a SessionKey, lease: (i64, &'a [u8])) -> Target<'a> {
        Target {
            database: &self.database,
            tenant: &self.tenant,
            provider: key.provider(),
            account: key.account(),
            fence: lease.0,
            holder: lease.1,
        }
    }

    pub(crate) async fn read(&self, key: &SessionKey) -> Result<Stored> {
        check_names(key)?;
        self.check().await?;
        self.statements.read(self.target(key, (0, &[]))).await
    }

    pub(crate) fn session(&self, key: &SessionKey, stored: &Stored) -> Result<Option<OAuthToken>> {
        stored.session(self.keys.as_ref(), &self.tenant, key, &self.database.place)
    }

    /// Takes the lease, if it is free; otherwise returns what is stored.
    pub(crate) async fn take(
        self: &Arc<Self>,
        key: &SessionKey,
    ) -> Result<std::result::Result<PostgresGuard, Stored>> {
        check_names(key)?;
        self.check().await?;
        let holder = holder(self.lease)?;
        let length = TO_BEGIN.min(self.lease);
        let request = LeaseRequest::now();
        let target = self.target(key, (0, &holder));
        let (stored, is_taken) = self.statements.take(target, length).await?;
        if !is_taken {
            return Ok(Err(stored));
        }
        let lease = Some(request.granted(length));
        let shared = Arc::clone(self);
        let guard = PostgresGuard::new(shared, key.clone(), holder, stored, lease);
        Ok(Ok(guard))
    }

    /// A guard without a lease, which changes only what it has seen.
    pub(crate) async fn look(self: &Arc<Self>, key: &SessionKey) -> Result<PostgresGuard> {
        check_names(key)?;
        self.check().await?;
        let holder = holder(self.lease)?;
        let stored = self.statements.look(self.target(key, (0, &holder))).await?;
        let shared = Arc::clone(self);
        let guard = PostgresGuard::new(shared, key.clone(), holder, stored, None);
        Ok(guard)
    }

    /// The place in the queue of those who wait for this session.
    pub(crate) fn turn(&self, key: &SessionKey) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(key.clone()).or_default())
    }
}

/// Who holds a lease: a random number, and behind it for how many milliseconds it is granted at most. The
/// statements read that, so that no lease lasts longer if the clock of the server is set back.
pub(crate) type Holder = [u8; 20];

fn holder(longest: Duration) -> Result<Holder> {
    let mut holder = [0; 20];
    let (random, length) = holder.split_at_mut(16);
    let most = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
    length.copy_from_slice(&most.to_be_bytes());
    match getrandom::fill(random) {
        Ok(()) => Ok(holder),
        Err(_source) => {
            let message = "the system provides no random numbers";
            Err(Error::new(ErrorKind::System, message))
        }
    }
}

/// Postgres has no text with that character.
fn check_names(key: &SessionKey) -> Result<()> {
    if [key.provider(), key.account()]
        .iter()
        .any(|name| name.contains('\0'))
    {
        let message = "the name of the account has a character that Postgres cannot store (NUL): \
                       use another name";
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(())
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("database", &self.database)
            .field("keys", &self.keys)
            .field("tenant", &self.tenant)
            .field("schema", &self.schema_name)
            .finish_non_exhaustive()
    }
}
