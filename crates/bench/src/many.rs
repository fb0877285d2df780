//! Many sessions of ours in this process, for the program `sessions`.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use llm_auth_core::provider::Operation;
use llm_auth_core::store::StoreGuard;
use llm_auth_core::{
    AuthProvider, Clock as _, Error, ErrorKind, MemoryTokenStore, OAuthToken, SecureUrl,
    SessionKey, Sessions, SystemClock, Timestamp, TokenStore, UserPrompt,
};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::Result;
use crate::peers::ours;
use crate::stats::processor_time;
use crate::tokens::Expiry;

const TASKS: [u64; 3] = [1, 8, 64];
const READS: u64 = 2_000_000;
const AHEAD: Duration = Duration::from_secs(300);
/// Before the first session is due.
const LEAD: Duration = Duration::from_secs(2);
const SPREAD: Duration = Duration::from_secs(60);

fn account(number: u64) -> String {
    format!("account{number}")
}

fn key(number: u64) -> SessionKey {
    SessionKey::new("qwen", account(number))
}

/// A store that makes each session when it is read, as a database would.
#[derive(Debug)]
struct Elsewhere;

#[async_trait]
impl TokenStore for Elsewhere {
    async fn load(&self, key: &SessionKey) -> llm_auth_core::Result<Option<OAuthToken>> {
        let number = key.account().trim_start_matches("account").parse();
        let session = number
            .ok()
            .and_then(|number| ours::session(number, Expiry::Valid).ok());
        Ok(session)
    }

    async fn lock(&self, _key: &SessionKey) -> llm_auth_core::Result<Box<dyn StoreGuard>> {
        Err(Error::new(ErrorKind::Store, "only for reading"))
    }

    fn location(&self, _key: &SessionKey) -> String {
        "elsewhere".into()
    }
}

/// Bytes of one session, µs to load it, and ns of a read at each number of tasks.
pub fn live(count: u64, base_url: &str, resident: fn() -> Result<u64>) -> Result<Vec<f64>> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let sessions = Sessions::builder()
        .provider(ours::provider(base_url)?)
        .store(Elsewhere)
        .build()?;
    // The engine and the first load.
    runtime.block_on(async { sessions.get(&key(count))?.token().await })?;
    let (before, begun) = (resident()?, Instant::now());
    runtime.block_on(async {
        for number in 0..count {
            sessions.get(&key(number))?.token().await?;
        }
        Result::Ok(())
    })?;
    let micros = begun.elapsed().as_secs_f64() * 1e6 / count as f64;
    let bytes = resident()?.saturating_sub(before) as f64 / count as f64;
    let mut line = vec![bytes.round(), micros];
    let keys: Arc<Vec<SessionKey>> = Arc::new((0..count).map(key).collect());
    for tasks in TASKS {
        let (sessions, keys) = (sessions.clone(), Arc::clone(&keys));
        line.push(reads(&runtime, tasks, move |at| {
            let (sessions, keys) = (sessions.clone(), Arc::clone(&keys));
            async move {
                let manager = sessions.get(&keys[at % keys.len()])?;
                black_box(manager.token().await?);
                Ok(())
            }
        })?);
    }
    Ok(line)
}

/// The same for maps with a lock each.
pub fn map(count: u64, resident: fn() -> Result<u64>) -> Result<Vec<f64>> {
    type Shard = RwLock<HashMap<SessionKey, Arc<OAuthToken>>>;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let shards: Arc<Vec<Shard>> = Arc::new((0..64).map(|_| Shard::default()).collect());
    let (before, begun) = (resident()?, Instant::now());
    for number in 0..count {
        let shard = &shards[number as usize % 64];
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        shard.insert(key(number), Arc::new(ours::session(number, Expiry::Valid)?));
    }
    let micros = begun.elapsed().as_secs_f64() * 1e6 / count as f64;
    let bytes = resident()?.saturating_sub(before) as f64 / count as f64;
    let mut line = vec![bytes.round(), micros];
    let keys: Arc<Vec<SessionKey>> = Arc::new((0..count).map(key).collect());
    for tasks in TASKS {
        let (shards, keys) = (Arc::clone(&shards), Arc::clone(&keys));
        line.push(reads(&runtime, tasks, move |at| {
            let (shards, keys) = (Arc::clone(&shards), Arc::clone(&keys));
            async move {
                let at = at % keys.len();
                let shard = shards[at % 64]
                    .read()
                    .unwrap_or_else(PoisonError::into_inner);
                black_box(shard.get(&keys[at]).map(Arc::clone));
                Ok(())
            }
        })?);
    }
    Ok(line)
}

