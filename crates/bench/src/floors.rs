//! What a read could cost at best, and what naive code costs; each holds the same token.

use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustix::time::{ClockId, clock_gettime};

use crate::peer::{Ended, Peer};
use crate::tokens::{self, Expiry};

pub struct Session {
    access: Box<str>,
    expires_at_ms: i64,
}

fn session() -> Arc<Session> {
    Arc::new(Session {
        access: tokens::access("floor").into(),
        expires_at_ms: Expiry::Valid.unix_millis(),
    })
}

fn coarse_ms() -> i64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    now.tv_sec * 1000 + now.tv_nsec / 1_000_000
}

fn judged(session: &Session) -> Ended {
    if session.expires_at_ms - 60_000 <= coarse_ms() {
        return Ended::Later;
    }
    black_box(&*session.access);
    Ended::Token
}

pub struct GuardCoarse(ArcSwap<Session>);
pub struct LoadFullCoarse(ArcSwap<Session>);
pub struct StdLock(RwLock<Arc<str>>);
pub struct TokioLock(tokio::sync::RwLock<String>);
pub struct Now;

impl Default for GuardCoarse {
    fn default() -> Self {
        Self(ArcSwap::new(session()))
    }
}

impl Default for LoadFullCoarse {
    fn default() -> Self {
        Self(ArcSwap::new(session()))
    }
}

impl Default for StdLock {
    fn default() -> Self {
        Self(RwLock::new(tokens::access("floor").into()))
    }
}

impl Default for TokioLock {
    fn default() -> Self {
        Self(tokio::sync::RwLock::new(tokens::access("floor")))
    }
}

impl Peer for GuardCoarse {
    async fn token(&self) -> Ended {
        judged(&self.0.load())
    }
}

impl Peer for LoadFullCoarse {
    async fn token(&self) -> Ended {
        judged(&self.0.load_full())
    }
}

impl Peer for StdLock {
    async fn token(&self) -> Ended {
        let access = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        black_box(access);
        Ended::Token
    }
}

impl Peer for TokioLock {
    async fn token(&self) -> Ended {
        let access = self.0.read().await.clone();
        black_box(access);
        Ended::Token
    }
}

impl Peer for Now {
    #[expect(clippy::disallowed_methods, reason = "the call that is measured")]
    async fn token(&self) -> Ended {
        black_box(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        );
        Ended::Token
    }
}
