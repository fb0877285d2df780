//! Refreshes from end to end with each store, beside bare requests to the same server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use llm_auth_core::{FileTokenStore, HttpClient, MemoryTokenStore};
use llm_auth_store_postgres::PostgresStore;
use llm_auth_store_redis::RedisStore;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::Result;
use crate::databases::Database;
use crate::peers::ours;
use crate::refreshes::{
    FileWrites, PostgresWrites, RedisWrites, Refresh, Request, SESSIONS_OF_TASK, TASKS, Work,
};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::stats::{median, number, processor_time, spread};
use crate::table::Table;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_millis(500);
/// Between the refresh tokens of two rows.
const FAMILIES: u64 = 1_000_000;

/// One row of the table, with what it needs to live.
struct Row {
    name: String,
    /// The row of the durable writes alone, by its distance from this one.
    floor: Option<usize>,
    work: Vec<Work>,
    /// In each round: how often in a second, and in a second of processor time.
    per_second: Vec<f64>,
    per_core: Vec<f64>,
}

impl Row {
    fn new(name: impl Into<String>, work: Vec<Work>) -> Self {
        Self {
            name: name.into(),
            floor: None,
            work,
            per_second: Vec::new(),
            per_core: Vec::new(),
        }
    }

    fn above_its_floor(mut self) -> Self {
        self.floor = Some(1);
        self
    }

    /// Repeats the work for this time.
    fn run(&mut self, runtime: &Runtime, server: &mut Server, length: Duration) -> Result<()> {
        let sends = self.work.iter().all(Work::sends);
        // Not from zero: the server numbers its access tokens by it, and they must differ.
        let sent = server.requests()?;
        let (before, begun) = (processor_time(), Instant::now());
        let (work, count) = runtime.block_on(repeat(std::mem::take(&mut self.work), length))?;
        let (took, used) = (begun.elapsed(), processor_time() - before);
        self.work = work;
        let requests = server.requests()? - sent;
        if sends && requests != count {
            let name = &self.name;
            return Err(format!("{name}: {requests} requests for {count} refreshes").into());
        }
        self.per_second.push(count as f64 / took.as_secs_f64());
        self.per_core.push(count as f64 / used.as_secs_f64());
        Ok(())
    }

    fn forget(&mut self) {
        self.per_second.clear();
        self.per_core.clear();
    }
}

/// Each task on its own, and how often all of them have done their work.
async fn repeat(work: Vec<Work>, length: Duration) -> Result<(Vec<Work>, u64)> {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for mut work in work {
        running.spawn(async move {
            let mut count = 0;
            while begun.elapsed() < length {
                work.once().await?;
                count += 1;
            }
            Result::Ok((work, count))
        });
    }
    let (mut all, mut total) = (Vec::new(), 0);
    while let Some(ended) = running.join_next().await {
        let (work, count) = ended??;
        all.push(work);
        total += count;
    }
    Ok((all, total))
}

pub fn measure() -> Result<String> {
    let scratch = Scratch::new()?;
    let mut server = Server::start(Duration::ZERO)?;
    server.rotate(true)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (redis, postgres) = (Database::redis(), Database::postgres());
    let mut rows = runtime.block_on(local(&scratch, &server))?;
    let (families, mut missing) = (3 * FAMILIES, Vec::new());
    match &redis {
        Ok(redis) => rows.extend(runtime.block_on(on_redis(redis, &server, families))?),
        Err(error) => missing.push(("**llm-auth**, Redis", error.to_string())),
    }
    let families = families + FAMILIES;
    match &postgres {
        Ok(postgres) => rows.extend(runtime.block_on(on_postgres(postgres, &server, families))?),
        Err(error) => missing.push(("**llm-auth**, Postgres", error.to_string())),
    }
    // Interleaved, so that what else the machine does meets all of them.
    for round in 0..=ROUNDS {
        let length = if round == 0 { WARM_UP } else { ROUND };
        for row in &mut rows {
            row.run(&runtime, &mut server, length)?;
            if round == 0 {
                row.forget();
            }
        }
    }
    Ok(table(&rows, &missing).markdown())
}

