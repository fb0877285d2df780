//! The database of a fleet.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_core::{OAuthToken, SessionKey, TokenStore};
use llm_auth_store_postgres::PostgresStore;
use llm_auth_store_redis::RedisStore;

use crate::cluster::{self, Cluster};
use crate::redis_server::RedisServer;
use crate::support;

/// How long a lease lasts for one request; the default is 30 s.
pub(crate) const LEASE: Duration = Duration::from_millis(2_500);

/// How long a host waits for the database.
const LIMIT: Duration = Duration::from_millis(1_500);

/// How long a host waits for another one's lease.
const PATIENCE: Duration = Duration::from_secs(20);

const PLACE: &str = "fleet";

/// Replicas are copied at once.
const REDIS: [&str; 4] = ["--save", "", "--repl-diskless-sync-delay", "0"];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Engine {
    Postgres,
    Redis,
}

impl Engine {
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "postgres" => Ok(Self::Postgres),
            "redis" => Ok(Self::Redis),
            _ => Err(format!("no engine {name:?}: use postgres or redis")),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

pub(crate) fn postgres(port: u16) -> PostgresStore {
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let builder = PostgresStore::builder(&url).schema(PLACE).lease(LEASE);
    let builder = builder.time_limit(LIMIT).patience(PATIENCE);
    builder.max_connections(4).build().unwrap()
}

pub(crate) fn redis(port: u16) -> RedisStore {
    let builder = RedisStore::builder(format!("redis://127.0.0.1:{port}"));
    let builder = builder.prefix(PLACE).lease(LEASE).lock_wait(PATIENCE);
    builder.timeout(LIMIT).build().unwrap()
}

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) engine: Engine,
    /// Where it listens now.
    pub(crate) port: Arc<AtomicU16>,
    server: Arc<Mutex<Server>>,
    standby: Arc<Mutex<Option<Server>>>,
}

enum Server {
    Postgres(Cluster),
    Redis(RedisServer),
}

impl Server {
    fn port(&self) -> u16 {
        match self {
            Self::Postgres(cluster) => cluster.port,
            Self::Redis(server) => server.port,
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Database {
    /// `None` if it is not installed: a line says that it is skipped, and with `CI` set it fails.
    pub(crate) async fn start(engine: Engine) -> Option<Self> {
        let start = move || match engine {
            Engine::Postgres => {
                let cluster = cluster::own_for("fleet")?;
                Some((cluster.port, Server::Postgres(cluster)))
            }
            Engine::Redis => {
                let server = RedisServer::start("fleet", &REDIS)?;
                Some((server.port, Server::Redis(server)))
            }
        };
        let (port, server) = tokio::task::spawn_blocking(start).await.unwrap()?;
        Some(Self {
            engine,
            port: Arc::new(AtomicU16::new(port)),
            server: Arc::new(Mutex::new(server)),
            standby: Arc::default(),
        })
    }

    /// A replica that has all of it.
    pub(crate) async fn follow(&self) {
        let (server, standby) = (Arc::clone(&self.server), Arc::clone(&self.standby));
        let follow = move || {
            let follower = match &*server.lock().unwrap() {
                Server::Postgres(cluster) => Server::Postgres(cluster.standby()),
                Server::Redis(primary) => {
                    let replica = RedisServer::start("fleet", &REDIS).unwrap();
                    replica.follow(primary);
                    Server::Redis(replica)
                }
            };
            *standby.lock().unwrap() = Some(follower);
        };
        tokio::task::spawn_blocking(follow).await.unwrap();
    }

    /// It dies, and the replica takes its place. In Redis nothing confirms that a replica has a write,
    /// so there no host may be connected.
    pub(crate) async fn fail_over(&self) {
        let (server, standby) = (Arc::clone(&self.server), Arc::clone(&self.standby));
        let fail_over = move || {
            let next = standby.lock().unwrap().take().unwrap();
            let mut server = server.lock().unwrap();
            match (&mut *server, &next) {
                (Server::Postgres(primary), Server::Postgres(next)) => {
                    primary.crash();
                    next.promote();
                }
                (Server::Redis(primary), Server::Redis(next)) => {
                    next.catch_up(primary);
                    primary.kill();
                    next.promote();
                }
                _ => unreachable!("a replica has the engine of its primary"),
            }
            let port = next.port();
            *server = next;
            port
        };
        let port = tokio::task::spawn_blocking(fail_over).await.unwrap();
        self.port.store(port, Ordering::SeqCst);
    }

    /// It crashes, and starts again.
    pub(crate) async fn crash(&self, by_kill: bool) {
        let server = Arc::clone(&self.server);
        let crash = move || match &mut *server.lock().unwrap() {
            Server::Postgres(cluster) => {
                if by_kill {
                    cluster.kill_and_start();
                } else {
                    cluster.crash();
                    cluster.start();
                }
            }
            Server::Redis(server) => server.restart(),
        };
        tokio::task::spawn_blocking(crash).await.unwrap();
    }

    /// A session as it is stored, read by a way of its own.
    pub(crate) async fn load(&self, account: &str) -> llm_auth_core::Result<Option<OAuthToken>> {
        let (port, key) = (self.port.load(Ordering::SeqCst), support::key(account));
        match self.engine {
            Engine::Postgres => postgres(port).load(&key).await,
            Engine::Redis => redis(port).load(&key).await,
        }
    }

    /// Stores a session in place of another one, as a sign-in does.
    pub(crate) async fn put(
        &self,
        account: &str,
        session: &OAuthToken,
    ) -> llm_auth_core::Result<()> {
        let (port, key) = (self.port.load(Ordering::SeqCst), support::key(account));
        match self.engine {
            Engine::Postgres => put(&postgres(port), &key, session).await,
            Engine::Redis => put(&redis(port), &key, session).await,
        }
    }
}

async fn put(
    store: &impl TokenStore,
    key: &SessionKey,
    session: &OAuthToken,
) -> llm_auth_core::Result<()> {
    store.lock_optimistically(key).await?.finish(session).await
}
