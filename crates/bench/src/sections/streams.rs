//! Many clients that read a stream of events at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Result;
use crate::load::Connection;
use crate::proxies::{Opened, Way};
use crate::stats::{median, millis, number, spread};
use crate::table::Table;
use crate::upstream::{FIRST, LAST, Upstream};

const STREAMS: usize = 1000;
const RUNS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy has two for each stream.
const FILES: u64 = 2 * STREAMS as u64 + 100;

#[derive(Default)]
struct Figures {
    first: Vec<f64>,
    bytes: Vec<f64>,
    last: Vec<f64>,
}

pub fn measure() -> Result<String> {
    more_files()?;
    let ways = Way::all();
    let mut figures: Vec<_> = ways.iter().map(|_| Figures::default()).collect();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // Interleaved: one run of each, then the next.
    for _ in 0..RUNS {
        for (way, figures) in ways.iter().zip(&mut figures) {
            // New processes: memory that was used once stays with them.
            let mut upstream = Upstream::start()?;
            let opened = way.open(&upstream)?;
            runtime.block_on(run(&mut upstream, opened, figures))?;
        }
    }
    let mut table = Table::new(
        "1,000 streams at once",
        &[
            "",
            "ms until all have the first event",
            "÷ nginx",
            "bytes per open stream",
            "÷ nginx",
            "ms from the last event to the end of all",
            "÷ nginx",
        ],
    );
    let nginx = ways.iter().position(|way| *way == Way::Nginx);
    for (way, cell) in ways.iter().zip(&figures) {
        let ratio = |part: fn(&Figures) -> &Vec<f64>| {
            let of = |cell| median(part(cell).clone());
            nginx.map_or("–".into(), |at| number(of(cell) / of(&figures[at])))
        };
        let [bytes, bytes_ratio] = match way {
            Way::Bare => ["–".into(), "–".into()],
            _ => [spread(&cell.bytes), ratio(|cell| &cell.bytes)],
        };
        table.row([
            way.name().to_owned(),
            spread(&cell.first),
            ratio(|cell| &cell.first),
            bytes,
            bytes_ratio,
            spread(&cell.last),
            ratio(|cell| &cell.last),
        ]);
    }
    table.note(&format!(
        "Median [smallest..largest] of {RUNS} interleaved runs, each with new processes. A client is a \
         connection; all of them connect, send a request of 1 KiB and get one event at once, and the last \
         when all have the first. Bytes: growth of the resident set of all processes of the proxy since \
         its first request, divided by {STREAMS}. All on the same cores, the clients in one thread."
    ));
    if nginx.is_none() {
        table.note(Way::NO_NGINX);
    }
    Ok(table.markdown())
}

async fn run(upstream: &mut Upstream, way: Opened, figures: &mut Figures) -> Result<()> {
    let way = Arc::new(way);
    let mut first = Connection::open(&way, "/chat/completions").await?;
    first.send().await?.into_body().collect().await?;
    let before = way.resident()?;
    let begun = Instant::now();
    let mut opening = JoinSet::new();
    for _ in 0..STREAMS {
        opening.spawn(open(Arc::clone(&way)));
    }
    let streams = all(opening).await?;
    figures.first.push(millis(begun.elapsed()));
    let grown = way.resident()?.saturating_sub(before);
    figures.bytes.push((grown as f64 / STREAMS as f64).round());
    let begun = Instant::now();
    upstream.release()?;
    all(streams.into_iter().map(end).collect()).await?;
    figures.last.push(millis(begun.elapsed()));
    Ok(())
}

async fn all<T: 'static>(mut tasks: JoinSet<Result<T>>) -> Result<Vec<T>> {
    let mut done = Vec::new();
    while let Some(ended) = timeout(PATIENCE, tasks.join_next()).await? {
        done.push(ended??);
    }
    Ok(done)
}

/// A stream that has had its first event.
async fn open(way: Arc<Opened>) -> Result<Incoming> {
    let mut connection = Connection::open(&way, "/events").await?;
    let mut body = connection.send().await?.into_body();
    read(&mut body, FIRST).await?;
    Ok(body)
}

async fn end(mut body: Incoming) -> Result<()> {
    read(&mut body, LAST).await?;
    match body.frame().await {
        None => Ok(()),
        Some(_more) => Err("a stream has more than its events".into()),
    }
}

/// Reads this event, in however many pieces it comes.
async fn read(body: &mut Incoming, event: &str) -> Result<()> {
    let mut read = Vec::new();
    while read.len() < event.len() {
        let frame = body.frame().await.ok_or("a stream ended early")??;
        read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    if read != event.as_bytes() {
        return Err("an event is not the upstream's".into());
    }
    Ok(())
}

/// Raises the limit of open files as far as this user may, for the children too.
fn more_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised)?;
    match limit.maximum {
        Some(most) if most < FILES => Err(format!(
            "the hard limit of open files is {most}, and {FILES} are needed (`ulimit -Hn`)"
        )
        .into()),
        _ => Ok(()),
    }
}