/// Rows without a server: the bare request first.
async fn local(scratch: &Scratch, server: &Server) -> Result<Vec<Row>> {
    let token_url = server.token_url();
    let http = HttpClient::builder().build()?;
    let bare = Request::all(&http, &token_url, 0)?;
    let memory = Arc::new(MemoryTokenStore::new());
    let memory = Refresh::all(ours::provider(&server.base_url)?, memory, FAMILIES).await?;
    let file = Arc::new(FileTokenStore::directory(scratch.path("sessions")));
    let file = Refresh::all(ours::provider(&server.base_url)?, file, 2 * FAMILIES).await?;
    let writes = FileWrites::all(&scratch.path("floor"))?;
    Ok(vec![
        Row::new("bare: the same POST, no session", bare),
        Row::new("**llm-auth**, memory", memory),
        Row::new("**llm-auth**, file", file).above_its_floor(),
        Row::new("floor: write, fsync, rename, fsync; no request", writes),
    ])
}

async fn on_redis(redis: &Database, server: &Server, families: u64) -> Result<[Row; 2]> {
    let store = Arc::new(RedisStore::builder(&redis.url).connect().await?);
    let provider = ours::provider(&server.base_url)?;
    let refresh = Refresh::all(provider, store, families).await?;
    let name = format!("**llm-auth**, Redis {}", redis.version);
    let writes = RedisWrites::all(&redis.url).await?;
    Ok([
        Row::new(name, refresh).above_its_floor(),
        Row::new("floor: two `SET`; no request", writes),
    ])
}

async fn on_postgres(postgres: &Database, server: &Server, families: u64) -> Result<[Row; 2]> {
    let store = Arc::new(PostgresStore::builder(&postgres.url).connect().await?);
    let provider = ours::provider(&server.base_url)?;
    let refresh = Refresh::all(provider, store, families).await?;
    let name = format!("**llm-auth**, Postgres {}", postgres.version);
    let writes = PostgresWrites::all(&postgres.url).await?;
    Ok([
        Row::new(name, refresh).above_its_floor(),
        Row::new("floor: two `UPDATE`; no request", writes),
    ])
}

fn table(rows: &[Row], missing: &[(&str, String)]) -> Table {
    let heading = format!(
        "Refreshes with each store, {} sessions, {TASKS} tasks, server without latency, rotation",
        TASKS * SESSIONS_OF_TASK
    );
    let mut table = Table::new(
        &heading,
        &[
            "",
            "per s",
            "÷ bare",
            "÷ its floor",
            "per s of one core",
            "÷ bare",
        ],
    );
    let bare = &rows[0];
    for (at, row) in rows.iter().enumerate() {
        let floor = row.floor.map(|distance| &rows[at + distance]);
        table.row([
            row.name.clone(),
            spread(&rounded(&row.per_second)),
            ratio(&row.per_second, &bare.per_second),
            floor.map_or("–".into(), |floor| {
                ratio(&row.per_second, &floor.per_second)
            }),
            spread(&rounded(&row.per_core)),
            ratio(&row.per_core, &bare.per_core),
        ]);
    }
    for (name, why) in missing {
        let cells = [(*name).to_owned(), format!("not measured: {why}")];
        let empty = std::iter::repeat_n(String::new(), 4);
        table.row(cells.into_iter().chain(empty));
    }
    table.note(&format!(
        "Median [smallest..largest] of {ROUNDS} interleaved rounds of {} s after a warm-up; each ratio is the \
         median of those within a round. Each task refreshes sessions of its own, one after another, because \
         their access tokens were refused; the token server counts as many requests. The processor time is that \
         of our process; the token server and the databases are processes of their own on the same cores, all \
         over loopback without TLS. Redis with `appendonly yes` and `appendfsync always`, Postgres with its \
         defaults (`fsync` on); sessions in clear, all files on one disk. A floor writes as much as a session has: \
         a file once, a row twice, for the note and the save of a refresh. Both servers also wait for the disk \
         when a lease is taken, which need not last and is in no floor.",
        ROUND.as_secs()
    ));
    table
}

fn rounded(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.round()).collect()
}

/// The median of the ratios within each round.
fn ratio(values: &[f64], others: &[f64]) -> String {
    let ratios = values.iter().zip(others);
    number(median(ratios.map(|(value, other)| value / other).collect()))
}
