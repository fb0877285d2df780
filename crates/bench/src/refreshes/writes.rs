//! The durable writes of a refresh without the refresh: what each store could cost at best.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deadpool_postgres::{Manager, Pool, Runtime};
use redis::aio::MultiplexedConnection;
use tokio::task::spawn_blocking;
use tokio_postgres::NoTls;
use tokio_postgres::types::Type;

use super::{SESSIONS_OF_TASK, TASKS, Work};
use crate::Result;
use crate::tokens::{self, Expiry};

/// The note of a refresh, and the save of its result.
const WRITES: usize = 2;
/// As many as the store opens by default.
const CONNECTIONS: usize = 8;

/// As large as a session.
fn data() -> Arc<[u8]> {
    tokens::our_file(0, Expiry::Valid)
        .to_string()
        .into_bytes()
        .into()
}

/// Which row of the task's own is next.
#[derive(Debug)]
struct Turn {
    task: u64,
    turn: u64,
}

impl Turn {
    fn all() -> impl Iterator<Item = Self> {
        (0..TASKS).map(|task| Self { task, turn: 0 })
    }

    fn next(&mut self) -> u64 {
        self.turn += 1;
        self.task * SESSIONS_OF_TASK + self.turn % SESSIONS_OF_TASK
    }
}

/// A file that is replaced.
#[derive(Debug)]
pub struct FileWrites {
    path: PathBuf,
    opened: Arc<File>,
    data: Arc<[u8]>,
    turn: Turn,
}

impl FileWrites {
    pub fn all(path: &Path) -> Result<Vec<Work>> {
        fs::create_dir_all(path)?;
        let (opened, data) = (Arc::new(File::open(path)?), data());
        let writes = |turn| Self {
            path: path.to_owned(),
            opened: Arc::clone(&opened),
            data: Arc::clone(&data),
            turn,
        };
        Ok(Turn::all().map(writes).map(Work::File).collect())
    }

    pub(super) async fn once(&mut self) -> Result<()> {
        let number = self.turn.next();
        let place = self.path.join(number.to_string());
        let new = self.path.join(format!(".{number}"));
        let (opened, data) = (Arc::clone(&self.opened), Arc::clone(&self.data));
        let written = spawn_blocking(move || {
            let mut file = File::create(&new)?;
            file.write_all(&data)?;
            file.sync_all()?;
            fs::rename(&new, &place)?;
            opened.sync_all()
        });
        Ok(written.await??)
    }
}

/// Two `SET` on a connection that all tasks share, as those of the store do.
pub struct RedisWrites {
    connection: MultiplexedConnection,
    data: Arc<[u8]>,
    turn: Turn,
}

impl RedisWrites {
    pub async fn all(url: &str) -> Result<Vec<Work>> {
        let client = redis::Client::open(url)?;
        let (connection, data) = (client.get_multiplexed_async_connection().await?, data());
        let writes = |turn| Self {
            connection: connection.clone(),
            data: Arc::clone(&data),
            turn,
        };
        Ok(Turn::all().map(writes).map(Work::Redis).collect())
    }

    pub(super) async fn once(&mut self) -> Result<()> {
        let mut set = redis::cmd("SET");
        set.arg(format!("floor:{}", self.turn.next()))
            .arg(&*self.data);
        for _ in 0..WRITES {
            set.query_async::<()>(&mut self.connection).await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for RedisWrites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisWrites").finish_non_exhaustive()
    }
}

/// Two `UPDATE` by primary key, each a round trip and a transaction on a connection of a pool.
#[derive(Debug)]
pub struct PostgresWrites {
    pool: Pool,
    data: Arc<[u8]>,
    turn: Turn,
}

impl PostgresWrites {
    pub async fn all(url: &str) -> Result<Vec<Work>> {
        let manager = Manager::new(url.parse()?, NoTls);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .build()?;
        let rows = TASKS * SESSIONS_OF_TASK;
        let made = format!(
            "CREATE TABLE floor (id bigint PRIMARY KEY, data bytea NOT NULL) WITH (fillfactor = 70); \
             INSERT INTO floor SELECT id, '' FROM generate_series(0, {rows}) AS id"
        );
        pool.get().await?.batch_execute(&made).await?;
        let data = data();
        let writes = |turn| Self {
            pool: pool.clone(),
            data: Arc::clone(&data),
            turn,
        };
        Ok(Turn::all().map(writes).map(Work::Postgres).collect())
    }

    pub(super) async fn once(&mut self) -> Result<()> {
        let (id, data) = (self.turn.next() as i64, &*self.data);
        for _ in 0..WRITES {
            let connection = self.pool.get().await?;
            let update = "UPDATE floor SET data = $2 WHERE id = $1 RETURNING id";
            let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
                [(&id, Type::INT8), (&data, Type::BYTEA)];
            let rows = connection.query_typed(update, &values).await?;
            if rows.len() != 1 {
                return Err("the row is not there".into());
            }
        }
        Ok(())
    }
}
