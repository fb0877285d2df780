//! Every peer with a valid token, ready to be read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::Result;
use crate::floors::{GuardCoarse, LoadFullCoarse, Now, StdLock, TokioLock};
use crate::peer::{Ended, Peer};
use crate::peers::ours::OursBorrowed;
use crate::peers::{azure, gcp, google, ours, yup};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tokens::{self, Expiry};

/// The names that the report refers to.
pub const OURS: &str = "**llm-auth** `token()`, owned";
pub const BORROWED: &str = "**llm-auth** `with_fresh(look)`, borrowed";
pub const GUARD: &str = "floor: arc_swap guard + expiry, coarse clock";
pub const LOAD_FULL: &str = "floor: arc_swap `load_full` + expiry, coarse clock";

/// One line of the report.
pub trait Reader {
    fn name(&self) -> &'static str;
    /// Makes the calls, spread over so many tasks, and returns how long all of them took.
    fn round(&self, tasks: u64, calls: u64) -> Result<Duration>;
    /// Makes the calls in this thread.
    fn calls_here(&self, runtime: &Runtime, calls: u64);
}

struct Reading<P> {
    name: &'static str,
    peer: Arc<P>,
}

/// All readers that are measured.
pub type Readers = Vec<Box<dyn Reader>>;

/// Every reader, and the runtime that has their background tasks.
pub fn all() -> Result<(Readers, Runtime, Server)> {
    let scratch = Scratch::new()?;
    let file = scratch.path("yup.json");
    tokens::write(&file, &tokens::yup_file(2, Expiry::Valid))?;
    let server = Server::start(Duration::ZERO)?;
    let (base, url) = (server.base_url.clone(), server.token_url());
    let behind = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let readers = behind.block_on(async {
        let owned = ours::in_memory(ours::provider(&base)?, 1, Expiry::Valid).await?;
        let readers: Vec<Box<dyn Reader>> = vec![
            reading(OURS, owned.clone()).await?,
            reading(BORROWED, OursBorrowed(owned.0)).await?,
            reading(
                "yup-oauth2 `token(&[scope])` ¹",
                yup::on_disk(&url, &file).await?,
            )
            .await?,
            reading(
                "google-cloud-auth `access_token()`",
                google::first_token(&url, 3)?,
            )
            .await?,
            reading("gcp_auth `token(&[scope])`", gcp::first_token(&url)?).await?,
            reading(
                "azure_identity `get_token(&[scope])`",
                azure::first_token(Duration::ZERO)?,
            )
            .await?,
            reading(GUARD, GuardCoarse::default()).await?,
            reading(LOAD_FULL, LoadFullCoarse::default()).await?,
            reading(
                "floor: `std::sync::RwLock<Arc<str>>` read + clone",
                StdLock::default(),
            )
            .await?,
            reading(
                "floor: `tokio::sync::RwLock<String>` read + clone",
                TokioLock::default(),
            )
            .await?,
            reading("clock: `SystemTime::now()`", Now).await?,
        ];
        Result::Ok(readers)
    })?;
    Ok((readers, behind, server))
}

/// With its first token, so that every later call finds one.
async fn reading<P: Peer>(name: &'static str, peer: P) -> Result<Box<dyn Reader>> {
    match peer.token().await {
        Ended::Token => Ok(Box::new(Reading {
            name,
            peer: Arc::new(peer),
        })),
        other => Err(format!("{name}: the first call ended with {other:?}").into()),
    }
}

impl<P: Peer> Reader for Reading<P> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn round(&self, tasks: u64, calls: u64) -> Result<Duration> {
        if tasks == 1 {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let begun = Instant::now();
            self.calls_here(&runtime, calls);
            return Ok(begun.elapsed());
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let begun = Instant::now();
        let running: Vec<_> = (0..tasks)
            .map(|_| {
                let peer = Arc::clone(&self.peer);
                runtime.spawn(async move { repeat(&*peer, calls / tasks).await })
            })
            .collect();
        runtime.block_on(async {
            for task in running {
                task.await?;
            }
            Result::Ok(())
        })?;
        Ok(begun.elapsed())
    }

    fn calls_here(&self, runtime: &Runtime, calls: u64) {
        runtime.block_on(repeat(&*self.peer, calls));
    }
}

async fn repeat<P: Peer>(peer: &P, calls: u64) {
    for _ in 0..calls {
        let ended = std::hint::black_box(peer.token().await);
        assert_eq!(ended, Ended::Token, "the token was valid");
    }
}
