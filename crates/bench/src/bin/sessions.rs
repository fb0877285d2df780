//! Holds many live sessions and prints how much memory one takes:
//! `sessions naive|ours|ours-unshared|yup <how many> <base URL>`; with `map`, `live` and `spread`, also
//! how they are found and how late they are refreshed.

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use llm_auth_bench::peer::{Ended, Peer as _};
use llm_auth_bench::peers::{ours, yup};
use llm_auth_bench::tokens::{self, Expiry};
use llm_auth_bench::{Result, many};
use llm_auth_core::{AuthManager, AuthProvider, MemoryTokenStore, TokenStore};
use tokio::runtime::Builder;

struct Naive {
    _access: String,
    _refresh: String,
    _expires: i64,
    _resource_url: String,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [who, count, base_url] = arguments.as_slice() else {
        return Err(
            "sessions naive|ours|ours-unshared|yup|map|live|spread <how many> <base URL>".into(),
        );
    };
    let count: u64 = count.parse()?;
    let line = match who.as_str() {
        "map" => many::map(count, resident)?,
        "live" => many::live(count, base_url, resident)?,
        "spread" => many::spread(count, base_url)?,
        _ => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let grown = runtime.block_on(grown(who, count, base_url))?;
            vec![(grown as f64 / count as f64).round()]
        }
    };
    let line: Vec<String> = line.iter().map(f64::to_string).collect();
    println!("{}", line.join(" "));
    Ok(())
}

async fn grown(who: &str, count: u64, base_url: &str) -> Result<u64> {
    match who {
        "naive" => naive(count),
        "ours" => ours(count, base_url, true).await,
        "ours-unshared" => ours(count, base_url, false).await,
        _ => yup(count, base_url).await,
    }
}

fn naive(count: u64) -> Result<u64> {
    let before = resident()?;
    let mut sessions = HashMap::new();
    for number in 0..count {
        let session = Naive {
            _access: tokens::access("first"),
            _refresh: tokens::refresh(number, 0),
            _expires: Expiry::Valid.unix_millis(),
            _resource_url: "https://portal.example.com".into(),
        };
        sessions.insert(format!("account{number}"), session);
    }
    let after = resident()?;
    black_box(&sessions);
    Ok(after.saturating_sub(before))
}

async fn ours(count: u64, base_url: &str, keep: bool) -> Result<u64> {
    let provider: Arc<dyn AuthProvider> = Arc::new(ours::provider(base_url)?);
    let store = MemoryTokenStore::new();
    let shared: Arc<dyn TokenStore> = Arc::new(store.clone());
    let mut managers = Vec::with_capacity(count as usize);
    let before = resident()?;
    for number in 0..count {
        let manager = AuthManager::builder(Arc::clone(&provider))
            .store(Arc::clone(&shared))
            .account(format!("account{number}"))
            .build();
        let mut guard = store.lock(manager.key()).await?;
        guard.save(&ours::session(number, Expiry::Valid)?).await?;
        manager.token().await?;
        if !keep {
            guard.remove().await?;
        }
        managers.push(manager);
    }
    let after = resident()?;
    black_box(&managers);
    Ok(after.saturating_sub(before))
}

async fn yup(count: u64, base_url: &str) -> Result<u64> {
    let client = yup::plain_client();
    let mut sessions = Vec::with_capacity(count as usize);
    let before = resident()?;
    for number in 0..count {
        let session = yup::in_memory(base_url, number, Expiry::Valid, client.clone()).await?;
        if session.token().await != Ended::Token {
            return Err("no token".into());
        }
        sessions.push(session);
    }
    let after = resident()?;
    black_box(&sessions);
    Ok(after.saturating_sub(before))
}

/// Bytes of the resident set.
fn resident() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split(' ').nth(1).ok_or("no resident set")?.parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}
