//! Many sessions of one process, all refreshed at once, on the file store.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use llm_auth_core::{AuthManager, AuthProvider, FileTokenStore, TokenStore};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::who::LATENCY;
use crate::Result;
use crate::peers::ours;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::stats::{millis, number};
use crate::table::Table;
use crate::tokens::{self, Expiry};

const SESSIONS: u64 = 10_000;
const FIRST_FAMILY: u64 = 5_000_000;
/// As many threads as the library has for files.
const WRITERS: usize = 10;

pub fn measure() -> Result<String> {
    let scratch = Scratch::new()?;
    let mut server = Server::start(LATENCY)?;
    server.answer("ok")?;
    server.rotate(true)?;
    let floor = floor(&scratch.path("floor"))?;
    let (took, threads) = refresh_all(&server.base_url, &scratch.path("sessions"))?;
    let mut table = Table::new(
        "10,000 sessions refreshed at once, file store, server latency 50 ms, rotation",
        &["", "s", "÷ floor", "threads"],
    );
    let seconds = |length: Duration| number(millis(length) / 1e3);
    table.row([
        "floor: 10,000 × write, fsync, rename, fsync".to_owned(),
        seconds(floor),
        "1".to_owned(),
        WRITERS.to_string(),
    ]);
    table.row([
        "**llm-auth**".to_owned(),
        seconds(took),
        number(took.as_secs_f64() / floor.as_secs_f64()),
        threads.to_string(),
    ]);
    table.note(
        "One run each, the floor first. A refresh costs two syncs: of the new file, so that the rename \
         never puts an empty one in place of the old, and of its directory, so that the rename itself \
         lasts. The threads are all of the process, the two of the caller's runtime included.",
    );
    Ok(table.markdown())
}

/// What the disk takes for as many files that are replaced durably.
fn floor(directory: &Path) -> Result<Duration> {
    fs::create_dir_all(directory)?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|first| scope.spawn(move || write_some(directory, first)))
            .collect();
        for writer in writers {
            writer.join().map_err(|_panic| "a writer panicked")??;
        }
        Result::Ok(())
    })?;
    Ok(begun.elapsed())
}

fn write_some(directory: &Path, first: usize) -> std::io::Result<()> {
    let opened = File::open(directory)?;
    for at in (first..SESSIONS as usize).step_by(WRITERS) {
        let (new, place) = (
            directory.join(format!(".{at}")),
            directory.join(at.to_string()),
        );
        let mut file = File::create(&new)?;
        file.write_all(&[b'x'; 500])?;
        file.sync_all()?;
        fs::rename(&new, &place)?;
        opened.sync_all()?;
    }
    Ok(())
}

fn refresh_all(base_url: &str, directory: &Path) -> Result<(Duration, usize)> {
    let vendor = directory.join("qwen");
    fs::create_dir_all(&vendor)?;
    for number in 0..SESSIONS {
        let session = tokens::our_file(FIRST_FAMILY + number, Expiry::Expired);
        tokens::write(&vendor.join(format!("{number}.json")), &session)?;
    }
    let provider: Arc<dyn AuthProvider> = Arc::new(ours::provider(base_url)?);
    let store: Arc<dyn TokenStore> = Arc::new(FileTokenStore::directory(directory));
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for number in 0..SESSIONS {
            let manager = AuthManager::builder(Arc::clone(&provider))
                .store(Arc::clone(&store))
                .account(number.to_string())
                .build();
            running.spawn(async move { manager.token().await.map(drop) });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        let took = begun.elapsed();
        Ok((took, fs::read_dir("/proc/self/task")?.count()))
    })
}