/// ns of one call, over all tasks.
fn reads<F, R>(runtime: &tokio::runtime::Runtime, tasks: u64, read: F) -> Result<f64>
where
    F: Fn(usize) -> R + Clone + Send + 'static,
    R: Future<Output = Result<()>> + Send + 'static,
{
    let begun = Instant::now();
    runtime.block_on(async {
        let mut running = JoinSet::new();
        for task in 0..tasks {
            let read = read.clone();
            running.spawn(async move {
                // A linear congruential generator: the order is random enough for the caches.
                let mut at = task;
                for _ in 0..READS / tasks {
                    at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    read((at >> 33) as usize).await?;
                }
                Result::Ok(())
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Result::Ok(())
    })?;
    Ok(begun.elapsed().as_nanos() as f64 / READS as f64)
}

/// A provider that notes how late it is called.
#[derive(Debug)]
struct Timed<P>(P, Arc<Mutex<Vec<Duration>>>);

#[async_trait]
impl<P: AuthProvider> AuthProvider for Timed<P> {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn authenticate(&self, prompt: &dyn UserPrompt) -> llm_auth_core::Result<OAuthToken> {
        self.0.authenticate(prompt).await
    }

    async fn refresh(&self, current: &OAuthToken) -> llm_auth_core::Result<OAuthToken> {
        let left = current.expires_in(SystemClock.now());
        self.1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(AHEAD.saturating_sub(left));
        self.0.refresh(current).await
    }

    fn recipient(
        &self,
        operation: Operation,
        session: &OAuthToken,
    ) -> llm_auth_core::Result<Option<SecureUrl>> {
        self.0.recipient(operation, session)
    }
}

/// How late refreshes are (median, p99, last, in ms), and how many there are a second, and a second of
/// processor time.
pub fn spread(count: u64, base_url: &str) -> Result<Vec<f64>> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let late = Arc::new(Mutex::new(Vec::with_capacity(count as usize)));
    let store = MemoryTokenStore::new();
    let sessions = Sessions::builder()
        .provider(Timed(ours::provider(base_url)?, Arc::clone(&late)))
        .store(store.clone())
        .refresh_ahead(AHEAD)
        .jitter(Duration::ZERO)
        .build()?;
    // Loaded with time to spare, so that what is measured is the schedule and not the load.
    let load_time = Duration::from_micros(100 * count);
    let first = SystemClock.now().after(AHEAD + LEAD + load_time);
    runtime.block_on(async {
        for number in 0..count {
            let mut session = ours::session(number, Expiry::Valid)?;
            let millis = SPREAD.as_millis() as u64 * number / count;
            session.expires_at = Some(Timestamp::after(first, Duration::from_millis(millis)));
            let mut guard = store.lock(&key(number)).await?;
            guard.save(&session).await?;
            guard.release().await;
            sessions.get(&key(number))?.load().await?;
        }
        Result::Ok(())
    })?;
    let (begun, before) = (Instant::now(), processor_time());
    let patience = SPREAD * 10 + load_time;
    while sessions.stats().refreshed < count && begun.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(100));
    }
    let used = processor_time() - before;
    let refreshed = sessions.stats().refreshed as f64;
    // From the first that was due to the last.
    let length = SPREAD.max(begun.elapsed().saturating_sub(load_time));
    let mut late = late.lock().unwrap_or_else(PoisonError::into_inner);
    late.sort_unstable();
    let at = |percent: usize| {
        let at = (late.len() * percent / 100).min(late.len().saturating_sub(1));
        late.get(at)
            .map_or(f64::NAN, |late| late.as_secs_f64() * 1e3)
    };
    Ok(vec![
        at(50),
        at(99),
        at(100),
        refreshed / length.as_secs_f64(),
        refreshed / used.as_secs_f64(),
    ])
}
